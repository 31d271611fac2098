"""Two remediators at once, lost requests, lost answers, late watches: the limit holds."""

import os
from datetime import timedelta

import pytest

from tests.safety import stage
from tests.safety.peril import Crash, Luck
from tests.safety.test_crashes import assert_all_is_well

SEEDS = int(os.environ.get("NODEMEND_SEEDS", "500"))
BATCH = 10
BAD_LUCK = Luck(lost_before=0.03, lost_after=0.05, dawdle=timedelta(milliseconds=400))


@pytest.mark.parametrize("batch", range(SEEDS // BATCH))
def test_two_remediators_in_bad_luck_keep_the_limit_and_finish(batch: int) -> None:
    for seed in range(batch * BATCH, batch * BATCH + BATCH):
        ending = stage.play(
            seed,
            replicas=2,
            limit=1 + seed % 2,
            luck=BAD_LUCK,
            crash=Crash(at_write=5 + seed % 60, after=seed % 3 == 0),
            lag=timedelta(seconds=seed % 7),
        )

        assert_all_is_well(ending)
