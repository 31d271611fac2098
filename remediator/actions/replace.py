"""Replace: have the machine's owner take it away and bring up another one."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from nodehealth import quantities
from nodehealth.repair import NodeRepair
from remediator.actions import Action, Done, Failed, Going, Progress, Tools, claim, forget, unclaim
from remediator.decide import orders
from remediator.providers import MachineState, Provider, ProviderError, UnableError


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace(Action):
    """Replaces the machine, once, however often it is tried."""

    patience: timedelta = timedelta(minutes=20)
    """How long the successor may take to join the cluster."""
    again: timedelta = timedelta(seconds=5)
    """How often the owner is asked how far it is."""
    retry: timedelta = timedelta(minutes=2)
    """After how long a machine that is still there is asked for once more: longer than a claim is
    good for, and a call under way, together."""

    @property
    def longest(self) -> timedelta:
        """Return the patience."""
        return self.patience

    async def run(self, repair: NodeRepair, since: datetime, tools: Tools) -> Progress:
        """Look what became of the machine, and ask for its replacement if nobody has."""
        provider = tools.provider
        if provider is None:
            return Failed(message="the policy names no provider that could replace a machine")
        try:
            return await self._advance(repair, since, provider, tools)
        except UnableError as unable:
            return Failed(message=str(unable))
        except ProviderError as unclear:
            if tools.clock() >= since + self.patience:
                return Failed(message=f"{quantities.spoken(self.patience)} long: {unclear}")
            return Going(message=str(unclear), again=self.again)

    async def _advance(
        self, repair: NodeRepair, since: datetime, provider: Provider, tools: Tools
    ) -> Progress:
        target = repair.spec.target
        state = await provider.state(target, tools.client)
        if state is MachineState.FOREIGN:
            named = target.provider_id or "nothing"
            return Failed(message=f"the owner of the machines does not know {named}")
        if state is MachineState.REPLACED:
            return Done(message="the machine was replaced")
        if tools.clock() >= since + self.patience:
            spent = quantities.spoken(self.patience)
            return Failed(message=f"no successor joined the cluster within {spent}")
        given_way = orders.given_way(repair, tools.node)
        if given_way:
            lost = orders.may_be_lost(repair, tools.node, tools.clock())
            if lost and state is MachineState.PRESENT:
                await forget(repair, tools)
            return Going(message=given_way, again=self.again)
        if state is MachineState.PRESENT and self._may_ask(repair, tools.clock()):
            await self._order(repair, provider, tools)
        return Going(message="waits for the machine's successor", again=self.again)

    async def _order(self, repair: NodeRepair, provider: Provider, tools: Tools) -> None:
        key = await claim(repair, "replace", tools)
        try:
            await provider.replace(repair.spec.target, key, tools.client)
        except UnableError:
            await unclaim(repair, tools)
            raise

    def _may_ask(self, repair: NodeRepair, now: datetime) -> bool:
        intent = repair.status.intent
        return intent is None or now >= intent.issued_at + self.retry
