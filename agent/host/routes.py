"""Whether the machine knows a way to everywhere."""

from pathlib import Path
from typing import Final

from agent.host import attributes

_UP: Final = 0x1
_REJECT: Final = 0x200


def has_default(network: Path) -> bool | None:
    """Look for a default route of IPv4, else of IPv6; None where the kernel tells neither.

    Args:
        network: The folder such as /proc/net, of the network namespace that is asked about.
    """
    known = [
        default(table)
        for name, default in (("route", _is_default_4), ("ipv6_route", _is_default_6))
        if (table := attributes.text(network / name)) is not None
    ]
    return any(known) if known else None


def _is_default_4(table: str) -> bool:
    """Read the columns interface, destination, gateway, flags, …, the mask the eighth of them."""
    rows = (line.split() for line in table.splitlines()[1:])
    return any(int(row[1], 16) == int(row[7], 16) == 0 and _is_usable(row[3]) for row in rows)


def _is_default_6(table: str) -> bool:
    """Read the columns destination, its length, source, its length, gateway, metric, …, flags."""
    rows = (line.split() for line in table.splitlines())
    return any(int(row[0], 16) == int(row[1], 16) == 0 and _is_usable(row[8]) for row in rows)


def _is_usable(flags: str) -> bool:
    return int(flags, 16) & (_UP | _REJECT) == _UP
