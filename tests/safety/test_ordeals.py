"""Everything that can go wrong at once, drawn from a seed: no promise is broken, all ends well."""

from collections.abc import Iterable

import pytest

from tests.safety import adversity, ordeal

REPLAYED = (3, 5, 19, 24)


def test_whatever_goes_wrong_every_promise_is_kept(seeds: Iterable[int]) -> None:
    for seed in seeds:
        drawn = adversity.draw(seed)

        assert ordeal.play(drawn).failings() == [], str(drawn)


@pytest.mark.parametrize("seed", REPLAYED)
def test_a_seed_replays_exactly(seed: int) -> None:
    first, second = (ordeal.play(adversity.draw(seed)) for _ in range(2))

    assert first.digest == second.digest
