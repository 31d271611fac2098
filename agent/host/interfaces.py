"""Which network interfaces the machine has, and what the kernel counts on them."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.host import attributes

_IFF_UP: Final = 0x1


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One network interface; None is what its driver does not tell."""

    name: str
    device: str
    """What it is on its bus, such as a PCI address; empty where it is made of software."""
    master: str
    """The bond, bridge or synthetic interface that it is a port of; empty where there is none."""
    has_carrier: bool | None
    """Whether it has a link; None while an administrator has it down."""
    carrier_changes: int | None
    errors: int | None
    drops: int | None


def found(sysfs: Path, named: Collection[str]) -> tuple[Interface, ...]:
    """Read /sys/class/net: those that are named, or else those with hardware of their own.

    A virtual function beside its physical one is a pod's, and there are hundreds of them; in a
    virtual machine, where the physical one is not seen, it is the machine's own.
    """
    folder = sysfs / "class/net"
    every = (folder / each for each in attributes.names(folder) or ())
    chosen = [each for each in every if each.name in named or (not named and is_physical(each))]
    return tuple(known for each in chosen if (known := _interface(each)) is not None)


def is_physical(folder: Path) -> bool:
    """Say whether a device of a class has hardware, and is no virtual part of another one."""
    return (folder / "device").exists() and not (folder / "device/physfn").exists()


def _interface(folder: Path) -> Interface | None:
    flags = attributes.number(folder / "flags")
    if flags is None:
        return None  # gone since it was listed
    carrier = attributes.number(folder / "carrier") if flags & _IFF_UP else None
    return Interface(
        name=folder.name,
        device=target(folder / "device"),
        master=target(folder / "master"),
        has_carrier=None if carrier is None else carrier == 1,
        carrier_changes=attributes.number(folder / "carrier_changes"),
        errors=_both(folder / "statistics", "rx_errors", "tx_errors"),
        drops=_both(folder / "statistics", "rx_dropped", "tx_dropped"),
    )


def below(sysfs: Path, names: Collection[str]) -> frozenset[str]:
    """Find what interfaces are made of, as a bond is of its ports, and they themselves."""
    found = set[str]()
    left = list(names)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left.extend(_lower(sysfs / "class/net" / name))
    return frozenset(found)


def is_driven(sysfs: Path, device: str) -> bool:
    """Say whether a device is on a bus and has a driver."""
    buses = attributes.names(sysfs / "bus") or ()
    return any((sysfs / "bus" / bus / "devices" / device / "driver").exists() for bus in buses)


def carries_on(sysfs: Path, name: str) -> bool:
    """Say whether an interface that is made to outlive its ports still has a link.

    A bond is, and so is one with a device of its own, as a hypervisor lays it over a virtual
    function that comes and goes. A bridge is not: the pods on it give it a link of their own.
    """
    folder = sysfs / "class/net" / name
    outlives = (folder / "bonding").exists() or (folder / "device").exists()
    return outlives and attributes.number(folder / "carrier") == 1


def _lower(folder: Path) -> Iterator[str]:
    for name in attributes.names(folder) or ():
        if name.startswith("lower_"):
            yield name.removeprefix("lower_")


def target(link: Path) -> str:
    """Return the name of what a link leads to; nothing where there is none."""
    return link.resolve().name if link.exists() else ""


def _both(statistics: Path, received: str, sent: str) -> int | None:
    one, other = (attributes.number(statistics / each) for each in (received, sent))
    return None if one is None or other is None else one + other
