"""A web service repairs each machine once, under a slot, whoever dies while it does."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

import pytest

from tests.safety import sent, services, stage, trials
from tests.safety.peril import Crash
from tests.safety.sent import stuck
from tests.safety.stage import Case
from tests.safety.test_sent import assert_well, told
from tests.safety.trials import ONE

MOST_WRITES: Final = 60
LADDER: Final = ("drain", "webhook: {name: sre, again: 5s}", "replace")
_STUCK: Final = sent.case(*LADDER, faults=[stuck("w-1")], plugins=False)

CASES: Final[Mapping[str, Case]] = {
    "it mends": replace(_STUCK, service=services.service("done", mends=True)),
    "it mends, and takes one machine for another": replace(
        _STUCK, service=services.service("done", mends=True, confused=True)
    ),
    "it does not help": replace(_STUCK, service=services.service("done")),
    "it fails": replace(_STUCK, service=services.service("failed")),
}
untroubled: Final = trials.untroubled(CASES)


@pytest.mark.parametrize("story", CASES)
def test_without_a_crash_each_story_ends_well(story: str) -> None:
    ending = untroubled(story)

    assert_well(ending)
    assert ending.writes < MOST_WRITES
    assert ("the machine was replaced" in told(ending)) == (not story.startswith("it mends"))


@trials.at_any_write(MOST_WRITES)
def test_a_crash_at_any_write_is_made_good(crashes: Iterable[Crash]) -> None:
    for crash in crashes:
        assert_well(stage.play(0, sick=ONE, case=CASES["it does not help"], crash=crash))


@pytest.mark.parametrize("seed", range(4))
def test_two_remediators_in_bad_luck_have_nothing_repaired_twice(seed: int) -> None:
    assert_well(trials.unlucky(seed, CASES["it mends"]))
