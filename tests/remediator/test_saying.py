"""Two who have different things to say of one repair do not answer each other without end."""

from datetime import timedelta

from msgspec import structs

from nodehealth.repair import NodeRepair, NodeRepairStatus, Phase
from remediator.decide.moves import Rest
from remediator.saying import Saying
from tests.builders import NOON, repair

WAITS = Rest(phase=Phase.WAITING, reason="NoSlot", message="waits for w-1")
NOTHING = timedelta()


def told(**status: object) -> NodeRepair:
    first = NodeRepairStatus(phase=Phase.WAITING, reason="NoSlot", message="waits for w-2")
    return repair(status=structs.replace(first, **status))


def test_what_is_new_is_said_at_once() -> None:
    assert Saying().left(told(), WAITS, NOON) == NOTHING


def test_other_words_for_the_same_have_to_wait() -> None:
    saying = Saying()
    saying.left(told(), WAITS, NOON)

    assert saying.left(told(), WAITS, NOON + timedelta(seconds=2)) == timedelta(seconds=3)
    assert saying.left(told(), WAITS, NOON + timedelta(seconds=5)) == NOTHING


def test_another_reason_waits_less_long() -> None:
    saying, other = Saying(), told(reason="EvidenceMissing")
    saying.left(other, WAITS, NOON)

    assert saying.left(other, WAITS, NOON) == timedelta(seconds=1)


def test_what_stands_there_already_is_neither_said_nor_waited_for() -> None:
    saying, same = Saying(), told(message="waits for w-1")
    saying.left(told(), WAITS, NOON)

    assert saying.left(same, WAITS, NOON) == NOTHING


def test_a_repair_that_is_forgotten_is_new() -> None:
    saying = Saying()
    saying.left(told(), WAITS, NOON)
    saying.forget(told())

    assert saying.left(told(), WAITS, NOON) == NOTHING
