"""What Google Cloud tells an instance: maintenance that is near or planned, and preemption.

Every answer of the service says `Metadata-Flavor: Google`; one that does not comes from elsewhere.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from agent.host.clouds import service
from agent.host.clouds.exchange import Answer, UnclearError
from agent.host.clouds.facts import Bulletin, Effect, Notice, Told, Topic, joined
from agent.host.clouds.service import Service

_FLAVOR: Final = {"Metadata-Flavor": "Google"}
_INSTANCE: Final = "/computeMetadata/v1/instance"
_NOT_FOUND: Final = 404
_SERVER_ERROR: Final = 500
_NOTHING_YET: Final = b"no notifications have been received yet"
"""What it says of upcoming maintenance, with an error, while there never was any."""

_NEAR: Final[Mapping[str, Effect]] = {
    "MIGRATE_ON_HOST_MAINTENANCE": Effect.PAUSE,
    "TERMINATE_ON_HOST_MAINTENANCE": Effect.STOP,
}
_POLICIES: Final[Mapping[str, Effect]] = {"MIGRATE": Effect.PAUSE, "TERMINATE": Effect.STOP}
_STATUSES: Final = frozenset({"PENDING", "ONGOING"})


class Gcp(Service):
    """The metadata service of Compute Engine."""

    async def bulletin(self, patience: timedelta) -> Bulletin:
        """Read three documents at the same time."""
        near, planned, taken = await asyncio.gather(
            service.heard("maintenance-event", self._near(patience)),
            service.heard("upcoming-maintenance", self._planned(patience)),
            service.heard("preempted", self._preempted(patience)),
        )
        return {Topic.MAINTENANCE: joined(near, planned), Topic.INTERRUPTION: taken}

    async def _near(self, patience: timedelta) -> Told:
        answer = await self._asked("/maintenance-event", patience)
        return Told(notices=near(answer), at=answer.at)

    async def _planned(self, patience: timedelta) -> Told:
        answer = await self._asked("/upcoming-maintenance?alt=json", patience)
        if is_none_yet(answer):
            return Told(unsaid="upcoming-maintenance: nothing is said any more", at=answer.at)
        policy = Effect.OTHER
        if planned(answer, policy):
            policy = await self._policy(patience)
        return Told(notices=planned(answer, policy), at=answer.at)

    async def _preempted(self, patience: timedelta) -> Told:
        answer = await self._asked("/preempted", patience)
        return Told(notices=preempted(answer), at=answer.at)

    async def _policy(self, patience: timedelta) -> Effect:
        """Read what becomes of the instance in maintenance of which only the time is told."""
        try:
            answer = await self._asked("/scheduling/on-host-maintenance", patience)
            return _POLICIES.get(_word(answer), Effect.OTHER)
        except UnclearError:
            return Effect.OTHER

    async def _asked(self, path: str, patience: timedelta) -> Answer:
        answer = await self._get(f"{_INSTANCE}{path}", _FLAVOR, patience)
        if answer.headers.get("metadata-flavor") != "Google":
            raise UnclearError("not what the service says")
        return answer


def near(answer: Answer) -> tuple[Notice, ...]:
    """Read whether maintenance begins within a minute, or an hour where there are GPUs."""
    word = _word(answer)
    if word == "NONE":
        return ()
    if word not in _NEAR:
        raise UnclearError("not what the service says")
    return (Notice(effect=_NEAR[word], kind=word, begun=True),)


def is_none_yet(answer: Answer) -> bool:
    """Say whether there is no plan: the machine's kind has none, or none was ever made."""
    if answer.status == _NOT_FOUND:
        return True
    return answer.status >= _SERVER_ERROR and _NOTHING_YET in answer.body.lower()


def planned(answer: Answer, effect: Effect) -> tuple[Notice, ...]:
    """Read the maintenance that is planned; what is none is written in two ways."""
    if service.good(answer).body.strip() == b"NONE":
        return ()
    said = service.json(answer)
    if said in ({}, "NONE"):
        return ()
    status = _text(said, "maintenance_status", "maintenanceStatus")
    if status not in _STATUSES:
        raise UnclearError("maintenance in a state that is not known")
    kind = _text(said, "type", "type")
    notice = Notice(
        effect=effect,
        kind=f"planned-{kind}".lower(),
        not_before=_time(_text(said, "window_start_time", "windowStartTime", "startTime")),
        begun=status == "ONGOING",
    )
    return (notice,)


def preempted(answer: Answer) -> tuple[Notice, ...]:
    """Read whether the instance is being taken away."""
    word = _word(answer)
    if word not in {"TRUE", "FALSE"}:
        raise UnclearError("not what the service says")
    is_taken = word == "TRUE"
    return (Notice(effect=Effect.STOP, kind="preempted", begun=True),) if is_taken else ()


def _word(answer: Answer) -> str:
    return service.good(answer).body.decode("latin-1").strip().upper()


def _text(said: Any, *names: str) -> str:  # noqa: ANN401 - JSON enters here
    """Return the text under the first of several names that is there."""
    if isinstance(said, dict):
        for name in names:
            if isinstance(said.get(name), str):
                return str(said[name])
    raise UnclearError("not what the service says")


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as garbage:
        raise UnclearError("maintenance without its time") from garbage
    if time.tzinfo is None:
        raise UnclearError("maintenance without its time")
    return time
