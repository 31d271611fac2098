"""Power-cycle: have the machine's owner switch it off hard and on again, once."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from nodehealth.repair import NodeRepair
from remediator.actions import (
    Action,
    Failed,
    Going,
    Progress,
    Tools,
    claim,
    forget,
    progress,
    unclaim,
)
from remediator.decide import cycles, orders, remedies
from remediator.decide.cycles import Look, Order
from remediator.providers import MachineState, Provider, ProviderError, UnableError


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerCycle(Action):
    """Switches the machine off and on; only another boot id and a Ready node count as done."""

    patience: timedelta = timedelta(minutes=20)
    """How long the machine may take to be back and Ready."""
    again: timedelta = timedelta(seconds=10)
    """How often to look how far it is."""

    @property
    def longest(self) -> timedelta:
        """Return the patience."""
        return self.patience

    async def run(self, repair: NodeRepair, since: datetime, tools: Tools) -> Progress:
        """Tell the machine's owner, or look whether the machine is back."""
        provider = tools.provider
        if provider is None:
            return Failed(message="the policy names no provider that could switch a machine off")
        look = Look(
            repair=repair,
            node=tools.node,
            since=since,
            patience=self.patience,
            now=tools.clock(),
        )
        step = cycles.next_step(look)
        given_way = orders.given_way(repair, tools.node)
        if isinstance(step, Order) and given_way:  # nothing comes of the order before it any more
            await forget(repair, tools)
            return Going(message=given_way, again=self.again)
        if isinstance(step, Order):
            return await self._order(repair, step.boot_id, provider, tools)
        return progress(step, again=self.again)

    async def _order(
        self, repair: NodeRepair, boot_id: str, provider: Provider, tools: Tools
    ) -> Progress:
        target = repair.spec.target
        try:
            state = await provider.state(target, tools.client)
            if state is MachineState.PRESENT:
                await _tell(repair, boot_id, provider, tools)
                return Going(message="the machine is switched off and on", again=self.again)
        except UnableError as unable:
            return Failed(message=str(unable))
        except ProviderError as unclear:
            return Going(message=str(unclear), again=self.again)
        if state is MachineState.FOREIGN:
            named = target.provider_id or "nothing"
            return Failed(message=f"the owner of the machines does not know {named}")
        return Going(message=f"the machine is {state} already", again=self.again)


async def _tell(repair: NodeRepair, boot_id: str, provider: Provider, tools: Tools) -> None:
    key = await claim(repair, remedies.POWER_CYCLE, tools, boot_id=boot_id)
    try:
        await provider.power_cycle(repair.spec.target, key, tools.client)
    except UnableError:
        await unclaim(repair, tools)
        raise
