"""What is amiss with the fleet as a whole, by what is known at one moment."""

from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec import structs

from nodehealth.ledger import EVER, Change
from nodehealth.repair import (
    Joined,
    Mode,
    NodeRepair,
    NodeRepairStatus,
    Phase,
    PhaseTime,
    Rung,
)
from remediator.decide import outcomes, trips
from remediator.decide.moves import Reason
from remediator.decide.trips import Crowd, World
from remediator.rules.breaking import NEVER, AfterChange, Breaking, Burst, PendingPods
from tests.builders import NOON, at, repair

ALL = Breaking()


def born(name: str, seconds: float, *, mode: Mode = Mode.ENFORCE, digest: str = "") -> NodeRepair:
    made = repair(name, created=at(seconds), mode=mode)
    return structs.replace(made, spec=structs.replace(made.spec, rules_digest=digest))


def ended(
    name: str,
    seconds: float,
    *,
    mended: bool = False,
    rung: int = 1,
    reason: Reason | None = None,
    born_at: float = 0,
) -> NodeRepair:
    phase = Phase.RECOVERED if mended else Phase.NEEDS_HUMAN
    said = reason or (Reason.REPAIRED if mended else Reason.LADDER_EXHAUSTED)
    timeline = (PhaseTime(phase=phase, at=at(seconds)),)
    status = NodeRepairStatus(phase=phase, reason=said, rung=rung, timeline=timeline)
    return repair(name, created=at(born_at), status=status)


def found(world: World, breaking: Breaking = ALL, *, after: float = 0) -> set[str]:
    return set(trips.found(world, breaking, at(after)))


@pytest.mark.parametrize(
    ("nodes", "fewest"),
    [(1, None), (2, None), (3, 3), (4, 3), (9, 3), (10, 4), (20, 7), (100, 31)],
)
def test_a_pool_is_unhealthy_from_so_many_sick_nodes_on(nodes: int, fewest: int | None) -> None:
    opens = [
        amiss
        for amiss in range(nodes + 1)
        if found(World(pools={"w": Crowd(all=nodes, amiss=amiss)}))
    ]

    assert min(opens, default=None) == fewest


@pytest.mark.parametrize(
    ("nodes", "fewest"),
    [(1, 3), (3, 3), (6, 3), (8, 4), (10, 5), (500, 5), (1000, 10), (5000, 50)],
)
def test_so_many_nodes_that_fall_sick_are_a_burst(nodes: int, fewest: int) -> None:
    assert trips.burst_size(nodes, Burst()) == fewest


@pytest.mark.parametrize(
    ("phase", "reason", "held", "tries"),
    [
        (Phase.DRAINING, "", False, True),
        (Phase.WAITING, Reason.NO_SLOT, False, True),
        (Phase.WAITING, Reason.BREAKER_OPEN, False, True),
        (Phase.DRAINING, Reason.BREAKER_OPEN, True, True),
        (Phase.DRAINING, Reason.PAUSED, True, False),
        (Phase.DRAINING, Reason.NOT_APPROVED, True, False),
        (Phase.DRAINING, Reason.MODE, False, False),
        (Phase.NEEDS_HUMAN, Reason.LADDER_EXHAUSTED, False, False),
    ],
)
def test_what_people_hold_back_is_nothing_that_a_breaker_tries(
    *, phase: Phase, reason: str, held: bool, tries: bool
) -> None:
    since = NOON if held else None
    one = repair(status=NodeRepairStatus(phase=phase, reason=reason, held_since=since))

    assert trips.is_trying(one) is tries
    assert trips.is_barred(one) is (reason == Reason.BREAKER_OPEN)


def test_a_replacement_that_failed_counts_though_a_fault_that_joined_asked_for_it() -> None:
    fault = Joined(rule="minor", since=NOON, ladder=(Rung(action="replace"),))

    def exhausted(seconds: float) -> NodeRepair:
        made = ended(f"n{seconds}", seconds, rung=2)
        spec = structs.replace(made.spec, ladder=(Rung(action="drain"), Rung(action="reboot")))
        return structs.replace(
            made, spec=spec, status=structs.replace(made.status, faults=(fault,))
        )

    world = World(repairs=tuple(map(exhausted, range(3))))

    assert "failed-replacements/default" in found(world)


def test_what_is_amiss_is_named_by_what_and_where() -> None:
    half = Crowd(all=20, amiss=15)
    world = World(pools={"w": half}, zones={"z": half}, agents=half, kubelets=half, requests=half)

    assert found(world) == {
        "unhealthy-pool/w",
        "unhealthy-zone/z",
        "silent-agents/cluster",
        "silent-nodes/cluster",
        "api-errors/cluster",
    }
    assert found(world, NEVER) == set()


def test_a_few_requests_that_fail_say_nothing_of_the_api_server() -> None:
    assert found(World(requests=Crowd(all=9, amiss=9))) == set()


def test_nodes_that_fall_sick_together_are_a_burst_for_as_long_as_it_says() -> None:
    world = World(pools={"w": Crowd(all=20)}, repairs=tuple(born(f"n{n}", n) for n in range(1, 6)))
    world = replace(
        world,
        repairs=tuple(
            structs.replace(
                each,
                spec=structs.replace(each.spec, target=structs.replace(each.spec.target, pool="w")),
            )
            for each in world.repairs
        ),
    )

    assert found(world, after=600) == {"burst/w"}
    assert found(world, after=602) == set()


