"""Whether the node's default gateway, and peers that are named, answer it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agent.host import reaching
from agent.host.linux import Host
from agent.host.neighbours import Neighbour
from agent.host.reaching import Peer
from agent.probe import Past, Probe
from agent.readings import Reading
from nodehealth import quantities
from nodehealth.signals import Knowledge

GATEWAY: Final = "net.gateway_unreachable"
LOSS: Final = "net.peer_loss_ratio"
LATENCY: Final = "net.peer_latency_seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachability(Probe):
    """Asks the gateway for its hardware address, and connects to peers several times in a row.

    A gateway is not pinged: those of clouds do not answer that, and answer this.
    """

    gateway: bool = True
    """Whether to ask it."""
    peers: tuple[str, ...] = ()
    """Addresses with ports, such as `10.0.0.1:443`; take several, in different places."""
    tries: int = 5
    """How often one is tried in a look."""
    pause: timedelta = timedelta(seconds=1)
    """Between two tries."""
    patience: timedelta = timedelta(seconds=2)
    """How long a peer may take: one packet may be lost and sent again."""

    def __post_init__(self) -> None:
        """Refuse what cannot be tried.

        Raises:
            ValueError: a peer is no address with a port, or there is no time to try it.
        """
        for each in self.peers:
            reaching.peer(each)
        if self.tries < 1:
            raise ValueError(f"expected tries of 1 or more, got {self.tries}")
        longest = self.tries * (self.patience + self.pause)
        if longest > self.deadline:
            raise ValueError(
                f"expected a deadline of {quantities.spoken(longest)} or more: {self.tries} tries "
                f"may take so long; got {quantities.spoken(self.deadline)}"
            )

    async def check(self, host: Host, past: Past) -> Sequence[Reading]:
        """Ask all of them at the same time."""
        routes = await host.network.default_routes() if self.gateway else ()
        gateways = {route.gateway for route in routes or () if route.gateway is not None}
        told = await asyncio.gather(
            *(self._gateway(host, each, past) for each in sorted(gateways, key=str)),
            *(self._peer(host, each) for each in self.peers),
        )
        return [reading for readings in told for reading in readings]

    async def _gateway(self, host: Host, gateway: Neighbour, past: Past) -> Sequence[Reading]:
        subject = str(gateway)
        try:
            answers = await self._answers(host, gateway)
        except OSError as refusal:
            why = f"the kernel cannot be asked: {refusal.strerror or refusal}"
            return (Reading(name=GATEWAY, subject=subject, knowledge=Knowledge.UNKNOWN, why=why),)
        before = past.get((GATEWAY, subject))
        was_there = before is not None and before.value is not None
        if answers is None or not (answers or was_there):
            return (_absent(GATEWAY, subject),)
        return (Reading(name=GATEWAY, subject=subject, value=float(not answers)),)

    async def _answers(self, host: Host, gateway: Neighbour) -> bool | None:
        """Give the kernel some time to ask: its answer is as sure as all of its own tries."""
        await host.network.touch(gateway)
        answers = await host.network.answers(gateway)
        for _ in range(self.tries - 1):
            if answers is not False:
                break
            await asyncio.sleep(self.pause.total_seconds())
            answers = await host.network.answers(gateway)
        return answers

    async def _peer(self, host: Host, written: str) -> Sequence[Reading]:
        tries = [await self._tried(host, reaching.peer(written), n) for n in range(self.tries)]
        answered = sorted(seconds for seconds in tries if seconds is not None)
        loss = Reading(name=LOSS, subject=written, value=1 - len(answered) / len(tries))
        if not answered:
            return loss, _absent(LATENCY, written)
        median = answered[len(answered) // 2]
        return loss, Reading(name=LATENCY, subject=written, value=median)

    async def _tried(self, host: Host, peer: Peer, number: int) -> float | None:
        if number:
            await asyncio.sleep(self.pause.total_seconds())
        return await host.network.connect(peer, patience=self.patience)


def _absent(name: str, subject: str) -> Reading:
    return Reading(name=name, subject=subject, knowledge=Knowledge.NOT_APPLICABLE)
