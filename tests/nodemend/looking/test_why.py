"""Why a node is as it is: the remediator's own judgement, in sentences."""

from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec import structs
from rich.console import Console

from nodehealth import keys
from nodehealth.kit.settings import SettingsError
from nodehealth.ledger import Breaker, BreakerState, Change, Disruption
from nodehealth.repair import (
    Condemned,
    Failure,
    Joined,
    Mode,
    NodeRepair,
    NodeRepairStatus,
    Part,
    PartKind,
    Phase,
    PhaseTime,
    Recurrence,
    Rung,
)
from nodehealth.signals import Knowledge
from nodemend.looking import why
from remediator.rules.policy import JOBS_NAMESPACE, Domain, Limit
from tests.builders import (
    NOON,
    at,
    health,
    ledger,
    level,
    node,
    pod,
    question,
    repair,
    rule,
    slot,
    xid,
)
from tests.nodemend.looking.sights import book, sight, written

FULL = written(health(level(0.0)), at(-60))
"""A disk that is full since noon by a report of a minute before."""
HASTY = rule(question(lasts=0))
SLOW = rule(question(lasts=300))


def test_a_rule_that_holds_comes_with_its_evidence_and_the_repair_it_leads_to() -> None:
    answer = why.explain(sight(node(), healths=(FULL,)), book(HASTY), "n1")

    assert answer.judged == (
        "disk-full holds (critical): disk.free_ratio of / is 0 since 12:00:00.",
    )
    assert answer.next == (
        (
            "A repair for disk-full is opened at the leader's next look: "
            "cordon, then drain, then replace."
        ),
    )


def test_a_suspicion_is_dated_by_the_nodes_report() -> None:
    since = written(health(level(0.0)), at(60))

    answer = why.explain(sight(node(), now=at(90), healths=(since,)), book(SLOW), "n1")

    assert answer.judged == (
        (
            "disk-full is suspected: disk.free_ratio of / is 0 since 12:00:00; "
            "it is confirmed when that has lasted 5m, at 12:05:00."
        ),
    )
    assert answer.next == ("Nothing before 12:05:00; then a repair begins if it still holds.",)


def test_what_was_reported_for_long_enough_holds_although_we_only_look_now() -> None:
    since = written(health(level(0.0)), at(60))

    answer = why.explain(sight(node(), now=at(301), healths=(since,)), book(SLOW), "n1")

    assert [each.truth for each in answer.rules] == ["holds"]


def test_a_node_is_shown_with_whose_limits_it_falls_under() -> None:
    racks = Domain(label="rack", limit=Limit(cordoned=("100%",), disrupted=(1,)))
    ruled = book(HASTY)
    ruled = replace(ruled, policy=replace(ruled.policy, domains=(racks,)))

    answer = why.explain(sight(node(labels={"rack": "r1"}), healths=(FULL,)), ruled, "n1")

    assert answer.machine[0].endswith("; it is in pool fleet, rack=r1.")


def test_what_runs_on_a_node_is_said_and_what_of_it_is_new() -> None:
    told = structs.replace(
        FULL, status=structs.replace(FULL.status, agent_version="1.2", driver_version="580.1")
    )
    known = ledger()
    changes = {"driver/580.1": Change(at=at(-3600)), "driver/570.2": Change(at=at(-60))}
    known = structs.replace(known, status=structs.replace(known.status, changes=changes))

    answer = why.explain(sight(node(), healths=(told,), known=known), book(HASTY), "n1")

    assert answer.machine[-2:] == (
        "It runs agent 1.2, driver 580.1.",
        "driver 580.1 is new: it was first seen at 2026-01-01 11:00:00.",
    )


def test_a_stale_report_proves_nothing() -> None:
    answer = why.explain(sight(node(), now=at(3600), healths=(FULL,)), book(HASTY), "n1")

    assert (
        answer.known[0] == "The last report is 1h1m old and counts no more: one was due every 5m."
    )
    assert answer.judged == (
        "Not to be told, because what they ask for is unknown here: disk-full.",
    )


def test_a_node_of_which_nothing_is_known_says_so() -> None:
    answer = why.explain(sight(node()), book(HASTY), "n1")

    assert answer.known == (
        "No agent has reported it: nothing is known of what lies below its kubelet.",
    )
    assert answer.next == ("Nothing: no rule holds.",)


def test_what_could_not_be_read_is_named() -> None:
    unknown = health(level(0.5), level(None, subject="/nfs", knowledge=Knowledge.UNKNOWN))

    answer = why.explain(sight(node(), healths=(written(unknown, NOON),)), book(HASTY), "n1")

    assert answer.known[1] == (
        "1 levels are known, 1 unknown (disk.free_ratio /nfs), 0 do not apply."
    )


