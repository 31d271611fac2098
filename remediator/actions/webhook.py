"""Webhook: have a web service of the operator's own repair the node, and ask how far it is."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from nodehealth import quantities
from nodehealth.kube.objects import Struct
from nodehealth.repair import Intent, NodeRepair, Target
from remediator import asking
from remediator.actions import Action, Done, Failed, Going, Progress, Tools, claim, forget
from remediator.asking import AskingError, Service
from remediator.decide import orders
from remediator.rules.policy import Hook

_ACTION: Final = "webhook"


class Ask(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is asked of the web service: to repair a node, or how far it is with that."""

    version: Literal["v1"] = "v1"
    action: Literal["repair"] = "repair"
    key: str
    until: datetime
    """When it is too late to begin, or to go on."""
    target: Target
    repair: str
    rule: str
    evidence: tuple[str, ...]


class State(StrEnum):
    """How far it is."""

    GOING = "going"
    DONE = "done"
    FAILED = "failed"


class Answer(Struct, frozen=True, kw_only=True):
    """What the web service says."""

    version: Literal["v1"]
    node_uid: Annotated[str, Meta(max_length=253)]
    state: State
    message: Annotated[str, Meta(max_length=512)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Action):
    """Has a web service that the policy names repair the node."""

    name: str
    """What the policy calls it."""
    deadline: timedelta = timedelta(minutes=30)
    """How long the repair may take."""
    again: timedelta = timedelta(seconds=15)
    """How often it is asked."""

    @property
    def longest(self) -> timedelta:
        """Return the deadline."""
        return self.deadline

    async def run(self, repair: NodeRepair, since: datetime, tools: Tools) -> Progress:
        """Ask, under one key for the whole rung, until it says how it ended."""
        hook, node = tools.webhooks.get(self.name), tools.node
        if hook is None:
            known = ", ".join(sorted(tools.webhooks)) or "none"
            return Failed(message=f"the policy names no webhook {self.name}; known are {known}")
        if node is not None and node.metadata.uid != repair.spec.target.node_uid:
            return Done(message="the node is another machine now")
        late, given_way = tools.clock() >= since + self.deadline, orders.given_way(repair, node)
        if late:
            await forget(repair, tools)
        if given_way:
            return Going(message=given_way, again=self.again)
        if late:
            spent = quantities.spoken(self.deadline)
            return Failed(message=f"webhook {self.name} took {spent}: {repair.status.message}")
        return await self._inquire(repair, since + self.deadline, hook, tools)

    async def _inquire(
        self, repair: NodeRepair, until: datetime, hook: Hook, tools: Tools
    ) -> Progress:
        key = await self._key(repair, tools)
        try:
            answer = await _asked(_ask(repair, key, until), hook, tools)
        except AskingError as unclear:
            return Going(message=str(unclear), again=self.again)
        return await self._heard(answer, repair, tools)

    async def _key(self, repair: NodeRepair, tools: Tools) -> str:
        intent: Intent | None = repair.status.intent
        if intent is None:
            return await claim(repair, _ACTION, tools)
        await tools.guard()
        return intent.key

    async def _heard(self, answer: Answer, repair: NodeRepair, tools: Tools) -> Progress:
        said = f"webhook {self.name}: {answer.message or answer.state}"
        if answer.state is State.GOING:
            return Going(message=said, again=self.again)
        await forget(repair, tools)
        return Done(message=said) if answer.state is State.DONE else Failed(message=said)


def _ask(repair: NodeRepair, key: str, until: datetime) -> Ask:
    spec = repair.spec
    return Ask(
        key=key,
        until=until,
        target=spec.target,
        repair=repair.metadata.name,
        rule=spec.rule,
        evidence=spec.evidence,
    )


async def _asked(ask: Ask, hook: Hook, tools: Tools) -> Answer:
    """Believe only an answer of the right shape that is about the node we asked for."""
    service = Service(url=hook.url, secret_file=hook.secret_file, timeout=hook.timeout)
    said = await tools.ask(service, msgspec.json.encode(ask))
    try:
        answer = msgspec.json.decode(said, type=Answer)
    except msgspec.DecodeError as wrong:
        text = f"{service.place} answered with nonsense: {wrong}: {asking.quoted(said)}"
        raise AskingError(text) from wrong
    if answer.node_uid != ask.target.node_uid:
        expected = f"expected an answer about {ask.target.node_uid}"
        raise AskingError(f"{service.place}: {expected}, got one about {answer.node_uid}")
    return answer
