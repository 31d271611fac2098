"""The door to the machine's network: interfaces, adapters, routes, names, and who is near."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

from agent.host import interfaces, neighbours, reaching, resolving, routes, tables, wires
from agent.host.interfaces import Interface
from agent.host.neighbours import Neighbour
from agent.host.rdma import Adapter, Adapters
from agent.host.reaching import Peer
from agent.host.reader import Reader
from agent.host.routes import Route
from agent.host.tables import Tables
from agent.host.wires import Wiring

Resolve: TypeAlias = Callable[[str, str, timedelta], Awaitable[str]]
Connect: TypeAlias = Callable[[Peer, timedelta], Awaitable[float | None]]


class Network:
    """What the machine is reached by.

    Args:
        reader: Reads what the kernel shows.
        root: Where the host's root directory is mounted.
        connect: How another machine is reached.
        resolve: How a name server is asked.
    """

    def __init__(self, reader: Reader, root: Path, *, connect: Connect, resolve: Resolve) -> None:
        self._reader, self._root = reader, root
        self._connect, self._resolve = connect, resolve
        self._procfs, self._sysfs = root / "proc", root / "sys"
        self._adapters = Adapters(self._sysfs)
        # `net` is that of whoever reads it, and an agent in a container may have a network of its
        # own; process 1 below the host's root is in the host's
        self._net = self._procfs / ("net" if root == Path("/") else "1/net")

    async def interfaces(self, named: Collection[str] = ()) -> tuple[Interface, ...]:
        """Read the interfaces that are named, or else those with hardware."""
        return await self._reader.ask("interfaces", lambda: interfaces.found(self._sysfs, named))

    async def uplinks(self, through: Collection[str]) -> frozenset[str]:
        """Find the interfaces that lie below some others, as those of a bond do, and those."""
        return await self._reader.ask("uplinks", lambda: interfaces.below(self._sysfs, through))

    async def carries_on(self, name: str) -> bool:
        """Read whether an interface has a link although it lost a port."""
        return await self._reader.ask(
            f"link of {name}", lambda: interfaces.carries_on(self._sysfs, name)
        )

    async def adapters(self, refused: Mapping[str, Collection[str]]) -> tuple[Adapter, ...]:
        """Read the RDMA adapters, without counters that refused to be read before."""
        return await self._reader.ask("RDMA adapters", lambda: self._adapters.look(refused))

    async def wiring(self) -> Wiring:
        """Read how interfaces and bonds are wired."""
        return await self._reader.ask("wires", lambda: wires.found(self._sysfs))

    async def tables(self) -> Tables:
        """Read how full the tables of connections and of ports are."""
        return await self._reader.ask("tables", lambda: tables.read(self._procfs, self._net))

    async def name_servers(self) -> tuple[str, ...]:
        """Read the addresses of the host's name servers."""
        return await self._reader.ask("name servers", lambda: resolving.servers(self._root))

    async def resolve(self, server: str, name: str, *, patience: timedelta) -> str:
        """Ask a name server for a name; return nothing if it resolves it, else why not."""
        return await self._resolve(server, name, patience)

    async def default_routes(self) -> tuple[Route, ...] | None:
        """Read the default routes; None where they cannot be asked for."""
        return await self._reader.ask("routes", lambda: routes.defaults(self._net))

    async def touch(self, neighbour: Neighbour) -> None:
        """Make the kernel find out whether a neighbour is there."""
        await self._reader.ask(f"{neighbour}", lambda: reaching.touch(neighbour))

    async def answers(self, neighbour: Neighbour) -> bool | None:
        """Read whether the kernel finds a neighbour; None where it keeps no account of it."""
        return await self._reader.ask(
            "neighbours", lambda: neighbours.answers(self._net, neighbour)
        )

    async def connect(self, peer: Peer, *, patience: timedelta) -> float | None:
        """Connect to a peer; return the seconds until it answered, or None if it did not."""
        return await self._connect(peer, patience)
