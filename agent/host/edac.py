"""What the memory controllers count: errors of the machine's memory, corrected and not."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.host import attributes

FOLDER: Final = "sys/devices/system/edac/mc"
_CONTROLLER: Final = re.compile(r"mc\d+")
_MODULE: Final = re.compile(r"(dimm|rank)\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One DIMM or rank; or, by its controller's name, what nobody can tell whose error it was."""

    name: str
    """Where the kernel counts it, such as mc0/dimm3: no other one has it."""
    label: str
    """What the firmware, or an administrator, calls it."""
    corrected: int
    """Since its driver was loaded."""
    uncorrected: int


def read(root: Path) -> tuple[Module, ...] | None:
    """Read all modules, or return None where no driver watches memory, as in most clouds.

    Raises:
        OSError: something is there, but cannot be read.
    """
    names = [each for each in attributes.names(root / FOLDER) or () if _CONTROLLER.fullmatch(each)]
    if not names:
        return None
    return tuple(module for each in names for module in _modules(root / FOLDER / each))


def _modules(controller: Path) -> Iterator[Module]:
    """Give the modules of a controller, and what it counted of none of them."""
    corrected, uncorrected = _count(controller / "ce_count"), _count(controller / "ue_count")
    for name in attributes.names(controller) or ():
        if _MODULE.fullmatch(name):
            module = _module(controller / name)
            corrected -= module.corrected
            uncorrected -= module.uncorrected
            yield module
    yield Module(
        name=controller.name,
        label="",
        corrected=max(0, corrected),
        uncorrected=max(0, uncorrected),
    )


def _module(folder: Path) -> Module:
    return Module(
        name=f"{folder.parent.name}/{folder.name}",
        label=attributes.text(folder / "dimm_label") or "",
        corrected=_count(folder / "dimm_ce_count"),
        uncorrected=_count(folder / "dimm_ue_count"),
    )


def _count(path: Path) -> int:
    return attributes.number(path) or 0
