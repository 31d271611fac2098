"""Kubernetes Events: what `kubectl describe` shows of our doings, one per object and reason."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import Object, Resource, Struct, T

_LONGEST_MESSAGE: Final = 1024
_TRIES: Final = 3


class Reference(Struct, frozen=True, kw_only=True):
    """The object that an event is about."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""
    uid: str = ""


class Event(Object, frozen=True, kw_only=True):
    """Something that happened to an object, and how often."""

    involved_object: Reference
    reason: str = ""
    message: str = ""
    type: str = "Normal"
    count: int = 0
    first_timestamp: datetime | None = None
    last_timestamp: datetime | None = None


EVENTS: Final = Resource(
    group="", version="v1", plural="events", kind="Event", namespaced=True, type=Event
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What shall be told of an object."""

    about: Reference
    reason: str
    """CamelCase, from a closed set: it is part of the event's identity."""
    message: str
    at: datetime
    type: Literal["Normal", "Warning"] = "Normal"


def reference(resource: Resource[T], found: T) -> Reference:
    """Refer to an object that was read; members of a list do not carry their kind."""
    return Reference(
        api_version=resource.api_version,
        kind=resource.kind,
        name=found.metadata.name,
        namespace=found.metadata.namespace,
        uid=found.metadata.uid,
    )


def name(note: Note) -> str:
    """Name the event that tells this of this object, today and whenever it happens again."""
    about = note.about
    identity = f"{about.api_version}/{about.kind}/{about.namespace}/{about.uid}/{note.reason}"
    return f"{about.name[:200]}.{hashlib.sha256(identity.encode()).hexdigest()[:16]}"


async def record(client: Client, note: Note) -> None:
    """Create the event, or count it once more; what was told already, by its time, is not counted.

    Raises:
        nodehealth.kube.errors.KubeError: it could not be told; nothing depends on it.
    """
    namespace = note.about.namespace or "default"  # where events of cluster-wide objects live
    for _ in range(_TRIES):
        if await _created(client, namespace, note) or await _counted(client, namespace, note):
            return
    raise errors.ConflictError(f"{namespace}/{name(note)}: others count this event all the time")


async def _created(client: Client, namespace: str, note: Note) -> bool:
    """Create the event; False if it exists."""
    try:
        await client.create(EVENTS, _new(client.manager, namespace, note), namespace=namespace)
    except errors.ConflictError:
        return False
    return True


async def _counted(client: Client, namespace: str, note: Note) -> bool:
    """Count the event that exists once more; False if it expired or changed meanwhile."""
    try:
        known = await client.get(EVENTS, name(note), namespace=namespace)
        told = known.message, known.last_timestamp
        if told == (note.message[:_LONGEST_MESSAGE], note.at.replace(microsecond=0)):
            return True
        again = {
            "metadata": {"resourceVersion": known.metadata.resource_version},
            "count": known.count + 1,
            "message": note.message[:_LONGEST_MESSAGE],
            "lastTimestamp": note.at.replace(microsecond=0),
        }
        await client.merge_patch(EVENTS, name(note), again, namespace=namespace)
    except (errors.GoneError, errors.ConflictError):
        return False
    return True


def _new(manager: str, namespace: str, note: Note) -> dict[str, object]:
    at = note.at.replace(microsecond=0)
    return {
        "metadata": {"name": name(note), "namespace": namespace},
        "involvedObject": note.about,
        "reason": note.reason,
        "message": note.message[:_LONGEST_MESSAGE],
        "type": note.type,
        "count": 1,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "source": {"component": manager},
        "reportingComponent": manager,
        "reportingInstance": manager,
    }
