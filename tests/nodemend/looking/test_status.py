"""The fleet in one screen."""

from dataclasses import replace
from datetime import timedelta

from msgspec import structs
from rich.console import Console

from nodehealth.kube.objects import Condition
from nodehealth.ledger import Breaker, BreakerState, Disruption, Handling
from nodehealth.repair import Mode, NodeRepairStatus, Obstacle, Phase
from nodemend.looking import screen, status
from remediator.rules.approvals import Approval
from remediator.rules.policy import Beside, Conditions, Domain, Limit, Names, Pool
from remediator.rules.rule import Sign
from tests.builders import NOON, at, health, ledger, level, node, question, repair, rule, slot
from tests.nodemend.looking.sights import LEASE, book, sight, written

WELL = written(health(level(0.5)), NOON)
HASTY = rule(question(lasts=0))


def test_a_fleet_that_is_well_needs_nobody() -> None:
    found = status.summary(sight(node(), healths=(WELL,)), book(HASTY))

    assert (found.nodes, found.ready, found.reported, found.attention) == (1, 1, 1, ())


def test_what_is_sick_open_and_held_is_counted() -> None:
    full = written(health(level(0.0)), NOON)
    waits = repair(status=NodeRepairStatus(phase=Phase.WAITING, reason="NoSlot"))

    found = status.summary(sight(node(), healths=(full,), repairs=(waits,)), book(HASTY))

    assert found.sick == {"disk-full": 1}
    assert found.repairs == {"Waiting": 1}
    assert found.held == {"NoSlot": 1}


def test_limits_are_shown_with_what_is_used_of_them() -> None:
    known = ledger(epoch=2, slots={"n1": slot(2, pool="fleet")})

    found = status.summary(sight(node(), node("n2", ready=False), known=known), book(HASTY))

    pool = found.scopes[-1]
    assert (pool.scope, pool.nodes, pool.out, pool.out_limit) == ("fleet", 2, 2, 3)
    assert (pool.disrupted, pool.disrupted_limit) == (1, 1)


def test_of_the_domains_only_those_that_are_full_are_shown() -> None:
    racks = Domain(label="rack", limit=Limit(cordoned=("100%",), disrupted=(1,)))
    ruled = book(HASTY)
    ruled = replace(ruled, policy=replace(ruled.policy, domains=(racks,)))
    known = ledger(epoch=2, slots={"n1": slot(2)})
    nodes = (node(labels={"rack": "r1"}), node("n2", labels={"rack": "r2"}))

    found = status.summary(sight(*nodes, known=known), ruled)

    assert [each.scope for each in found.scopes if "=" in each.scope] == ["rack=r1"]


def test_a_slot_that_no_repair_holds_is_said_with_what_gives_it_back() -> None:
    held = {"n1": slot(2), "n2": slot(3, name="n2"), "n3": slot(4, name="n3")}
    known = ledger(epoch=4, slots=held)
    ruled = book(HASTY)

    found = status.summary(sight(node(), repairs=(repair("n3"),), known=known), ruled)

    (said,) = [each for each in found.attention if "disruption slot" in each]
    assert said == (
        "n2 has no repair any more, and something may have been ordered for it. "
        "It keeps its disruption slot until it is Ready. "
        "If nothing works on its machine: nodemend ledger release n2"
    )


def test_whatever_needs_a_person_is_said() -> None:
    hopeless = repair(status=NodeRepairStatus(phase=Phase.NEEDS_HUMAN, message="no remedy is left"))
    seen = sight(
        node(), repairs=(hopeless,), known=ledger(disruption=Disruption.CLOSED), lease=None
    )

    found = status.summary(seen, book(HASTY))

    assert found.attention == (
        "No remediator leads: nothing is repaired.",
        (
            "Disruption is closed in RepairLedger/default. A person closed it. Nothing is drained "
            "or replaced until somebody has looked at what is out and opens it: nodemend ledger "
            "open, or kubectl patch repairledger default --type merge "
            '-p \'{"spec":{"disruption":"Open"}}\''
        ),
        "n1 needs a person: no remedy is left.",
        "n1: no agent's report counts (1 of 1).",
    )


def test_what_a_person_has_parked_needs_nobody() -> None:
    parked = NodeRepairStatus(phase=Phase.PARKED, reason="Cancelled", message="cancelled as ann")

    found = status.summary(sight(node(), repairs=(repair(status=parked),)), book(HASTY))

    assert not any("needs a person" in each for each in found.attention)


def test_a_repair_that_asks_a_person_says_so_while_something_else_holds_it_back_too() -> None:
    paused = NodeRepairStatus(phase=Phase.WAITING, reason="Paused", message="pause net")
    asking = book(HASTY)
    asking = replace(asking, policy=replace(asking.policy, approvals=(Approval(),)))

    found = status.summary(sight(node(), repairs=(repair(status=paused),)), asking)

    (said,) = [each for each in found.attention if "needs a person" in each]
    assert said.startswith("n1 needs a person, too: asks a person before")


def test_who_keeps_a_node_from_being_drained_is_said() -> None:
    stands = Obstacle(what="Pod/jobs/p1", advice="see to it", since=NOON)
    waits = NodeRepairStatus(phase=Phase.DRAINING, message="1 pod held", obstacles=(stands,))

    seen = sight(node(), repairs=(repair(status=waits),), healths=(WELL,))

    found = status.summary(seen, book(HASTY))
    assert found.attention == ("n1 is held up in its drain: Pod/jobs/p1: see to it.",)


