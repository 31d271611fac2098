"""A web service repairs each machine once, under a slot, whoever dies while it does."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from tests.safety import sent, services, stage
from tests.safety.peril import Crash
from tests.safety.sent import stuck
from tests.safety.stage import Case
from tests.safety.test_races import BAD_LUCK
from tests.safety.test_sent import ONE, assert_well, told

MOST_WRITES: Final = 50
LADDER: Final = ("drain", "webhook: {name: sre, again: 5s}", "replace")
_STUCK: Final = sent.case(*LADDER, faults=[stuck("w-1")], plugins=False)

CASES: Final[Mapping[str, Case]] = {
    "it mends": replace(_STUCK, service=services.service("done", mends=True)),
    "it does not help": replace(_STUCK, service=services.service("done")),
    "it fails": replace(_STUCK, service=services.service("failed")),
}


@pytest.mark.parametrize("story", CASES)
def test_without_a_crash_each_story_ends_well(story: str) -> None:
    ending = stage.play(0, sick=ONE, case=CASES[story])

    assert_well(ending)
    assert ending.writes < MOST_WRITES
    assert ("the machine was replaced" in told(ending)) == (story != "it mends")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("tens", range(MOST_WRITES // 10))
def test_a_crash_at_any_write_is_made_good(tens: int, after: bool) -> None:  # noqa: FBT001 - pytest
    for write in range(tens * 10 + 1, tens * 10 + 11):
        crash = Crash(at_write=write, after=after)

        assert_well(stage.play(0, sick=ONE, case=CASES["it does not help"], crash=crash))


@pytest.mark.parametrize("seed", range(4))
def test_two_remediators_in_bad_luck_have_nothing_repaired_twice(seed: int) -> None:
    ending = stage.play(
        seed,
        replicas=2,
        sick=ONE,
        luck=BAD_LUCK,
        crash=Crash(at_write=5 + 7 * seed, after=seed % 2 == 0),
        lag=timedelta(seconds=seed),
        case=CASES["it mends"],
    )

    assert_well(ending)
