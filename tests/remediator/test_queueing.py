"""Who waits for time asks when its own has come, and who waits for others now and then."""

from dataclasses import replace
from datetime import datetime, timedelta

from msgspec import structs

from nodehealth.repair import NodeRepair, Phase
from remediator.decide.limits import Refused, Why
from remediator.decide.scopes import Scopes
from remediator.queueing import QUEUE_AGAIN, WAIT_AGAIN, Queueing
from tests.builders import NOON, at, repair

DRY = Refused(
    why=Why.CORDON_RATE,
    message="not yet",
    after=timedelta(seconds=4),
    every=timedelta(seconds=3),
)


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def told(refused: NodeRepair, why: Why) -> NodeRepair:
    return structs.replace(refused, status=structs.replace(refused.status, reason=why))


def crowd(count: int) -> list[NodeRepair]:
    return [repair(f"n{n:03}", created=at(n)) for n in range(count)]


def test_each_asks_again_when_a_token_comes_for_it() -> None:
    queueing, waiting = Queueing(Hand()), crowd(3)

    answers = [queueing.refused(DRY, each, waiting, Scopes()) for each in waiting]

    assert answers == [
        ("not yet", timedelta(seconds=4)),
        ("not yet, and 1 of its pool go before this one", timedelta(seconds=7)),
        ("not yet, and 2 of its pool go before this one", timedelta(seconds=10)),
    ]


def test_nobody_waits_for_longer_than_a_while_without_a_look() -> None:
    waiting = crowd(200)

    assert Queueing(Hand()).refused(DRY, waiting[-1], waiting, Scopes())[1] == QUEUE_AGAIN


def test_who_waits_for_others_asks_now_and_then() -> None:
    full = Refused(why=Why.CORDON_LIMIT, message="too many are out")
    queueing, [one] = Queueing(Hand()), crowd(1)

    assert queueing.refused(full, one, [one], Scopes()) == ("too many are out", WAIT_AGAIN)
    assert queueing.left(told(one, Why.CORDON_LIMIT)) == timedelta()


def test_until_its_time_has_come_a_repair_need_not_ask() -> None:
    hand = Hand()
    queueing, [one] = Queueing(hand), crowd(1)
    queueing.refused(DRY, one, [one], Scopes())
    waiting = told(one, Why.CORDON_RATE)
    hand.now = at(1)
    early = queueing.left(waiting)
    hand.now = at(4)

    assert early == timedelta(seconds=3)
    assert queueing.left(waiting) == timedelta()


def test_a_repair_that_waits_for_something_else_meanwhile_asks_at_once() -> None:
    queueing, [one] = Queueing(Hand()), crowd(1)
    queueing.refused(DRY, one, [one], Scopes())
    elsewhere = structs.replace(one.status, phase=Phase.WAITING, reason="EvidenceMissing")

    assert queueing.left(structs.replace(one, status=elsewhere)) == timedelta()


def test_under_other_rates_everybody_asks_anew() -> None:
    queueing, [one] = Queueing(Hand()), crowd(1)
    queueing.refused(DRY, one, [one], Scopes())

    queueing.clear()

    assert queueing.left(told(one, Why.CORDON_RATE)) == timedelta()


def test_what_has_ended_is_forgotten() -> None:
    queueing, [one] = Queueing(Hand()), crowd(1)
    queueing.refused(DRY, one, [one], Scopes())

    queueing.forget(one)

    assert queueing.left(told(one, Why.CORDON_RATE)) == timedelta()


def test_who_is_held_back_looks_again_when_that_ends_or_in_a_while() -> None:
    paused = Refused(why=Why.PAUSED, message="later")
    ends = [None, at(5), at(3600), at(-5)]

    answers = [
        Queueing(Hand()).refused(replace(paused, until=end), repair(), (), Scopes())[1]
        for end in ends
    ]

    assert answers == [WAIT_AGAIN, timedelta(seconds=5), WAIT_AGAIN, timedelta(seconds=1)]
