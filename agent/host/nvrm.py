"""What NVIDIA's drivers write into the kernel's log: XIDs, SXids, and cries for a lost GPU.

What such a line looks like is data, as of every other one; what its words mean is here.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from agent.host import complaints
from agent.host.complaints import pattern

PATTERNS: Final = pattern.read(complaints.TABLES / "nvidia.yaml")
_PROCESS: Final = re.compile(
    r"\s*pid='?(?P<pid>[0-9]+|<unknown>)'?(?:, name=(?P<name>[^,]*))?(?:,|$)"
)
_NVLINK5: Final = re.compile(
    r"\s*(?P<unit>[A-Z][A-Z0-9_]*(?:/[A-Z0-9_]+)?)\s+(?P<severity>Non-?fatal|Fatal)\s+"
    r"XC[0-9]+\s+i[0-9]+\s+Link\s+(?P<link>-?[0-9]{1,5})\s+"
    r"\((?P<info>0x[0-9a-fA-F]{1,16})\s+(?P<status>0x[0-9a-fA-F]{1,16})"
)
_ANY_BDF: Final = re.compile(
    r"\b(?:PCI:)?[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}(?:\.[0-7])?\b"
)
NVLINK5: Final = range(144, 151)
"""The codes of errors of NVLink 5, which are told apart by unit and status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What the hardware says of an error of NVLink 5."""

    unit: str
    severity: str
    """Fatal or Nonfatal."""
    link: int
    info: int
    """A word that tells unit and cause, in one way before driver 575 and in another since."""
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Xid:
    """The driver reported an error of a GPU."""

    pci: str
    code: int
    pid: int | None = None
    """The process that it befell; none where the driver does not know."""
    process: str = ""
    instance: str = ""
    """The MIG instance."""
    fault: Fault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SXid:
    """The driver reported an error of an NVSwitch."""

    pci: str
    code: int
    is_fatal: bool
    link: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OffBus:
    """A GPU has fallen off the bus."""

    pci: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GspTimeout:
    """The firmware of a GPU did not answer, and no XID says so."""

    pci: str = ""
    """Nothing where the line does not name the GPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The driver said which GPU is at an address, as it does before the first XID."""

    pci: str
    uuid: str


Said: TypeAlias = Xid | SXid | OffBus | GspTimeout | Named


def said(text: str) -> Said | None:
    """Read one line of the kernel's log; None for what is none of these."""
    for each in PATTERNS:
        if found := each.found(text):
            return _MEANING[each.name](found)
    return None


def address(bdf: str) -> str:
    """Write a PCI address as sysfs has it: `00000000:3B:00` is 0000:3b:00.0."""
    domain, bus, rest = bdf.lower().removeprefix("pci:").split(":")
    device, _, function = rest.partition(".")
    return f"{int(domain, 16):04x}:{bus}:{device}.{function or '0'}"


def _xid(found: re.Match[str]) -> Xid:
    code, rest, pid, name = int(found["code"]), found.string[found.end() :], None, ""
    if process := _PROCESS.match(rest):
        pid = int(process["pid"]) if process["pid"].isdigit() else None
        name, rest = (process["name"] or "").strip("'"), rest[process.end() :]
    return Xid(
        pci=address(found["bdf"]),
        code=code,
        pid=pid,
        process=name,
        instance=found["instance"] or "",
        fault=_fault(rest) if code in NVLINK5 else None,
    )


def _fault(rest: str) -> Fault | None:
    found = _NVLINK5.match(rest)
    if found is None:
        return None
    return Fault(
        unit=found["unit"],
        severity=found["severity"].replace("-", ""),
        link=int(found["link"]),
        info=int(found["info"], 16),
        status=int(found["status"], 16),
    )


def _sxid(found: re.Match[str]) -> SXid:
    """Read a line that tells of an error; those with its details follow it and are no errors."""
    return SXid(
        pci=address(found["bdf"]),
        code=int(found["code"]),
        is_fatal=found["severity"] == "Fatal",
        link=int(found["link"]) if found["link"] else None,
    )


def _off_bus(found: re.Match[str]) -> OffBus:
    return OffBus(pci=address(found["bdf"]))


def _gsp(found: re.Match[str]) -> GspTimeout:
    where = _ANY_BDF.search(found.string)
    return GspTimeout(pci=address(where[0]) if where else "")


def _named(found: re.Match[str]) -> Named:
    return Named(pci=address(found["bdf"]), uuid=found["uuid"])


_MEANING: Final[Mapping[str, Callable[[re.Match[str]], Said]]] = {
    "xid": _xid,
    "sxid": _sxid,
    "named": _named,
    "off-bus": _off_bus,
    "gsp-timeout": _gsp,
}
"""By the name of its pattern what a line tells."""
