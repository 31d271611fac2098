"""Machines behind a web service of somebody's own: docs/providers.md says how it must answer."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from nodehealth.kube.client import Client
from nodehealth.kube.objects import Struct
from nodehealth.repair import Target
from remediator import asking
from remediator.asking import Service
from remediator.providers import MachineState, Power, Provider, ProviderError, UnableError

Short = Annotated[str, Meta(max_length=512)]


class Ask(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is asked of the web service."""

    version: Literal["v1"] = "v1"
    action: Literal["state", "fence", "power-cycle", "replace"]
    key: str = ""
    """With an order: what was carried out under this key is not carried out again."""
    target: Target


class StateAnswer(Struct, frozen=True, kw_only=True):
    """How a machine is."""

    version: Literal["v1"]
    node_uid: Short
    machine: MachineState
    power: Power


class OrderAnswer(Struct, frozen=True, kw_only=True):
    """Whether an order was accepted."""

    version: Literal["v1"]
    node_uid: Short
    accepted: bool
    reason: Short = ""


Answer = TypeVar("Answer", StateAnswer, OrderAnswer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Provider):
    """Asks a web service by signed messages."""

    url: str
    secret_file: str
    """The file with the secret that messages are signed with."""
    timeout: timedelta = timedelta(seconds=10)
    """How long one answer may take."""

    def __post_init__(self) -> None:
        """Refuse what can't be asked."""
        self._service()

    async def state(self, target: Target, client: Client) -> MachineState:
        """Ask what has become of the machine."""
        del client
        return (await self._state(target)).machine

    async def power(self, target: Target, client: Client) -> Power:
        """Ask whether the machine is on."""
        del client
        return (await self._state(target)).power

    async def replace(self, target: Target, key: str, client: Client) -> None:
        """Order the machine to be replaced."""
        del client
        await self._order(Ask(action="replace", key=key, target=target))

    async def fence(self, target: Target, key: str, client: Client) -> None:
        """Order the machine to be off."""
        del client
        await self._order(Ask(action="fence", key=key, target=target))

    async def power_cycle(self, target: Target, key: str, client: Client) -> None:
        """Order the machine to be switched off and on."""
        del client
        await self._order(Ask(action="power-cycle", key=key, target=target))

    async def _state(self, target: Target) -> StateAnswer:
        return await self._asked(Ask(action="state", target=target), StateAnswer)

    async def _order(self, ask: Ask) -> None:
        answer = await self._asked(ask, OrderAnswer)
        if not answer.accepted:
            reason = answer.reason or "it gave no reason"
            raise UnableError(f"{self._service().place} does not accept to {ask.action}: {reason}")

    async def _asked(self, ask: Ask, kind: type[Answer]) -> Answer:
        service = self._service()
        try:
            said = await service.ask(msgspec.json.encode(ask))
        except asking.AskingError as unclear:
            raise ProviderError(str(unclear)) from unclear
        return _read(said, ask, kind, service.place)

    def _service(self) -> Service:
        return Service(url=self.url, secret_file=self.secret_file, timeout=self.timeout)


def _read(said: bytes, ask: Ask, kind: type[Answer], place: str) -> Answer:
    """Believe only an answer of the right shape that is about the machine we asked for."""
    try:
        answer = msgspec.json.decode(said, type=kind)
    except msgspec.DecodeError as wrong:
        text = f"{place} answered {ask.action} with nonsense: {wrong}: {asking.quoted(said)}"
        raise ProviderError(text) from wrong
    if answer.node_uid != ask.target.node_uid:
        expected = f"expected an answer about {ask.target.node_uid}"
        raise ProviderError(f"{place}: {expected}, got one about {answer.node_uid}")
    return answer
