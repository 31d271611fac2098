"""Two remediators at once, lost requests, lost answers, late watches: the limit holds."""

from collections.abc import Iterable
from datetime import timedelta

from nodehealth import keys
from tests.safety import stage
from tests.safety.peril import Crash
from tests.safety.stage import Case
from tests.safety.test_crashes import assert_all_is_well
from tests.safety.trials import BAD_LUCK


def test_two_remediators_in_bad_luck_keep_the_limit_and_finish(seeds: Iterable[int]) -> None:
    for seed in tuple(seeds)[::5]:
        ending = stage.play(
            seed,
            replicas=2,
            limit=1 + seed % 2,
            luck=BAD_LUCK,
            crash=Crash(at_write=5 + seed % 60, after=seed % 3 == 0),
            lag=timedelta(seconds=seed % 7),
        )

        assert_all_is_well(ending)


def test_two_remediators_in_bad_luck_keep_the_limit_of_each_zone(seeds: Iterable[int]) -> None:
    zones = Case(zones=("a", "b"), domains={keys.ZONE_LABEL: 1})
    for seed in tuple(seeds)[::10]:
        ending = stage.play(
            seed,
            replicas=2,
            limit=3,
            luck=BAD_LUCK,
            crash=Crash(at_write=5 + seed % 60, after=seed % 3 == 0),
            lag=timedelta(seconds=seed % 7),
            case=zones,
        )

        assert_all_is_well(ending)


def test_two_remediators_in_bad_luck_force_nothing_on_a_machine_that_is_on(
    seeds: Iterable[int],
) -> None:
    for seed in tuple(seeds)[::10]:
        ending = stage.play(
            seed,
            replicas=2,
            luck=BAD_LUCK,
            crash=Crash(at_write=5 + seed % 50, after=seed % 3 == 0),
            lag=timedelta(seconds=seed % 7),
            sick=("w-1", "w-2"),
            dead=True,
        )

        assert_all_is_well(ending, ("w-1", "w-2"))
