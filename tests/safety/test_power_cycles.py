"""Machines are switched off and on once for each claim, under a slot, whoever dies in between."""

from collections.abc import Iterable, Mapping
from typing import Final

import pytest

from nodehealth.repair import Phase
from tests.safety import sent, stage, trials
from tests.safety.peril import Crash
from tests.safety.sent import stuck
from tests.safety.stage import Case
from tests.safety.test_sent import assert_well, told
from tests.safety.trials import ONE

MOST_WRITES: Final = 50
_DEAD: Final[dict[str, object]] = {"kubelet-dead": {"at": "3s", "node": "w-1"}}
LADDER: Final = ("drain", "power-cycle: {patience: 4m}", "replace")


def case(*ladder: str, faults: list[dict[str, object]]) -> Case:
    """Return nodes whose GPUs nobody holds."""
    return sent.case(*ladder, faults=faults, plugins=False)


CASES: Final[Mapping[str, Case]] = {
    "it helps": case(*LADDER, faults=[stuck("w-1")]),
    "a dead node is off already": case(*LADDER, faults=[stuck("w-1"), _DEAD]),
    "the machine stays down": case(*LADDER, faults=[stuck("w-1"), sent.never_boots("w-1")]),
}
untroubled: Final = trials.untroubled(CASES)


@pytest.mark.parametrize("story", CASES)
def test_without_a_crash_each_story_ends_well(story: str) -> None:
    ending = untroubled(story)

    assert_well(ending)
    assert ending.writes < MOST_WRITES


def test_a_machine_that_boots_anew_is_verified_and_nothing_else_is_tried() -> None:
    ending = untroubled("it helps")

    assert "Verifying: the machine booted anew, and its node is Ready" in told(ending)
    assert "replaced" not in told(ending)


def test_a_machine_that_was_switched_off_to_be_safe_is_switched_on_again() -> None:
    ending = untroubled("a dead node is off already")

    assert "the machine is off" in told(ending)
    assert "Verifying: the machine booted anew, and its node is Ready" in told(ending)


def test_a_machine_that_comes_back_in_its_old_boot_is_not_believed() -> None:
    faults = [stuck("w-1"), sent.same_boot("w-1")]
    ending = stage.play(0, sick=ONE, case=case(*LADDER, faults=faults))

    assert_well(ending)
    assert "the machine did not boot anew within 4m" in told(ending)
    assert "the machine was replaced" in told(ending)


def test_a_machine_that_stays_down_keeps_its_slot() -> None:
    faults = [stuck("w-1"), sent.never_boots("w-1")]
    ending = stage.play(0, sick=ONE, case=case("drain", LADDER[1], faults=faults))

    assert ending.breaches == ()
    assert ending.phases() == {Phase.NEEDS_HUMAN}
    assert set(ending.ledger.status.slots) == {"w-1"}


def test_a_power_cycle_that_never_came_frees_the_slot_after_the_last_remedy_failed() -> None:
    faults = [stuck("w-1"), sent.same_boot("w-1")]
    ending = stage.play(0, sick=ONE, case=case("drain", LADDER[1], faults=faults))

    assert ending.breaches == ()
    assert ending.phases() == {Phase.NEEDS_HUMAN}
    assert ending.ledger.status.slots == {}


@trials.at_any_write(MOST_WRITES)
@pytest.mark.parametrize("story", list(CASES)[:2])
def test_a_crash_at_any_write_is_made_good(story: str, crashes: Iterable[Crash]) -> None:
    for crash in crashes:
        assert_well(stage.play(0, sick=ONE, case=CASES[story], crash=crash))


@pytest.mark.parametrize("seed", range(4))
def test_two_remediators_in_bad_luck_cycle_nothing_twice(seed: int) -> None:
    assert_well(trials.unlucky(seed, CASES["it helps"]))
