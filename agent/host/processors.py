"""Which processors are at work, how long heat slowed them down, and whether they raised alarm."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.host import attributes

_CPUS: Final = "sys/devices/system/cpu"
_THROTTLED: Final = "thermal_throttle/package_throttle_total_time_ms"
_LEFT_OUT: Final = re.compile(r"(^|\s)(maxcpus=|nosmp\b)")
_IS_OFF: Final = frozenset({"off", "forceoff"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Processors:
    """What the kernel says of them; None is what it does not say on this machine."""

    online: int | None
    present: int | None
    are_left_out: bool
    """Whether somebody wants some of them to rest: hyper-threading is off, or the boot was told."""
    throttled: Mapping[int, int]
    """By package for how many milliseconds heat has slowed it down in this boot."""
    machine_checks: int | None
    """Exceptions in this boot, once for each processor that took one."""


def read(root: Path) -> Processors:
    """Read sysfs and the table of interrupts.

    Raises:
        OSError: something is there, but cannot be read.
    """
    online = _listed(attributes.text(root / _CPUS / "online"))
    present = _listed(attributes.text(root / _CPUS / "present"))
    smt = attributes.text(root / _CPUS / "smt/control")
    words = attributes.text(root / "proc/cmdline") or ""
    return Processors(
        online=len(online) or None,
        present=len(present) or None,
        are_left_out=smt in _IS_OFF or _LEFT_OUT.search(words) is not None,
        throttled=_throttled(root / _CPUS, online),
        machine_checks=_machine_checks(root / "proc/interrupts"),
    )


def _listed(said: str | None) -> tuple[int, ...]:
    """Read a list such as 0-3,8."""
    spans = [each.partition("-") for each in (said or "").split(",") if each]
    return tuple(cpu for a, _, b in spans for cpu in range(int(a), int(b or a) + 1))


def _throttled(cpus: Path, online: tuple[int, ...]) -> Mapping[int, int]:
    """Ask one processor of each package: all of a package say the same."""
    found: dict[int, int] = {}
    for each in online:
        folder = cpus / f"cpu{each}"
        package = attributes.number(folder / "topology/physical_package_id")
        if package is None or package in found:
            continue
        spent = attributes.number(folder / _THROTTLED)
        if spent is not None:
            found[package] = spent
    return found


def _machine_checks(path: Path) -> int | None:
    """Add up one row of a table that is long on large machines: it is not kept in memory."""
    try:
        with path.open("rb") as table:
            row = next((each for each in table if each.lstrip().startswith(b"MCE:")), None)
    except FileNotFoundError:
        return None
    return None if row is None else sum(int(each) for each in row.split() if each.isdigit())
