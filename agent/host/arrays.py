"""Which disks the machine has bundled: in RAID by software, and over several paths."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.host import attributes

_SPARE: Final = {"raid0": 0, "linear": 0, "raid4": 1, "raid5": 1, "raid6": 2}
"""How many disks each may lose; raid1 all but one, and what raid10 may depends on which."""
_MULTIPATH: Final = "mpath-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """One RAID by the kernel's MD."""

    name: str
    level: str
    """Such as `raid1`."""
    state: str
    """Such as `clean`, `active`, `inactive` or `broken`."""
    disks: int
    missing: int
    """Disks that it has not, or that it is about to fill."""

    @property
    def is_beyond_repair(self) -> bool:
        """Say whether it has lost more than it can."""
        most = (
            max(0, self.disks - 1) if self.level == "raid1" else _SPARE.get(self.level, self.disks)
        )
        return self.state == "broken" or self.missing > most


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """One volume that is reached over several paths, by the device mapper."""

    name: str
    paths: int
    working: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrays:
    """All of them."""

    arrays: tuple[Array, ...]
    bundles: tuple[Bundle, ...]


def found(sysfs: Path) -> Arrays:
    """Read /sys/block."""
    every = [sysfs / "block" / each for each in attributes.names(sysfs / "block") or ()]
    return Arrays(arrays=tuple(_arrays(every)), bundles=tuple(_bundles(every)))


def _arrays(every: list[Path]) -> Iterator[Array]:
    for each in every:
        level, state = (attributes.text(each / f"md/{name}") for name in ("level", "array_state"))
        if level and state:
            yield Array(
                name=each.name,
                level=level,
                state=state,
                disks=attributes.number(each / "md/raid_disks") or 0,
                missing=attributes.number(each / "md/degraded") or 0,
            )


def _bundles(every: list[Path]) -> Iterator[Bundle]:
    for each in every:
        if not (attributes.text(each / "dm/uuid") or "").startswith(_MULTIPATH):
            continue
        paths = attributes.names(each / "slaves") or ()
        states = [attributes.text(each / "slaves" / path / "device/state") for path in paths]
        working = sum(state in {None, "running", "live"} for state in states)
        name = attributes.text(each / "dm/name") or each.name
        yield Bundle(name=name, paths=len(paths), working=working)
