"""What Azure tells a machine: scheduled events, those of its neighbours among them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from msgspec import Struct

from agent.host.clouds import exchange, service
from agent.host.clouds.exchange import Answer, UnclearError
from agent.host.clouds.facts import Bulletin, Effect, Notice, Told, Topic
from agent.host.clouds.service import Service

_HEADERS: Final = {"Metadata": "true"}
_EVENTS: Final = "/metadata/scheduledevents?api-version=2020-07-01"
_NAME: Final = "/metadata/instance/compute/name?api-version=2021-02-01&format=text"
_LONGEST_NAME: Final = 128
_EFFECTS: Final[Mapping[str, Effect]] = {
    "Freeze": Effect.PAUSE,
    "Reboot": Effect.REBOOT,
    "Redeploy": Effect.STOP,
    "Preempt": Effect.STOP,
    "Terminate": Effect.STOP,
}
_TAKEN: Final = frozenset({"Preempt", "Terminate"})
_STATUSES: Final = frozenset({"Scheduled", "Started"})


class _Event(Struct, rename="pascal"):
    event_id: str
    event_type: str
    event_status: str
    resource_type: str
    resources: list[str]
    not_before: str = ""


class _Document(Struct, rename="pascal"):
    document_incarnation: int
    events: list[_Event]


class Azure(Service):
    """The instance metadata service of Azure.

    Who asks for scheduled events for the first time switches them on for the machine, which may
    take two minutes; nobody who asks agrees to one.
    """

    def __init__(self, base: str) -> None:
        super().__init__(base)
        self._name = ""

    async def bulletin(self, patience: timedelta) -> Bulletin:
        """Read one document, and before the first the name by which it calls this machine."""
        try:
            self._name = self._name or name(await self._get(_NAME, _HEADERS, patience))
            answer = await self._get(_EVENTS, _HEADERS, patience)
            ours = events(answer, self._name)
        except UnclearError as unclear:
            unread = Told(unread=f"scheduled events: {unclear}")
            return {Topic.MAINTENANCE: unread, Topic.INTERRUPTION: unread}
        taken = tuple(each for each in ours if each.kind in _TAKEN)
        other = tuple(each for each in ours if each.kind not in _TAKEN)
        return {
            Topic.MAINTENANCE: Told(notices=other, at=answer.at),
            Topic.INTERRUPTION: Told(notices=taken, at=answer.at),
        }


def name(answer: Answer) -> str:
    """Read what the machine is called; in a scale set that is not its host name."""
    said = service.good(answer).body.decode("latin-1").strip()
    plain = said.replace("-", "").replace("_", "").replace(".", "")
    if not (plain.isascii() and plain.isalnum() and len(said) <= _LONGEST_NAME):
        raise UnclearError("no name of the machine")
    return said


def events(answer: Answer, own: str) -> tuple[Notice, ...]:
    """Read the events that a machine of a name is among those to suffer."""
    said: _Document = service.json(answer, _Document)
    return tuple(
        _notice(each)
        for each in said.events
        if own.casefold() in {resource.casefold() for resource in each.resources}
    )


def _notice(said: _Event) -> Notice:
    begins = exchange.rfc2822(said.not_before)
    if said.event_status not in _STATUSES:
        raise UnclearError("an event in a state that is not known")
    begun = said.event_status == "Started"
    if begins is None and not begun:
        raise UnclearError("an event without its time")
    return Notice(
        effect=_EFFECTS.get(said.event_type, Effect.OTHER),
        kind=said.event_type,
        event=said.event_id,
        not_before=begins,
        begun=begun,
    )