def test_whatever_may_only_observe_counts_for_nothing() -> None:
    repairs = tuple(born(f"n{n}", 1, mode=Mode.OBSERVE) for n in range(9))

    assert found(World(repairs=repairs)) == set()


def test_replacements_that_fail_one_after_the_other_are_told_from_single_ones() -> None:
    failed = tuple(ended(f"n{n}", n) for n in (1, 2, 4))
    breaking = replace(ALL, unmended=None, burst=None)

    assert found(World(repairs=failed), breaking) == {"failed-replacements/default"}
    assert found(World(repairs=failed[1:]), breaking) == set()
    assert found(World(repairs=(*failed, ended("n9", 3, mended=True))), breaking) == set()
    assert found(World(repairs=failed), replace(breaking, failed_replacements=0)) == set()


def test_a_successor_that_nobody_verified_ends_no_row_of_failures() -> None:
    failed = tuple(ended(f"n{n}", n) for n in (1, 2, 4))
    elsewhere = ended("n9", 3, mended=True, reason=Reason.REPLACED_ELSEWHERE)

    tripped = found(World(repairs=(*failed, elsewhere)), replace(ALL, burst=None))

    assert tripped == {"failed-replacements/default", "unmended/default"}


def test_repairs_that_mend_nothing_are_told_for_a_day() -> None:
    unmended = (ended("n1", 1, rung=0), ended("n2", 2, rung=0))

    assert found(World(repairs=unmended), after=3600) == {"unmended/default"}
    assert found(World(repairs=unmended), after=86_402) == set()


def test_a_fault_that_is_back_within_the_hour_was_not_mended() -> None:
    back = (ended("n1", 10, mended=True), born("n1", 3600))

    (outcome,) = outcomes.by_pool(back)["default"]

    assert (outcome.mended, outcome.at) == (False, at(3600))


@pytest.mark.parametrize(
    "other",
    [
        ended("n1", 1, reason=Reason.PREPARATION_FAILED),
        ended("n1", 1, mended=True, reason=Reason.FAULT_GONE),
        ended("n1", 1, mended=True, reason=Reason.REPLACED_ELSEWHERE),
        repair("n1", phase=Phase.NEEDS_HUMAN),
        repair("n1"),
    ],
)
def test_what_ended_otherwise_proves_nothing(other: NodeRepair) -> None:
    assert outcomes.by_pool((other,)) == {}


def test_a_repair_that_has_not_said_when_it_was_made_is_no_news() -> None:
    made = repair("n1")
    unborn = structs.replace(made, metadata=structs.replace(made.metadata, creation_timestamp=None))

    assert found(World(repairs=(unborn,) * 9)) == set()
    assert outcomes.by_pool((unborn,)) == {}


RULES = {"rules/new": Change(at=NOON), "kernel/6": Change(at=EVER)}


def test_a_rule_that_begins_to_hold_on_many_nodes_after_rules_changed_is_doubted() -> None:
    firing = tuple(born(f"n{n}", 60 * n, digest="new") for n in range(3))
    world = World(pools={"default": Crowd(all=20)}, repairs=firing, changes=RULES)
    breaking = replace(NEVER, after_change=AfterChange())

    assert found(world, breaking, after=7200) == {"after-change/default/disk-full"}
    assert found(replace(world, repairs=firing[1:]), breaking) == set()
    assert found(replace(world, pools={"default": Crowd(all=30)}), breaking) == set()
    assert found(replace(world, changes={}), breaking) == set()
    assert found(world, NEVER) == set()


@pytest.mark.parametrize("phase", [Phase.RECOVERED, Phase.PARKED, Phase.NEEDS_HUMAN])
def test_a_repair_that_does_not_go_on_is_no_reason_to_doubt_its_rule(phase: Phase) -> None:
    firing = tuple(
        structs.replace(born(f"n{n}", 1, digest="new"), status=NodeRepairStatus(phase=phase))
        for n in range(9)
    )

    assert found(World(repairs=firing, changes=RULES), replace(ALL, burst=None)) == set()


def test_who_fell_sick_long_after_the_change_is_no_reason_either() -> None:
    late = timedelta(minutes=16).total_seconds()
    firing = tuple(born(f"n{n}", late, digest="new") for n in range(9))
    breaking = replace(NEVER, after_change=AfterChange())

    assert found(World(repairs=firing, changes=RULES), breaking) == set()


@pytest.mark.parametrize(
    ("evicted", "fewest"), [(1, 10), (10, 10), (18, 10), (20, 11), (100, 51), (400, 201)]
)
def test_pods_that_wait_are_too_many_from_a_count_and_a_share_on(evicted: int, fewest: int) -> None:
    opens = [
        amiss
        for amiss in range(evicted + 20)
        if found(World(pods=Crowd(all=evicted, amiss=amiss))) == {"pending-pods/cluster"}
    ]

    assert opens == list(range(fewest, evicted + 20))


def test_pods_that_wait_are_of_no_interest_where_that_is_said() -> None:
    many = World(pods=Crowd(all=100, amiss=100))

    assert found(many, replace(ALL, pending_pods=None)) == set()
    assert found(many, replace(ALL, pending_pods=PendingPods(pods=101))) == set()
