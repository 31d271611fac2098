"""Whoever dies while people are told: each incident is told once, and so is its end."""

from collections.abc import Iterable

import pytest

from tests.safety import stage
from tests.safety.people import URL, People
from tests.safety.peril import Crash
from tests.safety.stage import SICK
from tests.safety.test_crashes import assert_all_is_well
from tests.safety.trials import BAD_LUCK

TELLING = ("/configmaps", URL)
MOST_DEEDS = 20


def assert_all_was_told(people: People) -> None:
    assert list(people.told().values()) == [["firing", "resolved"]] * len(SICK)


def test_without_a_crash_nothing_is_said_twice() -> None:
    people, counted = People(), Crash(at_write=0, after=False, among=TELLING)
    assert_all_is_well(stage.play(0, crash=counted, people=people))

    assert_all_was_told(people)
    assert len(people.heard) == 2 * len(SICK)
    assert counted.writes < MOST_DEEDS


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("deed", range(1, MOST_DEEDS + 1))
def test_a_crash_at_any_deed_of_telling_is_made_good(deed: int, after: bool) -> None:  # noqa: FBT001 - pytest
    people = People()
    ending = stage.play(0, crash=Crash(at_write=deed, after=after, among=TELLING), people=people)

    assert_all_is_well(ending)
    assert_all_was_told(people)
    assert len(people.heard) <= 2 * len(SICK) + 3


def test_two_remediators_in_bad_luck_tell_everything_once(seeds: Iterable[int]) -> None:
    for seed in list(seeds)[::10]:
        people = People()
        crash = Crash(at_write=1 + seed % MOST_DEEDS, after=seed % 3 == 0, among=TELLING)
        ending = stage.play(seed, replicas=2, luck=BAD_LUCK, crash=crash, people=people)

        assert_all_is_well(ending)
        assert {tuple(states) for states in people.told().values()} == {("firing", "resolved")}
