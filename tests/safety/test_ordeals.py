"""Everything that can go wrong at once, drawn from a seed: no promise is broken, all ends well."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest

from tests.safety import adversity, ordeal

ROOT: Final = Path(__file__).parents[2]
DIGEST: Final = """
from tests.safety import adversity, ordeal
print(ordeal.play(adversity.draw(2)).digest)
"""
REPLAYED = (3, 5, 19, 24)
SHOWN: Final = (164, 890, 1588, 1771, 3828)
"""Those that showed what was wrong."""


def test_whatever_goes_wrong_every_promise_is_kept(seeds: Iterable[int]) -> None:
    for seed in seeds:
        drawn = adversity.draw(seed)

        assert ordeal.play(drawn).failings() == [], str(drawn)


@pytest.mark.parametrize("seed", SHOWN)
def test_what_a_seed_showed_is_mended(seed: int) -> None:
    assert ordeal.play(adversity.draw(seed)).failings() == []


@pytest.mark.parametrize("seed", REPLAYED)
def test_a_seed_replays_exactly(seed: int) -> None:
    first, second = (ordeal.play(adversity.draw(seed)) for _ in range(2))

    assert first.digest == second.digest


def test_a_seed_replays_exactly_in_another_process() -> None:
    """Sets are in another order there: no order may be taken from one."""

    def elsewhere(hashes: str) -> bytes:
        env = {**os.environ, "PYTHONHASHSEED": hashes}
        return subprocess.check_output([sys.executable, "-c", DIGEST], cwd=ROOT, env=env)

    assert elsewhere("1") == elsewhere("2")
