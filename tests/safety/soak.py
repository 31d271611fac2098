"""Many ordeals, on all cores: says how far it is, and how to play again the one that failed.

python -m tests.safety.soak --first 0 --seeds 10000
python -m tests.safety.soak --first 4711 --seeds 1     one of them, with what goes wrong in it
"""

import argparse
import gc
import logging
import os
import sys
from concurrent.futures import Future, ProcessPoolExecutor, wait
from datetime import timedelta
from itertools import islice
from time import monotonic
from typing import Final

from tests.safety import adversity, ordeal

_TELLS: Final = 10.0
"""After how many seconds it says how far it is."""
_COLLECTS: Final = 20
"""After how many seeds what they left is collected."""
_AHEAD: Final = 4
"""How many seeds for each core wait to be played."""


def play(seed: int) -> list[str]:
    """Play one seed, and say what failed."""
    logging.disable(logging.WARNING)
    if seed % _COLLECTS == 0:
        gc.collect()  # what was frozen while a cluster was there starts no collection itself
    return ordeal.play(adversity.draw(seed)).failings()


def soak(first: int, seeds: int, jobs: int) -> list[int]:
    """Play many seeds, and return those that failed."""
    began, told, done, failed = monotonic(), monotonic(), 0, list[int]()
    with ProcessPoolExecutor(jobs) as pool:
        ahead = iter(range(first, first + seeds))
        running = {pool.submit(play, seed): seed for seed in islice(ahead, jobs * _AHEAD)}
        while running:
            ended, _ = wait(running, timeout=_TELLS, return_when="FIRST_COMPLETED")
            failed += [seed for each in ended if not _is_well(seed := running.pop(each), each)]
            running |= {pool.submit(play, seed): seed for seed in islice(ahead, len(ended))}
            done += len(ended)
            if monotonic() - told > _TELLS or not running:
                told = monotonic()
                _say(f"{done} of {seeds} seeds in {_span(told - began)}, {len(failed)} failed")
    return sorted(failed)


def _is_well(seed: int, played: Future[list[str]]) -> bool:
    """Say how a seed ended, unless all is well."""
    raised = played.exception()
    failings = played.result() if raised is None else [f"{type(raised).__name__}: {raised}"]
    if failings:
        again = f"again: python -m {_NAME} --first {seed} --seeds 1"
        _say("\n    ".join([str(adversity.draw(seed)), *failings, again]))
    return not failings


def _span(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - that is what it is for


_NAME: Final = "tests.safety.soak"


def main() -> int:
    """Read how many, play them, and fail if one failed."""
    parser = argparse.ArgumentParser(prog=f"python -m {_NAME}", description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=10_000, help="how many")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="on how many cores")
    given = parser.parse_args()
    failed = soak(given.first, given.seeds, given.jobs)
    last = given.first + given.seeds - 1
    _say(f"seeds {given.first} to {last}: " + (f"failed: {failed}" if failed else "all is well"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
