"""What every remedy is put through: no trouble at all, a death at any write, bad luck of two."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Final

import pytest

from tests.safety import stage
from tests.safety.peril import Crash, Luck
from tests.safety.stage import Case, Ending

ONE: Final = ("w-1",)
BAD_LUCK: Final = Luck(
    lost_before=0.02,
    lost_after=0.03,
    zombie=0.03,
    freeze=0.01,
    dawdle=timedelta(milliseconds=400),
)
_TEN: Final = 10


def untroubled(cases: Mapping[str, Case]) -> Callable[[str], Ending]:
    """Return what plays a story without any trouble, once for all who ask how it ended."""

    @cache
    def played(story: str) -> Ending:
        return stage.play(0, sick=ONE, case=cases[story])

    return played


@dataclass(frozen=True, slots=True, kw_only=True)
class Crashes(Iterable[Crash]):
    """Ten crashes in a row, made anew for whoever plays each before taking the next one.

    One that did not come to strike is the last: the story has no more writes.
    """

    first: int
    after: bool
    among: tuple[str, ...]

    def __iter__(self) -> Iterator[Crash]:
        """Make each of them."""
        for write in range(self.first, self.first + _TEN):
            crash = Crash(at_write=write, after=self.after, among=self.among)
            yield crash
            if crash.writes < write:
                return

    def __str__(self) -> str:
        """Name a test by them."""
        return f"{'after' if self.after else 'before'}-{self.first}"


def at_any_write(most: int, among: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    """Have a test play `crashes`, ten at a time, before and after each of so many writes."""
    tens = [
        Crashes(first=first, after=after, among=among)
        for after in (False, True)
        for first in range(1, most + 1, _TEN)
    ]
    return pytest.mark.parametrize("crashes", tens, ids=str)


def unlucky(seed: int, case: Case) -> Ending:
    """Play two remediators in bad luck, one of which dies besides."""
    return stage.play(
        seed,
        replicas=2,
        sick=ONE,
        luck=BAD_LUCK,
        crash=Crash(at_write=5 + 7 * seed, after=seed % 2 == 0),
        lag=timedelta(seconds=seed),
        case=case,
    )
