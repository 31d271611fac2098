"""Replace: have the machine's owner take it away and bring up another one."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec import structs

from nodehealth import quantities
from nodehealth.repair import Intent, NodeRepair
from remediator.actions import Action, Done, Failed, Going, Progress, Tools
from remediator.providers import MachineState


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace(Action):
    """Replaces the machine, once, however often it is tried."""

    patience: timedelta = timedelta(minutes=20)
    """How long the successor may take to join the cluster."""
    again: timedelta = timedelta(seconds=5)
    """How often the owner is asked how far it is."""

    async def run(self, repair: NodeRepair, since: datetime, tools: Tools) -> Progress:
        """Write the intent down, ask the owner if nobody has, and look what became of it."""
        provider, target = tools.provider, repair.spec.target
        if provider is None:
            return Failed(message="the policy names no provider that could replace a machine")
        intent = repair.status.intent
        if intent is None:
            intent = self._intent(repair, tools.clock())
            await tools.record(structs.replace(repair.status, intent=intent))
        state = await provider.state(target, tools.client)
        if state is MachineState.REPLACED:
            return Done(message="the machine was replaced")
        if tools.clock() >= since + self.patience:
            spent = quantities.spoken(self.patience)
            return Failed(message=f"no successor joined the cluster within {spent}")
        if state is MachineState.PRESENT:
            await tools.guard()
            await provider.replace(target, intent.key, tools.client)
        return Going(message="waits for the machine's successor", again=self.again)

    def _intent(self, repair: NodeRepair, now: datetime) -> Intent:
        seed = f"{repair.metadata.uid}|{repair.status.rung}|replace"
        key = hashlib.sha256(seed.encode()).hexdigest()[:32]
        return Intent(action="replace", key=key, issued_at=now)
