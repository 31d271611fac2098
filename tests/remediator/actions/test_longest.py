"""How long a ladder may take is known before it is climbed."""

from datetime import timedelta

import pytest

from remediator.actions import longest
from remediator.decide.fencing import CLEAR_PATIENCE, PROOF_PATIENCE, RETURN_PATIENCE
from remediator.decide.rungs import FENCING_ROUNDS
from remediator.decide.verifying import VERIFY_PATIENCE
from remediator.files import remedy

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("ladder", "proofs", "spent"),
    [
        ([("drain", "30m")], 1, 30 + 3),
        ([("replace", "10m"), ("replace", "20m")], 2, 30),
        ([("replace", "10m"), ("drain", "5m")], 2, 15 + 3),
    ],
)
def test_every_rung_that_may_mend_is_followed_by_a_proof(
    ladder: list[tuple[str, str]], proofs: int, spent: int
) -> None:
    settings = {"drain": "deadline", "replace": "patience"}
    rungs = [remedy(name, {settings[name]: time}) for name, time in ladder]

    assert longest(rungs, 5 * MINUTE) == spent * MINUTE + proofs * (VERIFY_PATIENCE + 5 * MINUTE)


def test_a_drain_may_begin_anew_and_its_machine_be_proven_off_before_what_follows() -> None:
    rungs = [remedy("drain", {"deadline": "30m"}), remedy("replace", {"patience": "10m"})]

    once = 30 * MINUTE + RETURN_PATIENCE
    drained = FENCING_ROUNDS * (once + PROOF_PATIENCE) + CLEAR_PATIENCE
    assert longest(rungs, 5 * MINUTE) == drained + 10 * MINUTE + VERIFY_PATIENCE + 5 * MINUTE


def test_a_long_drain_of_a_kubelet_that_comes_and_goes_takes_longer_than_all_that_follows() -> None:
    rungs = [remedy("drain", {"deadline": "4h"}), remedy("replace", {"patience": "10m"})]

    once = 240 * MINUTE + RETURN_PATIENCE
    given_up = (FENCING_ROUNDS + 1) * once + FENCING_ROUNDS * PROOF_PATIENCE
    assert longest(rungs, 5 * MINUTE) == given_up
