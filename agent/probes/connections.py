"""Whether the node runs out of room for network connections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agent.host.linux import Host
from agent.probe import Past, Probe
from agent.readings import Reading
from nodehealth.signals import Knowledge

CONNTRACK: Final = "net.conntrack_used_ratio"
PORTS: Final = "net.ports_used_ratio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections(Probe):
    """Watches the table of tracked connections and the local ports of outgoing ones."""

    async def check(self, host: Host, past: Past) -> Sequence[Reading]:
        """Say how full they are."""
        del past
        tables = await host.network.tables()
        return [_ratio(CONNTRACK, tables.conntrack), _ratio(PORTS, tables.ports)]


def _ratio(name: str, share: float | None) -> Reading:
    if share is None:
        return Reading(name=name, knowledge=Knowledge.NOT_APPLICABLE)
    return Reading(name=name, value=min(1.0, share))
