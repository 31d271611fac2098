"""Machines behind a web service of somebody's own: docs/providers.md says how it must answer."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
from msgspec import Meta

from nodehealth.kit import clocks, signing
from nodehealth.kube.client import Client
from nodehealth.kube.objects import Struct
from nodehealth.repair import Target
from remediator.providers import MachineState, Power, Provider, ProviderError, UnableError

_LONGEST: Final = timedelta(seconds=30)
"""An order, tried twice, must be over long before it may be given under another key."""
_TRIES: Final = 2
_PAUSE: Final = 1.0
_LONGEST_ANSWER: Final = 2**16
_QUOTED: Final = 120

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


class _AwayError(ProviderError):
    """Nobody answered, or perhaps somebody did: with the same key, it may be asked again."""


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
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"url: expected one such as https://host/path, got {self.url!r}")
        if not timedelta() < self.timeout <= _LONGEST:
            seconds = _LONGEST.total_seconds()
            raise ValueError(f"timeout: expected more than nothing and at most {seconds:g}s")

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
            raise UnableError(f"{self._place()} does not accept to {ask.action}: {reason}")

    async def _asked(self, ask: Ask, kind: type[Answer]) -> Answer:
        body, secret = msgspec.json.encode(ask), await self._secret()
        for _ in range(_TRIES - 1):
            try:
                return self._read(await self._exchange(body, secret), ask, kind)
            except _AwayError:
                await asyncio.sleep(_PAUSE)
        return self._read(await self._exchange(body, secret), ask, kind)

    async def _secret(self) -> bytes:
        """Read the secret anew each time: it may be changed while we run."""
        try:
            secret = (await asyncio.to_thread(Path(self.secret_file).read_bytes)).strip()
        except OSError as wrong:
            text = f"{self.secret_file}: expected the webhook's secret, {wrong.strerror}"
            raise ProviderError(text) from wrong
        if not secret:
            raise ProviderError(f"{self.secret_file}: expected the webhook's secret, it is empty")
        return secret

    async def _exchange(self, body: bytes, secret: bytes) -> bytes:
        headers = {
            "Content-Type": "application/json",
            **signing.headers(body, secret, clocks.wall()),
        }
        seconds = self.timeout.total_seconds()
        limits = aiohttp.ClientTimeout(total=seconds)
        try:
            async with (
                aiohttp.ClientSession(timeout=limits) as session,
                session.post(self.url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                said = await _whole(answer)
        except TimeoutError as late:
            raise _AwayError(f"{self._place()} was silent for {seconds:g} s") from late
        except (aiohttp.ClientError, OSError) as failed:
            raise _AwayError(f"{self._place()}: {type(failed).__name__}: {failed}") from failed
        if answer.status == 200:
            return said
        text = f"{self._place()}: expected 200, got {answer.status} {_quoted(said)}".rstrip()
        raise _AwayError(text) if answer.status >= 500 else ProviderError(text)

    def _read(self, said: bytes, ask: Ask, kind: type[Answer]) -> Answer:
        """Believe only an answer of the right shape that is about the machine we asked for."""
        try:
            answer = msgspec.json.decode(said, type=kind)
        except msgspec.DecodeError as wrong:
            text = f"{self._place()} answered {ask.action} with nonsense: {wrong}: {_quoted(said)}"
            raise ProviderError(text) from wrong
        if answer.node_uid != ask.target.node_uid:
            expected = f"expected an answer about {ask.target.node_uid}"
            raise ProviderError(f"{self._place()}: {expected}, got one about {answer.node_uid}")
        return answer

    def _place(self) -> str:
        """Name where it went without what may be secret: paths and queries often hold a token."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    """Read an answer to its end: a part of one may look like another one."""
    said = bytearray()
    async for chunk in answer.content.iter_any():
        said += chunk
        if len(said) > _LONGEST_ANSWER:
            raise ProviderError(f"expected an answer of at most {_LONGEST_ANSWER} bytes, got more")
    return bytes(said)


def _quoted(said: bytes) -> str:
    return " ".join(said[:_QUOTED].decode(errors="replace").split())