def test_what_happened_is_told_whatever_the_rules_make_of_it() -> None:
    past = xid(79, count=9, boot="boot-0")
    told = health(level(0.5), xid(13), xid(31, count=3, last=at(60)), past)

    answer = why.explain(sight(node(), healths=(written(told, NOON),)), book(HASTY), "n1")

    assert answer.known[2:] == (
        (
            "gpu.xid GPU-1 (code 31, pci 0000:01:00) happened 3 times since it booted, "
            "last at 12:01:00."
        ),
        "gpu.xid GPU-1 (code 13, pci 0000:01:00) happened once since it booted, last at 12:00:00.",
    )


def test_of_much_that_happened_the_last_is_told() -> None:
    told = health(*(xid(code, last=at(code)) for code in range(1, 8)))

    answer = why.explain(sight(node(), healths=(written(told, NOON),)), book(HASTY), "n1")

    assert "code 7," in answer.known[2]
    assert answer.known[-1] == "2 more kinds of things happened before (--json has them all)."


def test_in_observe_mode_it_says_that_nothing_is_done() -> None:
    rules = book(HASTY, mode=Mode.OBSERVE)

    answer = why.explain(sight(node(), healths=(FULL,)), rules, "n1")

    assert answer.next == (
        (
            "A repair is written down and nothing is done (mode observe): "
            "cordon, then drain, then replace."
        ),
    )


def test_a_repair_that_is_held_back_by_a_limit_says_by_whom() -> None:
    held = repair(pool="fleet", status=NodeRepairStatus(phase=Phase.CORDONED, cordon_epoch=2))
    fenced = node(unschedulable=True, fence="2:cordoned", taints=(keys.REPAIR_TAINT,))
    known = ledger(epoch=2, cordons={"n1": 2}, slots={"n2": slot(1, name="n2", pool="fleet")})
    seen = sight(fenced, node("n2"), healths=(FULL,), repairs=(held,), known=known)

    answer = why.explain(seen, book(HASTY), "n1")

    assert answer.machine[1] == "nodemend keeps new work away from it (admission 2:cordoned)."
    assert answer.next[1] == (
        "Next: it asks for a disruption slot, and is held back: "
        "1 of 1 disruption slots of pool fleet are taken by n2."
    )
    assert answer.next[2] == "After that: drain (at most 30m), then replace (at most 20m)."


def test_a_repair_that_waits_for_a_gang_says_for_which_and_which_node_has_it() -> None:
    held = repair(pool="fleet", status=NodeRepairStatus(phase=Phase.CORDONED, cordon_epoch=2))
    fenced = node(unschedulable=True, fence="2:cordoned", taints=(keys.REPAIR_TAINT,))
    taken = slot(1, name="n2", pool="fleet", gangs=("jobs/jobset/train",))
    known = ledger(epoch=2, cordons={"n1": 2}, slots={"n2": taken})
    pods = (pod(labels={"jobset.sigs.k8s.io/jobset-name": "train"}),)
    seen = sight(fenced, node("n2"), healths=(FULL,), repairs=(held,), known=known, pods=pods)

    answer = why.explain(seen, book(HASTY, disrupted=2), "n1")

    assert answer.next[1] == (
        "Next: it asks for a disruption slot, and is held back: n1 has pods of gang "
        "jobs/jobset/train, and a gang may lose one node at once; under repair: n2."
    )


def test_what_a_repair_waits_for_is_said_once() -> None:
    why_not = "1 of 1 disruption slots of pool fleet are taken by n2"
    waits = NodeRepairStatus(phase=Phase.WAITING, reason="NoSlot", message=why_not, cordon_epoch=2)
    fenced = node(unschedulable=True, fence="2:cordoned", taints=(keys.REPAIR_TAINT,))
    known = ledger(epoch=2, cordons={"n1": 2}, slots={"n2": slot(1, name="n2", pool="fleet")})
    held = repair(pool="fleet", status=waits)
    seen = sight(fenced, node("n2"), healths=(FULL,), repairs=(held,), known=known)

    answer = why.explain(seen, book(HASTY), "n1")

    assert answer.next[0].endswith(f"is Waiting (NoSlot): {why_not}.")
    assert answer.next[1] == "Next: it asks for a disruption slot, and is held back."


