"""Whether the node's name servers resolve a name, if one is given."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agent.host import resolving
from agent.host.linux import Host
from agent.probe import Past, Probe
from agent.readings import Reading
from nodehealth import quantities
from nodehealth.signals import Knowledge

FAILING: Final = "net.dns_failing"


@dataclass(frozen=True, slots=True, kw_only=True)
class DNS(Probe):
    """Asks each of them over UDP, several times before it says anything bad."""

    interval: timedelta = timedelta(minutes=1)
    """How often."""
    name: str = ""
    """What is to be resolved; nothing is asked without it. It must be there for ever."""
    servers: tuple[str, ...] = ()
    """Addresses of name servers; by default those of the host's resolv.conf."""
    tries: int = 3
    """How often one is asked in a look until it answers well."""
    patience: timedelta = timedelta(seconds=2)
    """How long it may take."""

    def __post_init__(self) -> None:
        """Refuse what cannot be asked.

        Raises:
            ValueError: the name is none, or there is no time for the tries.
        """
        if self.name:
            resolving.query(self.name, 0)
        if self.tries < 1:
            raise ValueError(f"expected tries of 1 or more, got {self.tries}")
        longest = self.tries * self.patience
        if longest >= self.deadline:
            raise ValueError(
                f"expected a deadline of more than {quantities.spoken(longest)}: {self.tries} "
                f"tries may take so long; got {quantities.spoken(self.deadline)}"
            )

    async def check(self, host: Host, past: Past) -> Sequence[Reading]:
        """Ask all of them at the same time."""
        del past
        if not self.name:
            return []
        servers = self.servers or await host.network.name_servers()
        if not servers:
            why = "the host has no name server"
            return [Reading(name=FAILING, knowledge=Knowledge.UNKNOWN, why=why)]
        return await asyncio.gather(*(self._server(host, each) for each in servers))

    async def _server(self, host: Host, server: str) -> Reading:
        why = resolving.SILENT
        for _ in range(self.tries):
            why = await host.network.resolve(server, self.name, patience=self.patience)
            if not why:
                return Reading(name=FAILING, subject=server, value=0.0)
        return Reading(name=FAILING, subject=server, fields={"why": why}, value=1.0)
