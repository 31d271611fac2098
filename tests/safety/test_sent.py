"""Programs are sent to nodes once for each step, under a slot, whoever dies in between."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from nodehealth import keys
from nodehealth.repair import Phase
from tests.safety import sent, stage, trials
from tests.safety.peril import Crash
from tests.safety.sent import stuck, trouble
from tests.safety.stage import Case, Ending
from tests.safety.test_crashes import assert_nothing_is_left
from tests.safety.trials import BAD_LUCK, ONE

MOST_WRITES: Final = 60
EVERY: Final = 20
"""Of how many seeds one is played: three nodes with all their programs take a second."""
FULL: Final = ("drain", "reset-gpu", "reboot", "replace")
SHORT: Final = ("drain", "reboot: {patience: 2m}", "replace")
CASES: Final[Mapping[str, Case]] = {
    "a reset fails, a reboot is refused, a replacement helps": sent.case(
        *FULL,
        faults=[
            stuck("w-1"),
            trouble("w-1", "reset-gpu", "fail"),
            trouble("w-1", "reboot", "refuse"),
        ],
    ),
    "a reset is refused and a reboot helps": sent.case(
        *FULL, faults=[stuck("w-1"), trouble("w-1", "reset-gpu", "refuse")]
    ),
    "a service is restarted where it stands": sent.case(
        "restart-service: {service: containerd}",
        faults=[{"gpu-stuck": {"at": "2s", "node": "w-1", "mended-by": ["restart-service"]}}],
        plugins=False,
    ),
    "a machine does not come back and is replaced": sent.case(
        *SHORT,
        faults=[stuck("w-1"), sent.never_boots("w-1")],
        plugins=False,
    ),
}
untroubled: Final = trials.untroubled(CASES)
EVERYWHERE: Final = sent.case(
    *FULL,
    faults=[
        stuck("w-1"),
        stuck("w-2", at="3s"),
        trouble("w-2", "reset-gpu", "fail"),
        stuck("w-3", at="4s"),
        trouble("w-3", "reset-gpu", "refuse"),
        trouble("w-3", "reboot", "fail"),
    ],
)


def assert_well(ending: Ending, sick: tuple[str, ...] = ONE) -> None:
    """A node that is mended as it is may be taken for sick a moment longer, by a late watch."""
    mended = [each for each in ending.repairs if each.status.reason != "FaultGone"]
    assert sorted(repair.spec.target.node for repair in mended) == list(sick)
    assert_nothing_is_left(ending)
    assert not any(keys.GPU_CLIENTS_ANNOTATION in n.metadata.annotations for n in ending.nodes)
    assert not any(keys.GPU_CLIENTS_LABEL in node.metadata.labels for node in ending.nodes)


def told(ending: Ending) -> str:
    (repair,) = ending.repairs
    return "\n".join(line.text for line in repair.status.log)


def test_a_reset_that_helps_ends_the_ladder() -> None:
    ending = stage.play(0, sick=ONE, case=sent.case(*FULL, faults=[stuck("w-1")]))

    assert_well(ending)
    assert "Verifying: reset-gpu is done" in told(ending)
    assert "boot" not in told(ending)


def test_what_a_reset_came_to_is_in_the_log_and_the_ladder_goes_on_above() -> None:
    ending = untroubled("a reset is refused and a reboot helps")

    assert_well(ending)
    assert "reset-gpu refused: as the scenario wants it" in told(ending)
    assert "the machine booted anew, and its node is Ready" in told(ending)


def test_a_machine_that_does_not_come_back_in_time_is_replaced() -> None:
    ending = untroubled("a machine does not come back and is replaced")

    assert_well(ending)
    assert "the machine was replaced" in told(ending)


@pytest.mark.parametrize(
    ("does", "says"),
    [("hang", "DeadlineExceeded"), ("no-image", "ImagePullBackOff")],
)
def test_a_program_that_does_not_end_or_begin_is_given_up(does: str, says: str) -> None:
    faults = [stuck("w-1"), trouble("w-1", "reset-gpu", does)]
    ending = stage.play(0, sick=ONE, case=sent.case(*FULL, faults=faults))

    assert_well(ending)
    assert says in told(ending)
    assert "the machine booted anew" in told(ending)


def test_who_does_not_give_way_to_the_label_keeps_gpus_from_being_reset() -> None:
    case = sent.case(*FULL, faults=[stuck("w-1")], stubborn=True)
    ending = stage.play(0, sick=ONE, case=case)

    assert_well(ending)
    assert "did not give way to nodemend.dev/gpu-clients: paused within 3m" in told(ending)


def test_a_reboot_that_was_refused_frees_the_slot_for_others() -> None:
    case = sent.case("drain", "reboot", faults=[stuck("w-1"), trouble("w-1", "reboot", "refuse")])
    ending = stage.play(0, sick=ONE, case=case)

    assert ending.breaches == ()
    assert ending.phases() == {Phase.NEEDS_HUMAN}
    assert ending.ledger.status.slots == {}


def test_a_machine_that_went_down_and_stays_down_keeps_its_slot() -> None:
    faults = [stuck("w-1"), sent.never_boots("w-1")]
    case = sent.case("drain", "reboot: {patience: 2m}", faults=faults)
    ending = stage.play(0, sick=ONE, case=case)

    assert ending.breaches == ()
    assert ending.phases() == {Phase.NEEDS_HUMAN}
    assert set(ending.ledger.status.slots) == {"w-1"}


def test_a_machine_that_went_down_keeps_its_slot_though_a_later_remedy_came_to_nothing() -> None:
    faults = [stuck("w-1"), sent.never_boots("w-1")]
    ending = stage.play(0, sick=ONE, case=sent.case(*SHORT, faults=faults, owned=False))

    assert ending.breaches == ()
    assert ending.phases() == {Phase.NEEDS_HUMAN}
    assert set(ending.ledger.status.slots) == {"w-1"}


def test_a_reboot_that_never_came_frees_the_slot_after_the_last_remedy_failed() -> None:
    faults = [stuck("w-1"), trouble("w-1", "reboot", "fail")]
    ending = stage.play(0, sick=ONE, case=sent.case(*SHORT, faults=faults, owned=False))

    assert ending.breaches == ()
    assert ending.phases() == {Phase.NEEDS_HUMAN}
    assert ending.ledger.status.slots == {}


@pytest.mark.parametrize("story", CASES)
def test_without_a_crash_each_story_ends_well(story: str) -> None:
    ending = untroubled(story)

    assert_well(ending)
    assert ending.writes < MOST_WRITES


@trials.at_any_write(MOST_WRITES)
@pytest.mark.parametrize("story", CASES)
def test_a_crash_at_any_write_is_made_good(story: str, crashes: Iterable[Crash]) -> None:
    for crash in crashes:
        assert_well(stage.play(0, sick=ONE, case=CASES[story], crash=crash))


@pytest.mark.parametrize("meddled", [False, True], ids=["left alone", "meddled with"])
def test_two_remediators_in_bad_luck_send_nobody_twice(
    seeds: Iterable[int],
    meddled: bool,  # noqa: FBT001 - pytest
) -> None:
    for seed in (each for each in seeds if each % (2 * EVERY) == EVERY * meddled):
        ending = stage.play(
            seed,
            replicas=2,
            limit=1 + seed // EVERY % 2,
            luck=BAD_LUCK,
            crash=Crash(at_write=5 + seed % 90, after=seed % 3 == 0),
            lag=timedelta(seconds=seed % 7),
            case=replace(EVERYWHERE, meddler=sent.meddler if meddled else None),
        )

        assert_well(ending, stage.SICK)