def test_a_closed_ledger_is_what_a_repair_waits_for() -> None:
    held = repair(pool="fleet", status=NodeRepairStatus(phase=Phase.CORDONED, cordon_epoch=2))
    fenced = node(unschedulable=True, fence="2:cordoned", taints=(keys.REPAIR_TAINT,))
    known = ledger(epoch=2, cordons={"n1": 2}, disruption=Disruption.CLOSED)

    answer = why.explain(
        sight(fenced, healths=(FULL,), repairs=(held,), known=known), book(HASTY), "n1"
    )

    assert "disruption is closed in RepairLedger/default" in answer.next[1]


def test_a_closed_ledger_is_what_a_drain_waits_for() -> None:
    status = NodeRepairStatus(phase=Phase.DRAINING, disruption_epoch=2, rung_since=NOON)
    held = repair(pool="fleet", status=status)
    fenced = node(unschedulable=True, fence="2:disrupted", taints=(keys.REPAIR_TAINT,))
    slots = {"n1": slot(2, pool="fleet")}
    known = ledger(epoch=2, slots=slots, disruption=Disruption.CLOSED)

    answer = why.explain(
        sight(fenced, healths=(FULL,), repairs=(held,), known=known), book(HASTY), "n1"
    )

    assert "disruption is closed in RepairLedger/default" in answer.next[1]


def test_a_repair_names_the_faults_that_joined_it_and_what_they_may_still_come_to() -> None:
    too = Joined(
        rule="gpu-hung",
        mode=Mode.ENFORCE,
        since=NOON,
        ladder=(Rung(action="drain", settings={"deadline": "4h"}), Rung(action="reboot")),
        evidence=("gpu.hung is 1",),
    )
    watched = Joined(rule="watched", since=NOON)
    status = NodeRepairStatus(
        phase=Phase.CORDONED, cordon_epoch=2, faults=(too, watched), message="held"
    )
    held = repair(pool="fleet", status=status)
    fenced = node(unschedulable=True, fence="2:cordoned", taints=(keys.REPAIR_TAINT,))
    known = ledger(epoch=2, cordons={"n1": 2})

    answer = why.explain(
        sight(fenced, healths=(FULL,), repairs=(held,), known=known), book(HASTY), "n1"
    )

    assert answer.next[2:] == (
        "It is for gpu-hung as well, since 12:00:00: gpu.hung is 1.",
        (
            "It is for watched as well, since 12:00:00: all facts together say so (mode observe: "
            "it holds nothing up)."
        ),
        "After that: drain (at most 4h), then replace (at most 20m), then reboot (at most 20m).",
    )


def test_what_holds_too_is_said_to_join() -> None:
    held = repair(pool="fleet", status=NodeRepairStatus(phase=Phase.CORDONED, cordon_epoch=2))
    fenced = node(unschedulable=True, fence="2:cordoned", taints=(keys.REPAIR_TAINT,))
    both = book(HASTY, replace(HASTY, name="second"))

    answer = why.explain(
        sight(fenced, healths=(FULL,), repairs=(held,), known=ledger(epoch=2, cordons={"n1": 2})),
        both,
        "n1",
    )

    assert answer.next[1] == "Next: it takes in what holds too: second."


def test_a_pod_that_a_job_left_on_the_node_is_what_its_repair_waits_for() -> None:
    status = NodeRepairStatus(
        phase=Phase.VERIFYING, disruption_epoch=2, rung=1, tried=(0, 1), rung_since=NOON
    )
    ran = repair(pool="fleet", ladder=("drain", "run-job"), status=status)
    fenced = node(unschedulable=True, fence="2:disrupted", taints=(keys.REPAIR_TAINT,))
    known = ledger(epoch=2, slots={"n1": slot(2)})
    left = pod("left", labels={keys.REPAIR_LABEL: ran.metadata.uid})
    there = structs.replace(left, metadata=structs.replace(left.metadata, namespace=JOBS_NAMESPACE))

    nexts = [
        why.explain(
            sight(fenced, healths=(FULL,), repairs=(ran,), known=known, pods=(each,)),
            book(HASTY),
            "n1",
        ).next[1]
        for each in (there, left)
    ]

    assert "waits until Pod left has ended, which a Job left behind" in nexts[0]
    assert "Pod left" not in nexts[1]


def test_an_open_breaker_is_what_a_repair_waits_for() -> None:
    held = repair(pool="fleet", status=NodeRepairStatus(phase=Phase.CORDONED, cordon_epoch=2))
    fenced = node(unschedulable=True, fence="2:cordoned", taints=(keys.REPAIR_TAINT,))
    opened = Breaker(state=BreakerState.OPEN, opened_at=NOON, since=NOON, reason="5 are sick")
    known = ledger(epoch=2, cordons={"n1": 2})
    known = structs.replace(
        known, status=structs.replace(known.status, breakers={"burst/fleet": opened})
    )

    answer = why.explain(
        sight(fenced, healths=(FULL,), repairs=(held,), known=known), book(HASTY), "n1"
    )

    assert "the breaker burst/fleet is open: 5 are sick" in answer.next[1]


