"""Of the boot before, an agent tells what one was there to see, and nothing else."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from agent import lastboot, state
from agent.lastboot import LastBoot
from agent.state import State

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


def began(kept: State | None, boot_id: str, *, node_uid: str = "u", kept_at: float = 9) -> State:
    return state.begin(
        kept,
        boot_id=boot_id,
        node_uid=node_uid,
        probes=["boots", "memory"],
        now=NOON,
        kept_at=minutes(kept_at),
    )


def remembered(known: State) -> LastBoot | None:
    return lastboot.remembered(state.past(known, "boots"))


def test_an_agent_that_was_not_told_to_end_leaves_when_it_was_alive() -> None:
    after = began(began(None, "b1"), "b2", kept_at=7)

    assert remembered(after) == LastBoot(boot_id="b1", alive_at=minutes(7))


def test_an_agent_that_was_told_to_end_leaves_that_too() -> None:
    after = began(state.ended(began(None, "b1"), minutes(6)), "b2", kept_at=7)

    assert remembered(after) == LastBoot(boot_id="b1", alive_at=minutes(7), ended_at=minutes(6))


def test_a_restart_in_the_same_boot_is_no_end_and_keeps_what_is_known_of_the_last() -> None:
    second = began(state.ended(began(None, "b1"), minutes(6)), "b2")
    again = began(state.ended(second, minutes(20)), "b2")

    assert remembered(again) == remembered(second)
    assert again.ended_at is None


def test_each_boot_is_told_of_the_one_before_it() -> None:
    third = began(began(began(None, "b1"), "b2"), "b3")

    assert remembered(third) == LastBoot(boot_id="b2", alive_at=minutes(9))


def test_another_node_had_another_machine() -> None:
    assert remembered(began(began(None, "b1"), "b2", node_uid="other")) is None


def test_of_an_earlier_version_that_did_not_say_when_it_ended_only_the_boot_is_known() -> None:
    earlier = msgspec.structs.replace(began(None, "b1"), began_at=None)

    last = remembered(began(earlier, "b2", kept_at=-1))

    assert last is not None
    assert (last.boot_id, last.was_orderly(NOON)) == ("b1", None)


@pytest.mark.parametrize(
    ("alive", "ended", "orderly"),
    [
        (-1, None, False),
        (-20, None, False),
        (-21, None, None),  # the agent may have died before a shutdown
        (1, None, None),  # a clock was set
        (-1, -2, True),
        (-58, -60, True),
        (-60, -61, None),  # or another agent never came
        (3, 2, None),
    ],
)
def test_how_a_boot_ended_is_only_said_of_what_was_seen(
    alive: float, ended: float | None, *, orderly: bool | None
) -> None:
    last = LastBoot(
        boot_id="b1",
        alive_at=minutes(alive),
        ended_at=None if ended is None else minutes(ended),
    )

    assert last.was_orderly(NOON) is orderly
