"""How long a ladder may take is known before it is climbed."""

from datetime import timedelta

import pytest

from remediator.actions import longest
from remediator.decide.verifying import VERIFY_PATIENCE
from remediator.files import remedy

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("ladder", "proofs", "spent"),
    [
        ([("drain", "30m")], 1, 30),
        ([("drain", "30m"), ("replace", "10m")], 1, 40),
        ([("replace", "10m"), ("replace", "20m")], 2, 30),
        ([("replace", "10m"), ("drain", "5m")], 2, 15),
    ],
)
def test_every_rung_that_may_mend_is_followed_by_a_proof(
    ladder: list[tuple[str, str]], proofs: int, spent: int
) -> None:
    settings = {"drain": "deadline", "replace": "patience"}
    rungs = [remedy(name, {settings[name]: time}) for name, time in ladder]

    assert longest(rungs, 5 * MINUTE) == spent * MINUTE + proofs * (VERIFY_PATIENCE + 5 * MINUTE)
