"""One repair a node, the worst fault first, and slots for whoever waits longest."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest
from msgspec import structs

from nodehealth.keys import CONTROL_PLANE_LABEL
from nodehealth.kube.objects import Metadata
from nodehealth.repair import (
    Joined,
    Mode,
    NodeRepair,
    NodeRepairStatus,
    Phase,
    PhaseTime,
    Severity,
)
from remediator.decide import plan
from remediator.decide.answers import Truth
from remediator.decide.judge import Judgement, Mark
from remediator.decide.limits import Scope, Why
from remediator.decide.moves import Reason
from remediator.decide.plan import Turn
from remediator.decide.scopes import Scopes
from remediator.rules.policy import CLUSTER, DEFAULT_POOL, Limit, Policy, Pool
from tests.builders import NOON, at, ledger, node, question, repair, rule, rules, slot

ENFORCE = Policy(mode=Mode.ENFORCE)


def judged(*names: str, truth: Truth = Truth.HOLDS) -> Judgement:
    marks = {
        name: Mark(truth=truth, since=NOON, confirmed=NOON, evidence=("it is full",), parts=("/",))
        for name in names
    }
    return Judgement(marks=marks)


def begun(
    *past: NodeRepair, policy: Policy = ENFORCE, faults: tuple[str, ...] = ("disk-full",)
) -> NodeRepair | None:
    known = rules(rule(), rule(name="minor", severity=Severity.WARNING))
    return plan.begin(node(), judged(*faults), past, known, policy)


def test_a_fault_opens_a_repair_that_freezes_its_plan() -> None:
    opened = begun()

    assert opened is not None
    assert opened.metadata.name == "n1-uid-n1-1"
    assert [rung.action for rung in opened.spec.ladder] == ["drain", "replace"]
    assert opened.spec.target.gpus == 8
    assert opened.spec.target.pool == DEFAULT_POOL
    assert opened.spec.evidence == ("it is full",)
    assert opened.spec.parts == ("/",)
    assert opened.spec.verify_seconds == 60


def test_of_equally_bad_faults_the_one_whose_remedies_reach_furthest_leads() -> None:
    near, far = rule(name="near", ladder=("drain", "reboot")), rule(name="far")

    opened = plan.begin(node(), judged("near", "far"), (), rules(near, far), ENFORCE)

    assert opened is not None
    assert opened.spec.rule == "far"


def test_what_holds_too_and_has_a_remedy_joins_an_open_repair() -> None:
    told = rule(name="told", ladder=())
    watched = rule(name="watched", mode=Mode.OBSERVE, verify=90)
    known = rules(rule(), told, watched, rule(name="there"))
    open_ = repair(status=NodeRepairStatus(faults=(Joined(rule="there", since=NOON),)))
    held = judged("disk-full", "told", "watched", "there", "unheard-of")

    (found,) = plan.joining(open_, held, known, ENFORCE, at(5))

    assert found == Joined(
        rule="watched",
        mode=Mode.OBSERVE,
        since=at(5),
        ladder=watched.ladder,
        verify_seconds=90,
        evidence=("it is full",),
        parts=("/",),
    )


def test_a_rule_that_is_gone_lets_a_fault_that_joined_go_nowhere() -> None:
    known = rules(rule(mode=Mode.OBSERVE))

    assert plan.allowed("disk-full", known, ENFORCE) is Mode.OBSERVE
    assert plan.allowed("gone", known, ENFORCE) is Mode.OFF


def test_a_healthy_node_needs_no_repair() -> None:
    assert begun(faults=()) is None


@pytest.mark.parametrize("truth", [Truth.FALSE, Truth.UNKNOWN, Truth.SUSPECTED])
def test_a_fault_that_is_not_over_but_does_not_hold_now_opens_nothing(truth: Truth) -> None:
    opened = plan.begin(node(), judged("disk-full", truth=truth), (), rules(rule()), ENFORCE)

    assert opened is None


def test_a_rule_that_was_taken_away_opens_nothing() -> None:
    assert begun(faults=("unheard-of",)) is None


def test_a_node_has_one_open_repair_at_most() -> None:
    assert begun(repair(phase=Phase.NEEDS_HUMAN)) is None
    assert begun(repair(phase=Phase.RECOVERED)) is not None
    assert begun(repair("n2")) is not None


def test_a_rule_that_may_act_comes_before_a_worse_one_that_may_only_observe() -> None:
    watched = rule(mode=Mode.OBSERVE)
    known = rules(watched, rule(name="minor", severity=Severity.WARNING))

    opened = plan.begin(node(), judged("disk-full", "minor"), (), known, ENFORCE)

    assert opened is not None
    assert opened.spec.rule == "minor"


def test_a_repair_that_only_observes_is_eclipsed_by_a_rule_that_may_act() -> None:
    known = rules(rule(mode=Mode.OBSERVE), rule(name="minor", severity=Severity.WARNING))
    both, alone = judged("disk-full", "minor"), judged("disk-full")
    watching = repair(mode=Mode.OBSERVE)

    assert plan.eclipsing(watching, both, known, ENFORCE) is known.by_name["minor"]
    assert plan.eclipsing(watching, alone, known, ENFORCE) is None
    assert plan.eclipsing(watching, both, known, Policy(mode=Mode.OBSERVE)) is None
    assert plan.eclipsing(repair(), both, known, ENFORCE) is None


def test_what_no_repair_would_be_begun_for_eclipses_none() -> None:
    known = rules(rule(mode=Mode.OBSERVE), rule(name="minor", severity=Severity.WARNING))
    both = judged("disk-full", "minor")
    for truth in (Truth.FALSE, Truth.UNKNOWN, Truth.SUSPECTED):
        marks = {**both.marks, "minor": replace(both.marks["minor"], truth=truth)}

        assert plan.eclipsing(
            repair(mode=Mode.OBSERVE), Judgement(marks=marks), known, ENFORCE
        ) is (None)


def test_the_next_repair_of_a_machine_has_the_next_number() -> None:
    past = repair(phase=Phase.RECOVERED)
    fourth = structs.replace(past, metadata=structs.replace(past.metadata, name="n1-uid-n1-4"))

    opened = begun(past, fourth)

    assert opened is not None
    assert opened.metadata.name == "n1-uid-n1-5"


def test_only_the_last_ended_repairs_of_a_node_are_kept() -> None:
    ended = [
        structs.replace(
            repair(phase=Phase.RECOVERED, created=at(n)),
            metadata=Metadata(name=f"r{n}", creation_timestamp=at(n)),
        )
        for n in range(plan.KEPT + 2)
    ]

    assert [each.metadata.name for each in plan.outdated([*ended, repair()], ENFORCE, NOON)] == [
        "r0",
        "r1",
    ]
    assert plan.outdated(ended[: plan.KEPT], ENFORCE, NOON) == []


def test_the_past_of_a_node_that_is_gone_is_kept_for_some_days() -> None:
    times = (PhaseTime(phase=Phase.CORDONED, at=NOON), PhaseTime(phase=Phase.RECOVERED, at=at(60)))
    ended = repair(status=NodeRepairStatus(phase=Phase.RECOVERED, timeline=times))

    assert plan.kept_until(ended, ENFORCE, at(90)) == at(60) + plan.KEPT_FOR
    young = plan.kept_until(repair(phase=Phase.RECOVERED), ENFORCE, at(90))
    assert young == at(90) + plan.KEPT_FOR


def test_a_node_of_the_control_plane_is_left_alone() -> None:
    labels = {CONTROL_PLANE_LABEL: ""}
    judged_sick = judged("disk-full")

    known = rules(rule())

    assert plan.begin(node(labels=labels), judged_sick, (), known, ENFORCE) is None
    opted_in = replace(ENFORCE, control_plane=True)
    assert plan.begin(node(labels=labels), judged_sick, (), known, opted_in) is not None


def test_the_worst_fault_gives_the_ladder() -> None:
    opened = begun(faults=("minor", "disk-full"))

    assert opened is not None
    assert opened.spec.rule == "disk-full"


def test_the_stricter_mode_wins() -> None:
    watching = begun(policy=Policy(mode=Mode.OBSERVE))

    assert watching is not None
    assert watching.spec.mode is Mode.OBSERVE
    assert begun(policy=Policy(mode=Mode.OFF)) is None
    assert plan.mode(rule(mode=Mode.OBSERVE), ENFORCE) is Mode.OBSERVE


def test_a_node_without_gpus_has_none() -> None:
    assert plan.target(node(gpus="many"), ENFORCE).gpus == 0


def test_a_node_belongs_to_the_first_pool_that_fits() -> None:
    limit = Limit(cordoned=(1,), disrupted=(1,))
    pools = (
        Pool(name="h100", labels={"gpu": "h100"}, limit=limit),
        Pool(name="rest", labels={}, limit=limit),
    )
    policy = Policy(pools=pools, limit=limit)

    assert plan.target(node(labels={"gpu": "h100"}), policy).pool == "h100"
    assert plan.target(node(), policy).pool == "rest"
    assert policy.limit_of("rest") == limit
    assert policy.limit_of(CLUSTER) == limit


def turn(
    mine: NodeRepair,
    *others: NodeRepair,
    free: int = 1,
    pool_free: int = 1,
    taken: int = 0,
    moved: Mapping[str, Collection[str]] | None = None,
) -> Turn:
    limit = Limit(cordoned=(9,), disrupted=(pool_free + taken,))
    policy = Policy(
        limit=Limit(cordoned=(9,), disrupted=(free + taken,)),
        pools=(Pool(name="a", labels={}, limit=limit), Pool(name="b", labels={}, limit=limit)),
    )
    slots = {f"s{n}": slot(n + 1, name=f"s{n}", pool="a") for n in range(taken)}
    repairs = (mine, *others)
    lived_in = {
        pool: [each.spec.target.node for each in repairs if each.spec.target.pool == pool]
        for pool in ("a", "b")
    }
    scopes = scopes_of(moved or lived_in)
    return plan.turn(mine, repairs, ledger(slots=slots), scopes, policy)


def scopes_of(pools: Mapping[str, Collection[str]]) -> Scopes:
    everybody = [name for names in pools.values() for name in names]
    return Scopes.of(
        {
            name: Scope(name=name, members=frozenset(members), out=frozenset())
            for name, members in {CLUSTER: everybody, **pools}.items()
        }
    )


def waiting(
    name: str, since: float, *, pool: str = "a", severity: Severity = Severity.CRITICAL
) -> NodeRepair:
    return repair(name, phase=Phase.WAITING, created=at(since), pool=pool, severity=severity)


def test_the_slot_goes_to_the_one_that_waited_longest() -> None:
    early, late = waiting("n2", 0), waiting("n1", 60)

    assert turn(early, late).granted
    assert turn(late, early) == Turn(
        granted=False, message="n2 has waited longer for a disruption slot"
    )


@pytest.mark.parametrize(
    "why",
    [Why.FOREIGN_MAINTENANCE, Why.CONTROL_PLANE, Why.LAST_REPLICA, Why.GANG_LIMIT],
    ids=str,
)
def test_who_is_spared_keeps_no_slot_from_those_behind(why: Why) -> None:
    spared, late = waiting("n2", 0), waiting("n1", 60)
    spared = structs.replace(spared, status=structs.replace(spared.status, reason=why))

    one = Limit(cordoned=(9,), disrupted=(1,))
    policy = Policy(pools=(Pool(name="a", labels={}, limit=one),), limit=one)
    scopes = scopes_of({"a": ["n1", "n2"]})
    woken = plan.heirs((spared, late), ledger(), scopes, policy)

    assert turn(late, spared).granted
    assert plan.queue((late, spared)) == [spared, late]
    assert woken == [late, spared]
    assert plan.ahead(late, (spared, late), scopes) == 0


def test_two_free_slots_serve_two() -> None:
    early, late = waiting("n2", 0), waiting("n1", 60)

    assert turn(late, early, free=2, pool_free=2).granted


def test_the_worse_fault_goes_first() -> None:
    minor, major = waiting("n2", 0, severity=Severity.WARNING), waiting("n1", 60)

    assert turn(major, minor).granted
    assert not turn(minor, major).granted


def test_a_full_pool_does_not_hold_up_another_one() -> None:
    stuck, other = waiting("n2", 0, pool="a"), waiting("n1", 60, pool="b")

    assert turn(other, stuck, free=1, pool_free=0, taken=1).granted


def test_a_node_queues_in_the_pool_that_it_is_in_now() -> None:
    early, late = waiting("n2", 0, pool="a"), waiting("n1", 60, pool="b")
    parted, together = {"a": ["n2"], "b": ["n1"]}, {"b": ["n1", "n2"]}

    assert turn(late, early, free=9, moved=parted).granted
    assert not turn(late, early, free=9, moved=together).granted


def test_who_is_held_up_by_the_pool_that_it_was_in_holds_up_nobody() -> None:
    early, late = waiting("n2", 0, pool="a"), waiting("n1", 60, pool="b")
    moved = {"a": ["n3"], "b": ["n1", "n2"]}

    assert turn(late, early, free=1, pool_free=0, taken=1, moved=moved).granted


def test_a_repair_falls_under_the_pool_of_its_node_and_under_its_old_one_while_that_has_nodes() -> (
    None
):
    one = repair("n1", pool="a")
    both = scopes_of({"a": ["n2"], "b": ["n1"]})

    assert plan.places(one, scopes_of({"a": ["n1"]})) == ("a",)
    assert plan.places(one, both) == ("b", "a")
    assert plan.places(one, both, ("c",)) == ("c", "a")
    assert plan.places(one, scopes_of({"a": [], "b": ["n1"]})) == ("b",)
    assert plan.places(one, scopes_of({"b": ["n1"]})) == ("b",)
    assert plan.places(one, scopes_of({"b": []})) == ("a",)


def test_who_only_watches_or_works_is_not_in_the_queue() -> None:
    late = waiting("n1", 60)
    watching = repair("n2", phase=Phase.WAITING, mode=Mode.OBSERVE, pool="a")
    working = repair("n3", phase=Phase.DRAINING, pool="a")

    assert turn(late, watching, working).granted


def test_without_a_free_slot_the_ledger_is_asked_for_the_reason() -> None:
    early, late = waiting("n2", 0), waiting("n1", 60)

    assert turn(late, early, free=0, pool_free=0).granted


def test_a_repair_that_was_just_made_is_in_the_queue_too() -> None:
    fresh = NodeRepair(
        metadata=Metadata(name="n1-repair"),
        spec=waiting("n1", 0).spec,
        status=NodeRepairStatus(phase=Phase.CORDONED),
    )

    assert turn(fresh).granted


def test_the_queue_has_those_that_wait_with_the_next_one_first() -> None:
    late, early, working = (
        waiting("late", 60),
        waiting("early", 0),
        repair("w", phase=Phase.DRAINING),
    )

    assert plan.queue((late, working, early)) == [early, late]


def test_a_slot_that_was_given_back_wakes_only_those_whose_pools_have_room() -> None:
    stuck, late, early = waiting("n1", 0), waiting("n2", 60, pool="b"), waiting("n3", 30, pool="b")
    limit = Limit(cordoned=(9,), disrupted=(1,))
    pools = (Pool(name="a", labels={}, limit=limit), Pool(name="b", labels={}, limit=limit))
    scopes = scopes_of({"a": ["n1", "s"], "b": ["n2", "n3"]})
    taken = ledger(slots={"s": slot(1, name="s", pool="a")})

    woken = plan.heirs((stuck, late, early), taken, scopes, Policy(pools=pools))

    assert woken == [early, late]


def test_who_waits_for_the_same_in_the_same_pool_is_counted_ahead() -> None:
    mine, later, elsewhere = waiting("n3", 60), waiting("n4", 90), waiting("n5", 0, pool="b")
    cordoned = repair("n1", phase=Phase.CORDONED, created=at(0), pool="a")
    confirmed = repair("n2", created=at(0), pool="a")
    worse = waiting("n6", 300, severity=Severity.WARNING)

    assert plan.ahead(mine, (mine, later, elsewhere, cordoned, confirmed, worse), Scopes()) == 1
    assert plan.ahead(worse, (mine, later, elsewhere, cordoned, confirmed, worse), Scopes()) == 3
    assert plan.ahead(confirmed, (mine, cordoned, confirmed), Scopes()) == 0


def test_a_node_is_held_for_a_repair_until_that_is_parked_or_over() -> None:
    let_go = {each for each in Phase if not plan.may_hold(repair(phase=each))}

    assert let_go == {Phase.PARKED, Phase.RECOVERED}


def test_only_rules_that_ask_something_else_have_changed() -> None:
    before = rules(rule(), rule(name="gone"), rule(question(lasts=30), name="longer"))
    after = rules(
        rule(quiet=5, ladder=()),
        rule(name="new"),
        rule(question(lasts=60), name="longer"),
    )

    assert plan.changed(before, after) == {"longer"}
    assert plan.changed(after, after) == frozenset()


def test_a_rule_that_was_gone_a_moment_ago_begins_nothing_until_replicas_agree() -> None:
    ended = NodeRepairStatus(
        phase=Phase.RECOVERED,
        reason=Reason.RULE_GONE,
        timeline=(PhaseTime(phase=Phase.RECOVERED, at=NOON),),
    )
    past, fresh = repair(status=ended), repair()

    assert plan.settles_until(fresh, [past], NOON) == NOON + plan.SETTLES
    assert plan.settles_until(fresh, [past], NOON + plan.SETTLES) is None
    assert plan.settles_until(fresh, [repair()], NOON) is None
