"""Replace: have the machine's owner take it away and bring up another one."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from msgspec import structs

from nodehealth import quantities
from nodehealth.repair import Intent, NodeRepair
from remediator.actions import (
    Action,
    Done,
    Failed,
    Going,
    Progress,
    SupersededError,
    Tools,
)
from remediator.providers import MachineState, Provider

_CLAIM_GOOD_FOR: Final = timedelta(seconds=20)
"""How old a claim may be when the order goes out; somebody else may claim the next attempt."""


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

    async def run(self, repair: NodeRepair, since: datetime, tools: Tools) -> Progress:
        """Look what became of the machine, and ask for its replacement if nobody has."""
        provider, target = tools.provider, repair.spec.target
        if provider is None:
            return Failed(message="the policy names no provider that could replace a machine")
        state = await provider.state(target, tools.client)
        if state is MachineState.FOREIGN:
            named = target.provider_id or "nothing"
            return Failed(message=f"the owner of the machines does not know {named}")
        if state is MachineState.REPLACED:
            return Done(message="the machine was replaced")
        if tools.clock() >= since + self.patience:
            spent = quantities.spoken(self.patience)
            return Failed(message=f"no successor joined the cluster within {spent}")
        if state is MachineState.PRESENT and self._may_ask(repair, tools.clock()):
            await self._ask(repair, provider, tools)
        return Going(message="waits for the machine's successor", again=self.again)

    def _may_ask(self, repair: NodeRepair, now: datetime) -> bool:
        intent = repair.status.intent
        return intent is None or now >= intent.issued_at + self.retry

    async def _ask(self, repair: NodeRepair, provider: Provider, tools: Tools) -> None:
        """Claim the deed by writing it down, then do it: of two replicas only one gets so far."""
        intent = _intent(repair, tools.clock())
        await tools.record(structs.replace(repair.status, intent=intent))
        await tools.guard()
        if tools.clock() > intent.issued_at + _CLAIM_GOOD_FOR:
            raise SupersededError("we stood still since the order was claimed; it is given anew")
        await provider.replace(repair.spec.target, intent.key, tools.client)


def _intent(repair: NodeRepair, now: datetime) -> Intent:
    before = repair.status.intent
    attempt = before.attempt + 1 if before is not None else 1
    seed = f"{repair.metadata.uid}|{repair.status.rung}|{attempt}"
    key = hashlib.sha256(seed.encode()).hexdigest()[:32]
    return Intent(action="replace", key=key, issued_at=now, attempt=attempt)
