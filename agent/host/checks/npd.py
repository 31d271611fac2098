"""Reads the configuration of node-problem-detector's custom plugin monitor, as it is written."""

import re
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Final, Literal

import msgspec
from msgspec import Struct, field

from agent.host.checks.facts import Check, Manner

_UNITS: Final = {
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
}
_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|us|µs|ns|m|s)")
_LONGEST: Final = timedelta(days=1)


class _Global(Struct):
    invoke_interval: str = "30s"
    timeout: str = "5s"


class _Rule(Struct):
    type: Literal["permanent", "temporary"]
    reason: str
    path: str
    condition: str = ""
    args: list[str] = []
    timeout: str = ""


class _File(Struct):
    plugin: Literal["custom"]
    rules: list[_Rule]
    source: str = ""
    settings: _Global = field(default_factory=_Global, name="pluginConfig")


def checks(text: bytes, where: Path) -> tuple[Check, ...]:
    """Return the checks of a file; a program's relative path begins at the file's folder.

    Raises:
        ValueError: says what is wrong with it.
    """
    try:
        read = msgspec.json.decode(text, type=_File)
    except UnicodeDecodeError as garbage:
        raise ValueError(str(garbage)) from garbage
    every = duration(read.settings.invoke_interval)
    limit = duration(read.settings.timeout)
    return tuple(
        _check(rule, read.source or where.stem, where, every, limit) for rule in read.rules
    )


def duration(text: str) -> timedelta:
    """Read a span as Go writes it, such as `1m30s`; it must be some time, and no more than a day.

    Raises:
        ValueError: it is none.
    """
    parts = _PART.findall(text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or not seconds:
        raise ValueError(f"expected a duration such as 30s, got {text!r}")
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f"expected a duration of at most 24h, got {text!r}")
    return timedelta(seconds=max(seconds, 1e-3))


def _check(rule: _Rule, source: str, where: Path, every: timedelta, limit: timedelta) -> Check:
    is_permanent = rule.type == "permanent"
    if is_permanent and not rule.condition:
        raise ValueError(f"rule {rule.reason}: expected the condition of a permanent problem")
    program = PurePosixPath(where.parent) / rule.path
    return Check(
        name=f"{rule.condition if is_permanent else source}/{rule.reason}",
        command=(str(program), *rule.args),
        manner=Manner.PERMANENT if is_permanent else Manner.TEMPORARY,
        every=every,
        timeout=min(limit, duration(rule.timeout)) if rule.timeout else limit,
    )
