"""Every breaker: what is stopped, and how far the others are from that."""

from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec import structs
from rich.console import Console

from nodehealth.ledger import Breaker, BreakerState, Change, Handling, RepairLedger
from nodehealth.repair import Mode
from nodemend.looking import breakers, breakerscreen
from nodemend.looking.breakers import Breakers, Row
from remediator.decide.trips import Crowd
from remediator.rules.breaking import Breaking
from tests.builders import NOON, at, ledger, node, question, repair, rule
from tests.nodemend.looking.sights import book, sight

BOOK = book(rule(question(lasts=0)))
TEN = tuple(node(f"n{n}", ready=n > 3) for n in range(1, 11))
"""Ten nodes, of which three are out."""


def knowing(**listed: Breaker) -> RepairLedger:
    """Make a ledger that knows breakers of the pool, by their kinds."""
    known = ledger()
    status = structs.replace(
        known.status,
        breakers={f"{kind.replace('_', '-')}/fleet": each for kind, each in listed.items()},
        changes={"driver/580.1": Change(at=at(-60))},
    )
    return structs.replace(known, status=status)


def breaker(state: BreakerState = BreakerState.OPEN, **more: object) -> Breaker:
    return Breaker(state=state, since=NOON, opened_at=NOON, reason="too much", **more)  # type: ignore[arg-type]  # its own fields


def row(found: Breakers, key: str) -> Row:
    return next(each for each in found.breakers if each.breaker == key)


def drawn(found: Breakers, *, everything: bool = False) -> list[str]:
    console = Console(width=100, color_system=None)
    with console.capture() as paper:
        console.print(breakerscreen.drawn(found, everything=everything))
    return [each.rstrip() for each in paper.get().splitlines()]


def test_what_is_closed_is_shown_with_its_measure_and_from_where_on_it_opens() -> None:
    found = breakers.summary(sight(*TEN), BOOK, Crowd(all=9, amiss=2))

    pool, pods = row(found, "unhealthy-pool/fleet"), row(found, "pending-pods/cluster")
    assert (pool.state, pool.seen, pool.opens_at, pool.of) == ("Closed", 3, 4, 10)
    assert (pods.seen, pods.opens_at, pods.of) == (2, 10, 9)
    assert "unhealthy-pool/fleet  closed  3    4 of 10" in drawn(found)
    assert "No breaker stops anything." in drawn(found)


def test_what_is_closed_and_has_seen_enough_would_open() -> None:
    found = breakers.summary(sight(*TEN), BOOK, Crowd(all=20, amiss=20))

    pods = row(found, "pending-pods/cluster")
    assert pods.seen is not None
    assert pods.opens_at is not None
    assert pods.seen >= pods.opens_at
    assert any("pending-pods/cluster" in each and "would open" in each for each in drawn(found))
    assert not any("unhealthy-pool" in each and "would open" in each for each in drawn(found))


def test_nodes_that_a_pool_lacks_are_amiss() -> None:
    pools = tuple(replace(each, desired=12) for each in BOOK.policy.pools)
    wanting = replace(BOOK, policy=replace(BOOK.policy, pools=pools))

    pool = row(breakers.summary(sight(*TEN), wanting, Crowd()), "unhealthy-pool/fleet")

    assert (pool.seen, pool.of) == (5, 12)


def test_what_is_measured_elsewhere_is_not_guessed() -> None:
    found = breakers.summary(sight(*TEN), BOOK, None)

    assert row(found, "api-errors/cluster").seen is None
    assert row(found, "pending-pods/cluster").seen is None
    assert "api-errors/cluster    closed  ?    ?" in drawn(found)


def test_what_is_nearest_to_opening_comes_first_and_what_measures_nothing_when_asked_for() -> None:
    found = breakers.summary(sight(*TEN), BOOK, Crowd())

    assert [each.breaker for each in found.breakers[:2]] == [
        "unhealthy-pool/fleet",
        "silent-nodes/cluster",
    ]
    assert not any("burst/fleet" in each for each in drawn(found))
    assert any("measure nothing (all of them with --all)" in each for each in drawn(found))
    assert any("burst/fleet" in each for each in drawn(found, everything=True))


def test_what_is_open_says_what_it_stops_and_when_one_node_is_tried() -> None:
    known = knowing(
        unhealthy_pool=breaker(BreakerState.HALF_OPEN, probing="n2"),
        burst=breaker(),
        unmended=breaker(well_since=at(30)),
    )

    found = breakers.summary(sight(*TEN, known=known), BOOK, Crowd())

    assert {each.breaker for each in found.breakers[:3]} == set(known.status.breakers)
    burst, pool = row(found, "burst/fleet"), row(found, "unhealthy-pool/fleet")
    assert (burst.state, burst.since, burst.tried_at) == ("Open", NOON, at(900))
    assert (pool.state, pool.tried, pool.tried_at) == ("HalfOpen", "n2", None)
    assert row(found, "unmended/fleet").closes_at == at(30) + timedelta(minutes=2)
    assert any(each.startswith("! The breaker burst/fleet is open since") for each in drawn(found))


def test_what_a_person_said_is_shown_though_nothing_is_amiss() -> None:
    known = ledger()
    spec = structs.replace(known.spec, breakers={"burst/fleet": Handling.IGNORE})

    found = breakers.summary(sight(known=structs.replace(known, spec=spec)), BOOK, Crowd())

    assert row(found, "burst/fleet").person is Handling.IGNORE
    assert any(each.startswith("burst/fleet") and "Ignore" in each for each in drawn(found))


def test_what_is_new_and_what_never_opens_is_told() -> None:
    policy = replace(BOOK.policy, breaking=Breaking(burst=None, api_errors=""), mode=Mode.OBSERVE)

    found = breakers.summary(sight(*TEN, known=knowing()), replace(BOOK, policy=policy), Crowd())

    said = drawn(found)
    assert found.never == ("burst", "api-errors")
    assert "The policy never opens burst, api-errors." in said
    assert "New is driver 580.1: it was first seen at 2026-01-01 11:59:00." in said
    assert f"The mode is {Mode.OBSERVE}: nothing is disrupted anyway." in said


def test_a_pool_that_is_too_small_never_opens_one() -> None:
    found = breakers.summary(sight(node(ready=False)), BOOK, Crowd())

    assert "unhealthy-pool/fleet  closed  1    never, of 1" in drawn(found)


@pytest.mark.parametrize("rows", [1, 2])
def test_a_rule_that_newly_holds_is_measured(rows: int) -> None:
    known = knowing()
    new = tuple(
        structs.replace(each, spec=structs.replace(each.spec, rules_digest="d"))
        for each in (repair(f"n{n}", created=NOON) for n in range(1, rows + 1))
    )
    changes = {"rules/d": Change(at=NOON)}
    known = structs.replace(known, status=structs.replace(known.status, changes=changes))

    found = breakers.summary(sight(*TEN, repairs=new, known=known), BOOK, Crowd())

    after = [each for each in found.breakers if each.breaker.startswith("after-change/")]
    assert [(each.seen, each.opens_at) for each in after] == [(rows, 3)]
