"""What AWS tells an instance: scheduled events, spot interruptions, rebalance, its group's wish.

Nothing is read without a token, as IMDSv2 wants it. A document that is not there says that there is
no notice, but only to who shows a token: then it is surely this service that has no such document.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from agent.host.clouds import exchange, service
from agent.host.clouds.exchange import Answer, UnclearError
from agent.host.clouds.facts import Bulletin, Effect, Notice, Told, Topic, joined
from agent.host.clouds.service import Service

TOKEN_LIFE: Final = timedelta(hours=6)
"""The longest that the service gives."""
_TTL: Final = "X-aws-ec2-metadata-token-ttl-seconds"
_TOKEN: Final = "X-aws-ec2-metadata-token"  # noqa: S105 - a header's name
_DATA: Final = "/latest/meta-data"
_NOT_FOUND: Final = 404
_UNAUTHORIZED: Final = 401
_LONGEST_TOKEN: Final = 512

_EFFECTS: Final[Mapping[str, Effect]] = {
    "instance-reboot": Effect.REBOOT,
    "system-reboot": Effect.REBOOT,
    "system-maintenance": Effect.PAUSE,
    "instance-retirement": Effect.STOP,
    "instance-stop": Effect.STOP,
}
_STATES: Final = frozenset({"active", "completed", "canceled"})
_LIFECYCLES: Final = frozenset(
    {"Detached", "InService", "Standby", "Terminated"}
    | {f"Warmed:{each}" for each in ("Hibernated", "Running", "Stopped", "Terminated")}
)


class _Scheduled(Struct, rename="pascal"):
    code: str
    state: str
    not_before: str
    event_id: str = ""


class _Spot(Struct):
    action: str
    time: datetime


class _Rebalance(Struct, rename="camel"):
    notice_time: datetime


class Aws(Service):
    """The metadata service of EC2."""

    def __init__(self, base: str) -> None:
        super().__init__(base)
        self._token, self._expires = "", 0.0
        self._turn = asyncio.Lock()

    async def bulletin(self, patience: timedelta) -> Bulletin:
        """Read four documents at the same time, with one token."""
        try:
            await self._valid(patience)
        except UnclearError as unclear:
            return dict.fromkeys(Topic, Told(unread=str(unclear)))
        read = {
            "events": ("/events/maintenance/scheduled", scheduled),
            "spot": ("/spot/instance-action", spot),
            "group": ("/autoscaling/target-lifecycle-state", lifecycle),
            "rebalance": ("/events/recommendations/rebalance", rebalance),
        }
        told = await asyncio.gather(
            *(
                service.heard(what, self._told(path, meaning, patience))
                for what, (path, meaning) in read.items()
            )
        )
        events, interruption, group, recommended = told
        return {
            Topic.MAINTENANCE: events,
            Topic.INTERRUPTION: joined(interruption, group),
            Topic.REBALANCE: recommended,
        }

    async def _told(
        self, path: str, meaning: Callable[[Answer], tuple[Notice, ...]], patience: timedelta
    ) -> Told:
        token = await self._valid(patience)
        answer = await self._get(f"{_DATA}{path}", {_TOKEN: token}, patience)
        if answer.status == _UNAUTHORIZED:
            self._forget(token)
            token = await self._valid(patience)
            answer = await self._get(f"{_DATA}{path}", {_TOKEN: token}, patience)
        notices = () if answer.status == _NOT_FOUND else meaning(service.good(answer))
        return Told(notices=notices, at=answer.at)

    async def _valid(self, patience: timedelta) -> str:
        """Return the token, asking for a new one when this one has lived for most of its time."""
        async with self._turn:
            now = asyncio.get_running_loop().time()
            if not self._token or now >= self._expires:
                self._token = await self._asked(patience)
                self._expires = now + TOKEN_LIFE.total_seconds() * 0.9
            return self._token

    async def _asked(self, patience: timedelta) -> str:
        seconds = f"{TOKEN_LIFE.total_seconds():.0f}"
        url = f"{self._base}/latest/api/token"
        try:
            answer = await exchange.ask(
                url, method="PUT", headers={_TTL: seconds}, patience=patience
            )
            token = service.good(answer).body.decode("latin-1").strip()
        except UnclearError as unclear:
            raise UnclearError(f"no token, {unclear}") from unclear
        if _TTL.lower() not in answer.headers or not _is_token(token):
            raise UnclearError("no token, not what the service says")
        return token

    def _forget(self, token: str) -> None:
        """Give up a token that is refused, unless somebody has a newer one already."""
        if self._token == token:
            self._token = ""


def scheduled(answer: Answer) -> tuple[Notice, ...]:
    """Read the events that are scheduled; those that are over are listed too."""
    listed: list[_Scheduled] = service.json(answer, list[_Scheduled])
    return tuple(_event(each) for each in listed if _is_active(each.state))


def spot(answer: Answer) -> tuple[Notice, ...]:
    """Read when a spot instance is stopped, hibernated or terminated."""
    said: _Spot = service.json(answer, _Spot)
    return (Notice(effect=Effect.STOP, kind=f"spot-{said.action}", not_before=_timed(said.time)),)


def rebalance(answer: Answer) -> tuple[Notice, ...]:
    """Read that a spot instance is at risk; the time is when that was said."""
    said: _Rebalance = service.json(answer, _Rebalance)
    time = _timed(said.notice_time)
    return (Notice(effect=Effect.STOP, kind="rebalance", not_before=time),)


def lifecycle(answer: Answer) -> tuple[Notice, ...]:
    """Read in what state the instance's group wants to see it."""
    wanted = answer.body.decode("latin-1").strip()
    if wanted not in _LIFECYCLES:
        raise UnclearError("not what the service says")
    if not wanted.endswith("Terminated"):
        return ()
    return (Notice(effect=Effect.STOP, kind="group-terminates", begun=True),)


def _event(said: _Scheduled) -> Notice:
    begins = exchange.rfc2822(said.not_before)
    if begins is None:
        raise UnclearError("an event without its time")
    return Notice(
        effect=_EFFECTS.get(said.code, Effect.OTHER),
        kind=said.code,
        event=said.event_id,
        not_before=begins,
    )


def _is_active(state: str) -> bool:
    if state not in _STATES:
        raise UnclearError("an event in a state that is not known")
    return state == "active"


def _timed(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise UnclearError("a time without its zone")
    return time


def _is_token(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_TOKEN and text.isascii() and text.isprintable()
