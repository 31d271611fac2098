"""How a counter becomes a rate or an event: by what it grew since it was read last in this boot."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from agent.readings import Counter, Occurrence, Reading, ReadingError
from nodehealth.kube.objects import Struct
from nodehealth.signals import Kind, Signal


class Sample(Struct, frozen=True, kw_only=True):
    """A counter as it stood."""

    name: str
    subject: str
    total: int
    uptime: float


def samples(told: Iterable[Counter]) -> tuple[Sample, ...]:
    """Return what must be known when the counters are read next."""
    return tuple(
        Sample(name=each.name, subject=each.subject, total=each.total, uptime=each.uptime)
        for each in told
    )


def fold(
    before: Iterable[Sample], told: Sequence[Counter], signals: Mapping[str, Signal], now: datetime
) -> list[Reading | Occurrence]:
    """Say how fast counters grew, or how often something happened.

    A counter that is read for the first time says nothing: what it counted is older than we know.

    Raises:
        ReadingError: a counter is told twice, and would be counted twice.
    """
    if len({(each.name, each.subject) for each in told}) < len(told):
        raise ReadingError("expected one total a counter, got one of them twice")
    known = {(each.name, each.subject): each for each in before}
    found: list[Reading | Occurrence] = []
    for each in told:
        was = known.get((each.name, each.subject))
        if was is None:
            continue
        if signals[each.name].kind is Kind.EVENT:
            found += _occurrences(was, each, now)
        elif each.uptime > was.uptime:
            found.append(_rate(was, each))
    return found


def growth(was: Sample, now: Counter) -> int:
    """Return by how much it grew at least.

    One that fell began anew, or ran over; what happened in between is not known and not made up.
    """
    return max(0, now.total - was.total)


def _rate(was: Sample, now: Counter) -> Reading:
    rate = growth(was, now) * now.scale / (now.uptime - was.uptime)
    return Reading(name=now.name, subject=now.subject, fields=now.fields, value=rate)


def _occurrences(was: Sample, now: Counter, at: datetime) -> list[Occurrence]:
    count = growth(was, now)
    if not count:
        return []
    return [Occurrence(name=now.name, subject=now.subject, fields=now.fields, count=count, at=at)]
