"""A driver that is exchanged is no fault; one that stays away is."""

from hypothesis import given
from hypothesis import strategies as st

from agent.host.nvml import life
from agent.host.nvml.facts import Driver
from agent.host.nvml.life import GRACE, NOT_LOADED, Life
from agent.host.nvml.ways import NO_PERMISSION

LATE = GRACE.total_seconds() + 1


def test_there_is_none_before_one_was_seen() -> None:
    assert life.standing(life.glanced(Life(), "", 0.0), LATE) == (Driver.ABSENT, 0)


def test_one_that_is_loaded_is_starting_until_nvml_is_open() -> None:
    seen = life.glanced(Life(), "570", 0.0)

    assert life.standing(seen, 1.0) == (Driver.STARTING, 0)
    assert life.standing(life.opened(seen), 1.0) == (Driver.UP, 0)


def test_one_that_went_away_is_starting_for_a_while_and_has_failed_then() -> None:
    away = life.glanced(life.opened(life.glanced(Life(), "570", 0.0)), "", 100.0)

    assert life.standing(away, 100.0 + LATE - 2) == (Driver.STARTING, NOT_LOADED)
    assert life.standing(away, 100.0 + LATE) == (Driver.FAILED, NOT_LOADED)


def test_being_loaded_in_vain_does_not_begin_the_grace_anew() -> None:
    away = life.glanced(life.opened(life.glanced(Life(), "570", 0.0)), "", 100.0)
    refused = life.refused(life.glanced(away, "580", 400.0), 18, 401.0)

    assert life.standing(refused, 100.0 + LATE) == (Driver.FAILED, 18)


def test_one_that_nobody_could_ask_is_not_known() -> None:
    seen = life.glanced(Life(), "570", 0.0)

    assert life.standing(seen, LATE) == (Driver.UNKNOWN, 0)


def test_one_that_we_may_not_open_has_not_failed_however_long() -> None:
    seen = life.glanced(Life(), "570", 0.0)
    barred = life.refused(seen, NO_PERMISSION, 1.0)

    assert life.standing(barred, 2.0) == life.standing(barred, LATE) == (Driver.BARRED, 0)
    assert life.standing(life.opened(barred), LATE) == (Driver.UP, 0)


def test_each_driver_that_is_loaded_has_its_own_number() -> None:
    first = life.opened(life.glanced(Life(), "570", 0.0))
    second = life.glanced(life.glanced(first, "", 1.0), "570", 2.0)

    assert second.number == first.number + 1
    assert life.refused(first, 999, 1.0).number == first.number + 1
    assert life.glanced(first, "570", 3.0) == first


@given(st.lists(st.sampled_from(["570", "580", ""]), max_size=20))
def test_however_a_driver_comes_and_goes_it_has_not_failed_while_it_came_back(
    seen: list[str],
) -> None:
    known = life.opened(life.glanced(Life(), "570", 0.0))
    for at, module in enumerate(seen):
        known = life.glanced(known, module, float(at))
        if module:
            known = life.opened(known)

    assert life.standing(known, len(seen) + 1.0)[0] in {Driver.UP, Driver.STARTING}
