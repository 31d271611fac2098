"""Slots go to the worst fault, then to whoever waits longest, where there is room."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from nodehealth.kube.objects import Metadata
from nodehealth.ledger import Bucket, RepairLedger
from nodehealth.repair import Mode, NodeRepair, NodeRepairStatus, Phase, Severity
from remediator.decide import waiting
from remediator.decide.counting import Scope
from remediator.decide.limits import Why
from remediator.decide.scopes import Scopes
from remediator.decide.waiting import Turn
from remediator.rules.policy import CLUSTER, Limit, Policy, Pool, Rate
from tests.builders import NOON, at, ledger, repair, slot


def turn(
    mine: NodeRepair,
    *others: NodeRepair,
    free: int = 1,
    pool_free: int = 1,
    taken: int = 0,
    moved: Mapping[str, Collection[str]] | None = None,
    dry: Collection[str] = (),
    now: datetime = NOON,
) -> Turn:
    rate = Rate(most=1, per=timedelta(hours=1), burst=1)
    limit = Limit(cordoned=(9,), disrupted=(pool_free + taken,), disruptions=rate)
    policy = Policy(
        limit=Limit(cordoned=(9,), disrupted=(free + taken,)),
        pools=(Pool(name="a", labels={}, limit=limit), Pool(name="b", labels={}, limit=limit)),
    )
    tokens = {
        f"{pool}/disruptions": Bucket(tokens=0.0 if pool in dry else 1.0, at=NOON)
        for pool in ("a", "b")
    }
    slots = {f"s{n}": slot(n + 1, name=f"s{n}", pool="a") for n in range(taken)}
    repairs = (mine, *others)
    lived_in = {
        pool: [each.spec.target.node for each in repairs if each.spec.target.pool == pool]
        for pool in ("a", "b")
    }
    scopes = scopes_of(moved or lived_in)
    return waiting.turn(mine, repairs, _with(ledger(slots=slots), tokens), scopes, policy, now)


def _with(known: RepairLedger, buckets: Mapping[str, Bucket]) -> RepairLedger:
    return structs.replace(known, status=structs.replace(known.status, buckets=buckets))


def scopes_of(pools: Mapping[str, Collection[str]]) -> Scopes:
    everybody = [name for names in pools.values() for name in names]
    return Scopes.of(
        {
            name: Scope(name=name, members=frozenset(members), out=frozenset())
            for name, members in {CLUSTER: everybody, **pools}.items()
        }
    )


def waits(
    name: str, since: float, *, pool: str = "a", severity: Severity = Severity.CRITICAL
) -> NodeRepair:
    return repair(name, phase=Phase.WAITING, created=at(since), pool=pool, severity=severity)


def test_the_slot_goes_to_the_one_that_waited_longest() -> None:
    early, late = waits("n2", 0), waits("n1", 60)

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
    spared, late = waits("n2", 0), waits("n1", 60)
    spared = structs.replace(spared, status=structs.replace(spared.status, reason=why))

    one = Limit(cordoned=(9,), disrupted=(1,))
    policy = Policy(pools=(Pool(name="a", labels={}, limit=one),), limit=one)
    scopes = scopes_of({"a": ["n1", "n2"]})
    woken = waiting.heirs((spared, late), ledger(), scopes, policy, NOON)

    assert turn(late, spared).granted
    assert waiting.queue((late, spared)) == [spared, late]
    assert woken == [late, spared]
    assert waiting.ahead(late, (spared, late), scopes) == 0


def test_two_free_slots_serve_two() -> None:
    early, late = waits("n2", 0), waits("n1", 60)

    assert turn(late, early, free=2, pool_free=2).granted


def test_the_worse_fault_goes_first() -> None:
    minor, major = waits("n2", 0, severity=Severity.WARNING), waits("n1", 60)

    assert turn(major, minor).granted
    assert not turn(minor, major).granted


def test_a_full_pool_does_not_hold_up_another_one() -> None:
    stuck, other = waits("n2", 0, pool="a"), waits("n1", 60, pool="b")

    assert turn(other, stuck, free=1, pool_free=0, taken=1).granted


def test_a_pool_whose_rate_is_spent_holds_up_no_other_one() -> None:
    early, late = waits("n2", 0, pool="a"), waits("n1", 60, pool="b")

    assert turn(late, early, dry=["a"]).granted
    assert not turn(late, early).granted


def test_a_slot_that_was_given_back_wakes_those_first_whom_no_rate_keeps() -> None:
    early, late = waits("n2", 0, pool="a"), waits("n1", 60, pool="b")
    slow = Limit(
        cordoned=(9,), disrupted=(1,), disruptions=Rate(most=1, per=timedelta(hours=1), burst=1)
    )
    quick = Limit(cordoned=(9,), disrupted=(1,))
    pools = (Pool(name="a", labels={}, limit=slow), Pool(name="b", labels={}, limit=quick))
    spent = _with(ledger(), {"a/disruptions": Bucket(tokens=0.0, at=NOON)})
    scopes = scopes_of({"a": ["n2"], "b": ["n1"]})

    woken = waiting.heirs((early, late), spent, scopes, Policy(limit=quick, pools=pools), NOON)

    assert woken == [late, early]


def test_as_soon_as_its_rate_lets_it_go_its_turn_comes_first() -> None:
    early, late = waits("n2", 0, pool="a"), waits("n1", 60, pool="b")

    assert not turn(late, early, dry=["a"], now=at(3600)).granted
    assert turn(early, late, dry=["a"], now=at(3600)).granted


def test_within_a_pool_whose_rate_is_spent_the_order_stays() -> None:
    early, late = waits("n2", 0, pool="a"), waits("n1", 60, pool="a")

    assert not turn(late, early, dry=["a"]).granted


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from(list(Severity))), min_size=1, max_size=6
    ),
    st.sets(st.sampled_from("ab")),
    st.integers(1, 3),
)
def test_of_those_who_can_go_the_first_one_may_and_no_more_than_there_is_room_for(
    queued: list[tuple[str, Severity]], dry: set[str], free: int
) -> None:
    repairs = [
        waits(f"n{n}", n, pool=pool, severity=severity) for n, (pool, severity) in enumerate(queued)
    ]
    able = sorted((e for e in repairs if e.spec.target.pool not in dry), key=waiting.rank)
    granted = [
        each
        for each in able
        if turn(each, *(e for e in repairs if e is not each), free=free, dry=dry).granted
    ]

    assert granted[:1] == able[:1]
    assert len(granted) <= free


def test_a_node_queues_in_the_pool_that_it_is_in_now() -> None:
    early, late = waits("n2", 0, pool="a"), waits("n1", 60, pool="b")
    parted, together = {"a": ["n2"], "b": ["n1"]}, {"b": ["n1", "n2"]}

    assert turn(late, early, free=9, moved=parted).granted
    assert not turn(late, early, free=9, moved=together).granted


def test_who_is_held_up_by_the_pool_that_it_was_in_holds_up_nobody() -> None:
    early, late = waits("n2", 0, pool="a"), waits("n1", 60, pool="b")
    moved = {"a": ["n3"], "b": ["n1", "n2"]}

    assert turn(late, early, free=1, pool_free=0, taken=1, moved=moved).granted


def test_a_repair_falls_under_the_pool_of_its_node_and_under_its_old_one_while_that_has_nodes() -> (
    None
):
    one = repair("n1", pool="a")
    both = scopes_of({"a": ["n2"], "b": ["n1"]})

    assert waiting.places(one, scopes_of({"a": ["n1"]})) == ("a",)
    assert waiting.places(one, both) == ("b", "a")
    assert waiting.places(one, both, ("c",)) == ("c", "a")
    assert waiting.places(one, scopes_of({"a": [], "b": ["n1"]})) == ("b",)
    assert waiting.places(one, scopes_of({"b": ["n1"]})) == ("b",)
    assert waiting.places(one, scopes_of({"b": []})) == ("a",)


def test_who_only_watches_or_works_is_not_in_the_queue() -> None:
    late = waits("n1", 60)
    watching = repair("n2", phase=Phase.WAITING, mode=Mode.OBSERVE, pool="a")
    working = repair("n3", phase=Phase.DRAINING, pool="a")

    assert turn(late, watching, working).granted


def test_without_a_free_slot_the_ledger_is_asked_for_the_reason() -> None:
    early, late = waits("n2", 0), waits("n1", 60)

    assert turn(late, early, free=0, pool_free=0).granted


def test_a_repair_that_was_just_made_is_in_the_queue_too() -> None:
    fresh = NodeRepair(
        metadata=Metadata(name="n1-repair"),
        spec=waits("n1", 0).spec,
        status=NodeRepairStatus(phase=Phase.CORDONED),
    )

    assert turn(fresh).granted


def test_the_queue_has_those_that_wait_with_the_next_one_first() -> None:
    late, early, working = (
        waits("late", 60),
        waits("early", 0),
        repair("w", phase=Phase.DRAINING),
    )

    assert waiting.queue((late, working, early)) == [early, late]


def test_a_slot_that_was_given_back_wakes_only_those_whose_pools_have_room() -> None:
    stuck, late, early = waits("n1", 0), waits("n2", 60, pool="b"), waits("n3", 30, pool="b")
    limit = Limit(cordoned=(9,), disrupted=(1,))
    pools = (Pool(name="a", labels={}, limit=limit), Pool(name="b", labels={}, limit=limit))
    scopes = scopes_of({"a": ["n1", "s"], "b": ["n2", "n3"]})
    taken = ledger(slots={"s": slot(1, name="s", pool="a")})

    woken = waiting.heirs((stuck, late, early), taken, scopes, Policy(pools=pools), NOON)

    assert woken == [early, late]


def test_who_waits_for_the_same_in_the_same_pool_is_counted_ahead() -> None:
    mine, later, elsewhere = waits("n3", 60), waits("n4", 90), waits("n5", 0, pool="b")
    cordoned = repair("n1", phase=Phase.CORDONED, created=at(0), pool="a")
    confirmed = repair("n2", created=at(0), pool="a")
    worse = waits("n6", 300, severity=Severity.WARNING)

    assert waiting.ahead(mine, (mine, later, elsewhere, cordoned, confirmed, worse), Scopes()) == 1
    assert waiting.ahead(worse, (mine, later, elsewhere, cordoned, confirmed, worse), Scopes()) == 3
    assert waiting.ahead(confirmed, (mine, cordoned, confirmed), Scopes()) == 0