def test_without_a_leader_it_says_that_nothing_goes_on() -> None:
    answer = why.explain(sight(node(), healths=(FULL,), lease=None), book(HASTY), "n1")

    assert answer.next[0] == "No remediator leads: whatever is said below waits until one does."


def test_a_node_that_is_gone_still_has_its_repair() -> None:
    gone = repair(status=NodeRepairStatus(phase=Phase.REPAIRING, rung=1, rung_since=NOON))

    answer = why.explain(sight(repairs=(gone,)), book(HASTY), "n1")

    assert answer.machine == ("There is no such Node now; its repair goes on.",)
    assert answer.next[1] == "Next: replace (at most 20m) goes on, begun at 12:00:00."


def test_an_unknown_node_is_said_with_the_nearest_names() -> None:
    with pytest.raises(SettingsError, match="there is no node workr-1; nearest are worker-1"):
        why.explain(sight(node("worker-1"), node("gpu-1")), book(HASTY), "workr-1")


def test_the_sentences_fit_a_narrow_terminal() -> None:
    answer = why.explain(sight(node(), healths=(FULL,)), book(HASTY), "n1")
    console = Console(width=60)
    with console.capture() as seen:
        console.print(why.drawn(answer))

    assert all(len(line) <= 60 for line in seen.get().splitlines())


def test_a_repair_says_when_it_is_looked_at_again() -> None:
    verifying = repair(
        status=NodeRepairStatus(
            phase=Phase.VERIFYING, rung=1, rung_since=NOON, cordon_epoch=2, disruption_epoch=3
        )
    )
    fenced = node(unschedulable=True, fence="3:disrupted", taints=(keys.REPAIR_TAINT,))
    known = ledger(epoch=3, cordons={"n1": 2}, slots={"n1": slot(3)})
    seen = sight(
        fenced, healths=(FULL,), repairs=(verifying,), known=known, now=NOON + timedelta(seconds=5)
    )

    answer = why.explain(seen, book(HASTY), "n1")

    assert answer.next[1].startswith(
        "Next: it waits for something to change: waits for the fault's signals to be known and good"
    )


def test_of_a_rule_without_a_remedy_people_are_only_told() -> None:
    only = rule(question(lasts=0), ladder=())

    answer = why.explain(sight(node(), healths=(FULL,)), book(only), "n1")

    assert answer.next == ("People are told of disk-full; nothing else is done.",)


def test_no_repair_is_ever_opened_for_a_control_plane() -> None:
    brain = node(labels={keys.CONTROL_PLANE_LABEL: ""})

    answer = why.explain(sight(brain, healths=(FULL,)), book(HASTY), "n1")

    assert answer.next == (
        (
            "People are told of disk-full and no repair is opened for such a node; "
            "nothing else is done."
        ),
    )


def test_a_rule_that_is_switched_off_is_said_to_be() -> None:
    answer = why.explain(sight(node(), healths=(FULL,)), book(HASTY, mode=Mode.OFF), "n1")

    assert answer.next == ("Nothing: disk-full is switched off by the rule or the policy.",)


HURT = rule(question("code == 95", signal="gpu.xid"), name="hurt")
BEFORE = repair("n7", created=at(-7200))
FAILED_BEFORE = structs.replace(
    BEFORE,
    spec=structs.replace(BEFORE.spec, parts=("GPU-1",)),
    status=NodeRepairStatus(
        phase=Phase.RECOVERED,
        disruption_epoch=1,
        timeline=(PhaseTime(phase=Phase.RECOVERED, at=at(-3600)),),
    ),
)
DOOM = "GPU-1 is condemned: it fails again after repairs on n7 (n7-repair, 2026-01-01 11:00)"


def test_a_condemned_part_is_said_before_its_repair_is_opened() -> None:
    seen = sight(node(), healths=(written(health(xid(95)), NOON),), repairs=(FAILED_BEFORE,))

    answer = why.explain(seen, book(HURT), "n1")

    assert answer.next == (
        (
            "A repair for hurt is opened at the leader's next look: "
            f"cordon, then a person, for {DOOM}."
        ),
    )


