"""The program with one guard taken out each time: whoever watches over the promises must notice.

    python -m tests.safety.mutants                             each, and after how many seeds
    python -m tests.safety.mutants NAME --first 17 --seeds 1   one

Each is hunted in a process of its own, whose modules are cut before anything imports them.
"""

import argparse
import contextlib
import importlib
import io
import logging
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import pytest

from tests.safety.designs import OLD_DESIGNS
from tests.safety.guards import GUARDS
from tests.safety.mutating import Mutant, install
from tests.safety.rare import RARE

MOST_SEEDS: Final = 200
TALE: Final = "a tale"
"""By what it was seen, where a test told it."""
MUTANTS: Final[Mapping[str, Mutant]] = {each.name: each for each in (*OLD_DESIGNS, *GUARDS, *RARE)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Catch:
    """When a mutant was seen."""

    name: str
    tries: int
    """How many seeds were played."""
    seed: int = -1
    """The one that showed it; none did if it is negative."""
    promise: str = ""
    """What was broken; nothing if it was not seen."""
    says: str = ""


def hunt(name: str, *, first: int, seeds: int) -> Catch:
    """Play seeds, or the one tale, in a process of its own until the mutant shows."""
    words = [sys.executable, "-m", __name__ if __name__ != "__main__" else _NAME]
    asked = [name, "--first", str(first), "--seeds", str(seeds), "--here"]
    said = subprocess.run([*words, *asked], capture_output=True, text=True, check=False)
    lines = said.stdout.strip().splitlines()
    if not lines:
        raise RuntimeError(f"{name}: {said.stderr[-2000:]}")
    return msgspec.json.decode(lines[-1], type=Catch)


def _hunted(mutant: Mutant, first: int, seeds: int) -> Catch:
    """Play seeds in this process, which is cut already."""
    if mutant.tale:
        return _told(mutant)
    adversity = importlib.import_module("tests.safety.adversity")
    ordeal = importlib.import_module("tests.safety.ordeal")
    logging.disable(logging.WARNING)
    for seed in range(first, first + seeds):
        verdict = ordeal.play(adversity.draw(seed), until=mutant.breaks)
        for each in verdict.breaches:
            if each.promise in mutant.breaks:
                tries = seed - first + 1
                return Catch(
                    name=mutant.name, tries=tries, seed=seed, promise=each.promise, says=each.says
                )
    return Catch(name=mutant.name, tries=seeds)


def _told(mutant: Mutant) -> Catch:
    """Play its tale in this process, which is cut already: a test must fail, not be unplayable."""
    where, said = Path(__file__).parent / mutant.tale, io.StringIO()
    with contextlib.redirect_stdout(said):
        code = pytest.main([str(where), "-q", "-n0", "-p", "no:cacheprovider"])
    if code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        raise RuntimeError(f"{mutant.tale}: {said.getvalue()[-2000:]}")
    promise = TALE if code == pytest.ExitCode.TESTS_FAILED else ""
    return Catch(name=mutant.name, tries=1, promise=promise)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - that is what it is for


_NAME: Final = "tests.safety.mutants"


def main() -> int:
    """Hunt one mutant, or all of them."""
    parser = argparse.ArgumentParser(prog=f"python -m {_NAME}", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; all without any")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=MOST_SEEDS, help="how many at most")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    names: list[str] = given.names or list(MUTANTS)
    if given.here:
        mutant = MUTANTS[names[0]]
        install(mutant.cuts)
        caught = _hunted(mutant, given.first, given.seeds)
        _say(msgspec.json.encode(caught).decode())
        return 0
    _say("| mutant | what it lacks | seeds until seen | by | seed |\n|---|---|---|---|---|")
    missed = 0
    for name in names:
        caught = hunt(name, first=given.first, seeds=given.seeds)
        missed += not caught.promise
        after = str(caught.tries) if caught.promise else f"not in {caught.tries}"
        about = MUTANTS[name].about
        _say(f"| {name} | {about} | {after} | {caught.promise} | {caught.seed} |")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
