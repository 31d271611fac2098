"""Many measurements in a few numbers: medians, percentiles, and how far they lie apart."""

import statistics
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Figure: TypeAlias = "float | str | Sequence[Figure] | Mapping[str, Figure] | None"
Figures: TypeAlias = Mapping[str, Figure]

_DIGITS = 4


def spread(values: Sequence[float]) -> Figures:
    """Return the median of some rounds, and the least and the most of them."""
    return {
        "median": short(statistics.median(values)),
        "least": short(min(values)),
        "most": short(max(values)),
        "rounds": len(values),
    }


def latency(seconds: Sequence[float]) -> Figures:
    """Return the percentiles of waits, in milliseconds."""
    if not seconds:
        return {"count": 0}
    ordered = sorted(seconds)
    shares = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99, "longest_ms": 1.0}
    found = {name: short(1000 * _at(ordered, share)) for name, share in shares.items()}
    return {**found, "count": len(ordered)}


def ratio(ours: float, theirs: float) -> float | None:
    """Return how many times as much ours is; nothing where nothing was measured."""
    return short(ours / theirs) if theirs else None


def mebibytes(count: float) -> float:
    """Return a number of bytes in MiB."""
    return short(count / 2**20)


def short(value: float) -> float:
    """Leave out the digits that mean nothing."""
    return float(f"{value:.{_DIGITS}g}")


def _at(ordered: Sequence[float], share: float) -> float:
    """Return the value below which a share of all lies, by nearest rank."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
