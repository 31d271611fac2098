"""An owner of machines who answers late, fails, forgets to answer, and says what is not so."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from nodehealth.kube.client import Client
from nodehealth.repair import Target
from remediator.providers import MachineState, Power, Provider, ProviderError
from remediator.providers.simulator import Simulator
from tests.safety.witnesses.orders import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Temper:
    """How bad an owner is, as shares of one."""

    fails: float = 0.0
    """It says that something went wrong, and did nothing."""
    forgets: float = 0.0
    """It does as it is told, and says that something went wrong."""
    lies: float = 0.0
    """It says of a machine what is not so; of its power only once, for who lies on is believed."""
    late: timedelta = timedelta()
    """How long it takes at most to do anything, whoever still waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner(Provider):
    """Owns the simulator's machines; it goes on with an order although who gave it has died."""

    client: Client
    random: Random
    temper: Temper
    heard: Callable[[Order], None]
    """Keeps the book of orders."""
    lied: set[str] = field(default_factory=set)
    """About the power of which machines."""
    under_way: set[asyncio.Task[None]] = field(default_factory=set)

    async def state(self, target: Target, client: Client) -> MachineState:
        """Say how the machine is, or something else."""
        del client
        await self._pause()
        self._fail("state")
        truth = await Simulator().state(target, self.client)
        unclear = truth in {MachineState.PRESENT, MachineState.LEAVING}
        if unclear and self._happens(self.temper.lies):
            return self.random.choice((MachineState.PRESENT, MachineState.LEAVING))
        return truth

    async def power(self, target: Target, client: Client) -> Power:
        """Say whether the machine is on, or something else."""
        del client
        await self._pause()
        self._fail("power")
        truth = await Simulator().power(target, self.client)
        if not self._happens(self.temper.lies):
            return truth
        if target.node_uid in self.lied:
            return Power.UNKNOWN
        self.lied.add(target.node_uid)
        return Power.OFF if truth is Power.ON else Power.UNKNOWN

    async def replace(self, target: Target, key: str, client: Client) -> None:
        """Replace the machine."""
        del client
        await self._ordered("replace", target, key, Simulator().replace)

    async def fence(self, target: Target, key: str, client: Client) -> None:
        """Switch the machine off."""
        del client
        await self._ordered("power-off", target, key, Simulator().fence)

    async def power_cycle(self, target: Target, key: str, client: Client) -> None:
        """Switch the machine off and on."""
        del client
        await self._ordered("power-cycle", target, key, Simulator().power_cycle)

    async def _ordered(
        self,
        action: str,
        target: Target,
        key: str,
        does: Callable[[Target, str, Client], Awaitable[None]],
    ) -> None:
        self.heard(Order(machine=target.provider_id, action=action, key=key))
        self._fail(action)

        async def work() -> None:
            await self._pause()
            await does(target, key, self.client)

        task = asyncio.create_task(work(), name=f"the owner's {action} of {target.node}")
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)
        await asyncio.shield(task)
        if self._happens(self.temper.forgets):
            raise ProviderError("the connection broke")

    async def _pause(self) -> None:
        late = self.temper.late.total_seconds()
        if late:
            await asyncio.sleep(self.random.uniform(0.0, late))

    def _fail(self, question: str) -> None:
        if self._happens(self.temper.fails):
            raise ProviderError(f"no answer to {question}")

    def _happens(self, share: float) -> bool:
        return share > 0 and self.random.random() < share
