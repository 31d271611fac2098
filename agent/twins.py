"""One thing that is told in two ways, counted once: the larger of the two counts is the truth.

Whichever way tells first is believed at once. What the other way tells of the same within a few
seconds is its twin, and is not counted again. What has no twin yet is kept, restarts of the agent
included, so that neither a crash nor a log that is read anew finds it a second time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import msgspec

from agent.readings import Occurrence
from nodehealth.kube.objects import Struct

WITHIN: Final = timedelta(seconds=5)
"""How far apart the two may be told."""
MOST: Final = 256
"""How much may wait for its twin; of more, what waits longest is forgotten."""


class Single(Struct, frozen=True, kw_only=True):
    """What was told one way in one second, and not yet the other way."""

    same: str
    via: str
    second: int
    """Since 1970."""
    count: int


def fold(
    singles: Sequence[Single], news: Iterable[Occurrence]
) -> tuple[tuple[Single, ...], tuple[Occurrence, ...]]:
    """Return what still has no twin, and what is to be counted of the news."""
    waiting: dict[str, list[Single]] = {}
    for each in singles:
        waiting.setdefault(each.same, []).append(each)
    counted = list[Occurrence]()
    for told in sorted(news, key=_numbered_first):
        new = told.count
        if told.same:
            kept, new = _met(waiting.get(told.same, []), told)
            waiting[told.same] = kept
        if new:
            counted.append(told if new == told.count else replace(told, count=new))
    everything = sorted((each for kept in waiting.values() for each in kept), key=_second)
    return tuple(everything[-MOST:]), tuple(counted)


def _numbered_first(told: Occurrence) -> tuple[bool, datetime]:
    """Believe the log before what else tells the same: it says more."""
    return not told.source, told.at


def _met(kept: Sequence[Single], told: Occurrence) -> tuple[list[Single], int]:
    """Pair what was told with what waits for it, the oldest first; return how much is new."""
    second, new, left = _since_1970(told.at), told.count, list[Single]()
    for each in kept:
        pairs = min(each.count, new) if each.via != told.via and _is_near(each, second) else 0
        new -= pairs
        if each.count > pairs and second - each.second <= 2 * _SPAN:
            left.append(msgspec.structs.replace(each, count=each.count - pairs))
    return (_joined(left, told, second, new) if new else left), new


def _joined(kept: list[Single], told: Occurrence, second: int, new: int) -> list[Single]:
    """Let what is new wait for its twin, together with what was told in the same second."""
    for index, each in enumerate(kept):
        if (each.via, each.second) == (told.via, second):
            kept[index] = msgspec.structs.replace(each, count=each.count + new)
            return kept
    return [*kept, Single(same=told.same, via=told.via, second=second, count=new)]


def _is_near(single: Single, second: int) -> bool:
    return abs(single.second - second) <= _SPAN


def _second(single: Single) -> int:
    return single.second


def _since_1970(at: datetime) -> int:
    return int(at.timestamp())


_SPAN: Final = round(WITHIN.total_seconds())