def test_a_condemned_part_is_said_instead_of_the_ladder() -> None:
    failures = (Failure(node="n7", repair="n7-repair", at=at(-3600)),)
    part = Part(kind=PartKind.GPU, id="GPU-1")
    made = repair(phase=Phase.CONFIRMED)
    spec = structs.replace(
        made.spec, rule="hurt", condemned=Condemned(part=part, failures=failures)
    )
    mine = structs.replace(made, spec=spec)
    seen = sight(node(), healths=(written(health(xid(95)), NOON),), repairs=(mine,))

    answer = why.explain(seen, book(HURT), "n1")

    assert answer.next[-1] == f"No remedy is tried, and a person decides: {DOOM}."


def test_a_node_that_is_set_apart_says_what_of_it_failed_too_often() -> None:
    apart = node(labels={keys.QUARANTINE_LABEL: "host"})

    answer = why.explain(sight(apart), book(HASTY), "n1")

    assert answer.machine[-1] == (
        "It is set apart and gets no remedy: its host failed again after repairs."
    )


def mended(*tried: int) -> NodeRepair:
    """A repair that ended a while ago."""
    times = (PhaseTime(phase=Phase.RECOVERED, at=at(-300)),)
    status = NodeRepairStatus(
        phase=Phase.RECOVERED,
        reason="Repaired",
        disruption_epoch=2,
        rung=tried[-1],
        rung_since=at(-60),
        tried=tried,
        timeline=times,
    )
    return repair(ladder=("drain", "reboot", "replace"), status=status)


def test_a_fault_that_is_back_is_said_to_go_on_where_its_last_repair_left_off() -> None:
    again = replace(HASTY, ladder=tuple(Rung(action=each) for each in ("drain", "reboot")))

    left = why.explain(sight(node(), healths=(FULL,), repairs=(mended(0),)), book(again), "n1")
    none = why.explain(sight(node(), healths=(FULL,), repairs=(mended(0, 1),)), book(again), "n1")

    assert left.next[0].endswith("next look: cordon, then drain, then reboot.")
    assert "cordon, then a person, for the fault is back although reboot seemed" in none.next[0]


def test_a_repair_says_why_it_does_not_begin_with_the_first_remedy() -> None:
    recurs = Recurrence(repair="n1-1", ended_at=NOON, remedy="reset-gpu")
    held = repair(pool="fleet", status=NodeRepairStatus(phase=Phase.CORDONED, cordon_epoch=2))
    fenced = node(unschedulable=True, fence="2:cordoned", taints=(keys.REPAIR_TAINT,))
    said = list[str]()
    for ladder in (held.spec.ladder, ()):
        spec = structs.replace(held.spec, recurs=recurs, ladder=ladder)
        back = structs.replace(held, spec=spec)
        known = ledger(epoch=2, cordons={"n1": 2})
        seen = sight(fenced, healths=(FULL,), repairs=(back,), known=known)
        said += [each for each in why.explain(seen, book(HASTY), "n1").next if "is back" in each]

    assert [each.partition(":")[0] for each in said] == [
        "It does not begin with the first remedy",
        "Next",
        "No remedy is tried, and a person decides",
    ]


def test_where_the_clusters_rules_cannot_be_used_all_else_is_told() -> None:
    broken = replace(book(), problem="policy.yaml:4: spec.mode: got 'x'")

    answer = why.explain(sight(node(), healths=(FULL,)), broken, "n1")

    assert answer.machine[0].startswith("It is Ready")
    assert "pool" not in answer.machine[0]
    assert answer.known[0].startswith("Its agent reported")
    assert answer.judged[0].endswith("policy.yaml:4: spec.mode: got 'x'")
    assert answer.next == (
        "No repair is open; whether one begins is not to be told without the rules.",
    )


def test_where_the_clusters_rules_cannot_be_used_a_repair_is_told_as_it_stands() -> None:
    broken = replace(book(), problem="policy.yaml:4: spec.mode: got 'x'")
    opened = repair(phase=Phase.DRAINING)

    answer = why.explain(sight(node(), repairs=(opened,)), broken, "n1")

    assert "is Draining" in answer.next[0]
    assert answer.next[1:] == ("What comes next is not to be told without the rules.",)


def test_of_very_many_rules_that_ask_for_the_unknown_the_first_are_named() -> None:
    many = [rule(question(lasts=0), name=f"rule-{each:02}") for each in range(13)]

    answer = why.explain(sight(node(), now=at(3600), healths=(FULL,)), book(*many), "n1")

    assert answer.judged[0].endswith("rule-08, rule-09 and 3 more (all of them with --json).")
    assert len(answer.rules) == 13
