"""Durations, sizes and shares as people write them in YAML."""

import re
from datetime import timedelta
from typing import Final

_LONGEST: Final = timedelta(days=36_500)
"""Whatever is longer could not be added to a moment, and nobody means it."""
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SIZES: Final = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_SIZE: Final = re.compile(r"(\d+)(Ki|Mi|Gi|Ti)?")
_AMOUNT: Final = re.compile(
    r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE]|[KMGTPE]i)?|[eE]([+-]?\d{1,2}))"
)
_SCALES: Final = {
    **{unit: 1000.0**power for power, unit in enumerate("num", start=-3)},
    "": 1.0,
    **{unit: 1000.0**power for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": 1024.0**power for power, unit in enumerate("KMGTPE", start=1)},
}
_RATE: Final = re.compile(r"(\d+)/(\d*)(s|m|h|d)")
_PERCENT: Final = re.compile(r"(\d+(?:\.\d+)?)%")


def duration(text: str) -> timedelta:
    """Read a duration such as `90s`, `1h30m` or `500ms`.

    Raises:
        ValueError: the text is not a sequence of numbers with a unit each, or is over a century.
    """
    parts = list(_PART.finditer(text))
    if not parts or "".join(part.group() for part in parts) != text:
        raise ValueError(f"expected a duration such as 90s, 5m or 1h30m, got {text!r}")
    return _span(sum(float(part[1]) * _UNITS[part[2]] for part in parts), text)


def spoken(span: timedelta) -> str:
    """Write a duration for people: the two largest units that are not zero, as in `1h30m`."""
    left = span.total_seconds()
    sign, left = ("-", -left) if left < 0 else ("", left)
    if left < 1:
        return f"{sign}{round(left * 1000)}ms" if left else "0s"
    left, parts = round(left), []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, int(_UNITS[unit]))
        if count:
            parts.append(f"{count}{unit}")
    return sign + "".join(parts[:2])


def size(text: str) -> int:
    """Read a size in bytes such as `512`, `64Mi` or `2Gi`.

    Raises:
        ValueError: the text is not a whole number with an optional binary unit.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"expected a size such as 512, 64Mi or 2Gi, got {text!r}")
    return int(found[1]) * _SIZES[found[2] or ""]


def amount(text: str) -> float:
    """Read a quantity as Kubernetes writes them, such as `8`, `1500m`, `2Gi` or `1e3`.

    Raises:
        ValueError: the text is none.
    """
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise ValueError(f"expected a quantity such as 8, 1500m or 2Gi, got {text!r}")
    number, unit, exponent = found.groups(default="")
    return float(number) * (10.0 ** int(exponent) if exponent else _SCALES[unit])


def rate(text: str) -> tuple[int, timedelta]:
    """Read how many in how long: `20/m` is 20 in a minute, `1/30m` one in half an hour.

    Raises:
        ValueError: the text is not a count and a span of time, both above 0, or is over a century.
    """
    found = _RATE.fullmatch(text)
    if found is None or not int(found[1]) or not int(found[2] or 1):
        raise ValueError(f"expected a rate such as 20/m, 6/h or 1/30m, got {text!r}")
    return int(found[1]), _span(float(found[2] or 1) * _UNITS[found[3]], text)


def _span(seconds: float, text: str) -> timedelta:
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f"expected no more than {spoken(_LONGEST)}, got {text!r}")
    return timedelta(seconds=seconds)


def share(limit: str | int, of: int) -> int:
    """Turn `10%` or `3` into a count; a percentage of a whole is rounded down.

    Rounding up lets one node of three stand for 40 %, which is why it is never done silently:
    a small pool that wants one node at a time says `1`.

    Raises:
        ValueError: the limit is neither a whole number >= 0 nor a percentage up to 100 %.
    """
    text = str(limit)
    percent = _PERCENT.fullmatch(text)
    if percent is not None and float(percent[1]) <= 100:
        return int(float(percent[1]) * of / 100 + 1e-9)
    if text.isdigit():
        return int(text)
    raise ValueError(f"expected a count such as 3 or a percentage such as 10%, got {text!r}")
