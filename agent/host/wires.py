"""How interfaces are wired: how fast, both ways at once or not, in packets how large, in bonds."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.host import attributes, interfaces

_IFF_UP: Final = 0x1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One interface with hardware of its own, that is up."""

    name: str
    speed: int
    """Megabits a second; zero where it has no link, or its driver does not tell."""
    is_half_duplex: bool
    mtu: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bond:
    """Several interfaces that are used as one."""

    name: str
    ports: tuple[str, ...]
    down: tuple[str, ...]
    """Those of them that the bond does not use because they have no link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """All of them."""

    wires: tuple[Wire, ...]
    bonds: tuple[Bond, ...]


def found(sysfs: Path) -> Wiring:
    """Read /sys/class/net."""
    folder = sysfs / "class/net"
    every = [folder / each for each in attributes.names(folder) or ()]
    return Wiring(wires=tuple(_wires(every)), bonds=tuple(_bonds(every)))


def _wires(every: list[Path]) -> Iterator[Wire]:
    for each in every:
        flags, mtu = (attributes.number(each / name) for name in ("flags", "mtu"))
        if not interfaces.is_physical(each) or flags is None or mtu is None or not flags & _IFF_UP:
            continue
        speed = _speed(each)
        half = bool(speed) and attributes.text(each / "duplex") == "half"
        yield Wire(name=each.name, speed=speed, is_half_duplex=half, mtu=mtu)


def _speed(folder: Path) -> int:
    """Read the speed of one with a link: without one a driver says -1, or what it was made for."""
    if attributes.number(folder / "carrier") != 1:
        return 0
    return max(0, attributes.number(folder / "speed") or 0)


def _bonds(every: list[Path]) -> Iterator[Bond]:
    for each in every:
        flags = attributes.number(each / "flags")
        ports = attributes.text(each / "bonding/slaves")
        if ports is None or flags is None or not flags & _IFF_UP:
            continue
        names = tuple(sorted(ports.split()))
        down = tuple(name for name in names if _is_down(each.parent / name))
        yield Bond(name=each.name, ports=names, down=down)


def _is_down(port: Path) -> bool:
    """Say whether a bond does without a port: it looks at links in its own way and time."""
    return attributes.text(port / "bonding_slave/mii_status") not in {None, "up"}