def test_who_keeps_a_node_is_said_of_a_drain_that_is_paused_too() -> None:
    stands = tuple(Obstacle(what=f"Pod/jobs/{n}", advice="see to it", since=NOON) for n in "ab")
    paused = NodeRepairStatus(
        phase=Phase.DRAINING, reason="Paused", message="pause net", obstacles=stands
    )

    found = status.summary(sight(repairs=(repair(status=paused),)), book(HASTY))

    assert found.attention[0] == (
        "n1 is held up in its drain: Pod/jobs/a: see to it, and 1 more (nodemend repairs n1)."
    )


def test_the_cluster_comes_before_its_pools() -> None:
    ruled = book(HASTY)
    old = Pool(name="a100", labels={"gpu": "a100"}, limit=Limit(cordoned=(1,), disrupted=(1,)))
    ruled = replace(ruled, policy=replace(ruled.policy, pools=(old,)))

    found = status.summary(sight(node(labels={"gpu": "a100"})), ruled)

    assert [each.scope for each in found.scopes][:2] == ["cluster", "a100"]


def test_long_names_are_never_cut_off() -> None:
    label = "topology.example.com/a-very-long-name-of-a-zone-in-which-nodes-are"
    racks = Domain(label=label, limit=Limit(cordoned=("100%",), disrupted=(1,)))
    ruled = book(HASTY)
    ruled = replace(ruled, policy=replace(ruled.policy, domains=(racks,)))
    seen = sight(node(labels={label: "r1"}), known=ledger(epoch=2, slots={"n1": slot(2)}))
    console = Console(width=80, color_system=None)
    with console.capture() as drawn:
        console.print(screen.drawn(status.summary(seen, ruled)))

    assert "…" not in drawn.get()


def test_a_leader_that_stopped_renewing_leads_no_more() -> None:
    found = status.summary(sight(node(), now=at(60), healths=(WELL,)), book(HASTY))

    assert not found.leader.leads()


def test_of_many_silent_agents_a_few_are_named() -> None:
    nodes = [node(f"n{n}") for n in range(9)]

    found = status.summary(sight(*nodes), book(HASTY))

    assert found.attention == (
        "n0, n1, n2, n3, n4 and 4 others: no agent's report counts (9 of 9).",
    )


def test_it_fits_a_terminal_of_eighty_columns() -> None:
    console = Console(width=80, color_system=None)
    renewed = structs.replace(LEASE.spec, renew_time=NOON - timedelta(seconds=2))
    seen = sight(node(), healths=(WELL,), lease=structs.replace(LEASE, spec=renewed))
    with console.capture() as drawn:
        console.print(screen.drawn(status.summary(seen, book(HASTY))))

    lines = [line.rstrip() for line in drawn.get().splitlines()]
    assert "leader     replica-1, renewed 2s ago; 2 replicas Ready" in lines
    assert lines[-1] == "Nothing needs a person."


def test_a_condition_that_somebody_else_writes_is_told() -> None:
    seen, sign = node(), Sign(type="StorageReady", reason="DiskFull")
    theirs = Condition(type="StorageReady", status="True", message="fine")
    all_ = (*seen.status.conditions, theirs)
    seen = structs.replace(seen, status=structs.replace(seen.status, conditions=all_))
    named = book(replace(HASTY, condition=sign))
    policy = replace(named.policy, mode=Mode.ENFORCE, conditions=Conditions(names=Names.KARPENTER))

    found = status.summary(sight(seen, healths=(WELL,)), replace(named, policy=policy))

    assert found.attention == (
        (
            "The condition StorageReady of n1 is written by somebody else, so nodemend leaves it "
            "alone: docs/conditions.md."
        ),
    )


def test_who_else_repairs_nodes_is_told_and_needs_a_person_where_both_enforce() -> None:
    seen = sight(node(), healths=(WELL,))
    seen = replace(seen, checks={"nodehealthchecks.remediation.medik8s.io": ("workers",)})
    watching = book(HASTY)
    policy = replace(watching.policy, mode=Mode.ENFORCE)

    observes = status.summary(seen, replace(watching, policy=replace(policy, mode=Mode.OBSERVE)))
    enforces = status.summary(seen, replace(watching, policy=policy))
    refuses = status.summary(
        seen, replace(watching, policy=replace(policy, competitors=Beside.REFUSE))
    )

    name = "medik8s NodeHealthCheck"
    assert [each.partition(" (")[0] for each in observes.competitors] == [
        f"{name} repairs nodes here too"
    ]
    assert observes.attention == ()
    assert enforces.attention[0].startswith(f"Two repair the same nodes, for {name}")
    assert refuses.attention[0].startswith(f"nodemend only observes as long as {name}")


def test_what_is_not_closed_is_told_with_what_it_stops_and_how_it_closes() -> None:
    opened = Breaker(state=BreakerState.OPEN, opened_at=NOON, since=NOON, reason="5 are sick")
    known = ledger()
    known = structs.replace(
        known,
        spec=structs.replace(known.spec, breakers={"burst/other": Handling.IGNORE}),
        status=structs.replace(known.status, breakers={"burst/fleet": opened}),
    )

    found = status.summary(sight(node(), healths=(WELL,), known=known), book(HASTY))

    assert found.breakers == found.attention
    assert found.breakers[0].startswith(
        "The breaker burst/fleet is open since 12:00:00: 5 are sick. No new disruption begins"
    )
    assert found.breakers[0].endswith("at 12:15:00 one node is tried.")
    assert found.breakers[1] == (
        "The breaker burst/other stops nothing, for a person has it ignored in RepairLedger."
    )
