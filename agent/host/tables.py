"""How full the kernel's tables of connections and of local ports are."""

from dataclasses import dataclass
from pathlib import Path

from agent.host import attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Each as a share of what there is room for; None where there is no such table."""

    conntrack: float | None
    ports: float | None
    """TCP sockets for each port that may be given out: more than one where many are accepted."""


def read(procfs: Path, network: Path) -> Tables:
    """Read both.

    Args:
        procfs: The folder such as /proc.
        network: The folder such as /proc/net, of the network namespace that is asked about.
    """
    folder = procfs / "sys/net/netfilter"
    used, most = (attributes.number(folder / f"nf_conntrack_{each}") for each in ("count", "max"))
    return Tables(
        conntrack=used / most if used is not None and most else None,
        ports=_ports(procfs / "sys/net/ipv4/ip_local_port_range", network / "sockstat"),
    )


def _ports(span: Path, sockets: Path) -> float | None:
    """Read rows such as `TCP: inuse 5 orphan 0 tw 7 alloc 9 mem 1`."""
    bounds, rows = attributes.text(span), attributes.text(sockets)
    if bounds is None or rows is None:
        return None
    first, last = map(int, bounds.split())
    for words in (row.split() for row in rows.splitlines()):
        if words and words[0] == "TCP:":
            told = dict(zip(words[1::2], map(int, words[2::2]), strict=False))
            return (told.get("inuse", 0) + told.get("tw", 0)) / max(1, last - first + 1)
    return None
