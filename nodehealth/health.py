"""NodeHealth: what one agent knows of its node, and how well it knows it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import islice, product
from typing import Annotated, Final, TypeAlias

from msgspec import Meta, field, structs

from nodehealth import keys
from nodehealth.history import History
from nodehealth.kube.objects import Object, Resource, Struct
from nodehealth.signals import Knowledge

MOST_LEVELS: Final = 1024
"""How many levels a node may have: sixteen GPUs have half as many."""

Fields: TypeAlias = Mapping[str, int | str]
"""A signal's own fields, typed by the catalogue."""


class Level(Struct, frozen=True, kw_only=True):
    """A state that lasts, snapped to its grid."""

    name: Annotated[str, Meta(max_length=63)]
    since: datetime
    """When it took this value, by the node's clock."""
    subject: Annotated[str, Meta(max_length=253)] = ""
    value: float | None = None
    """Its number in the catalogue's unit; the last one known while it is unknown."""
    knowledge: Knowledge = Knowledge.KNOWN
    fields: Fields = field(default_factory=dict)
    flips: History = History()
    """When its value changed."""
    among: Annotated[tuple[Annotated[int, Meta(ge=0)], ...], Meta(max_length=256)] = ()
    """On the wire only: of which of the status's subjects all of this is true, by their places."""
    more_names: Annotated[tuple[Annotated[str, Meta(max_length=63)], ...], Meta(max_length=63)] = ()
    """On the wire only: other signals of which all of this is true, for each of the subjects."""


class Event(Struct, frozen=True, kw_only=True):
    """A thing that happened, counted per subject and fields."""

    name: Annotated[str, Meta(max_length=63)]
    boot_id: Annotated[str, Meta(max_length=63)]
    """The boot of the node in which it happened."""
    subject: Annotated[str, Meta(max_length=253)] = ""
    fields: Fields = field(default_factory=dict)
    count: Annotated[int, Meta(ge=1)] = 1
    """How often in that boot, agent restarts included."""
    history: History = History()


class ProbeState(StrEnum):
    """How a probe fared when it last ran."""

    STARTING = "Starting"
    OK = "OK"
    OVERDUE = "Overdue"
    FAILED = "Failed"


class ProbeReport(Struct, frozen=True, kw_only=True):
    """How good the evidence of one probe is."""

    name: Annotated[str, Meta(max_length=63)]
    state: ProbeState
    since: datetime
    message: Annotated[str, Meta(max_length=256)] = ""


class NodeHealthStatus(Struct, frozen=True, kw_only=True):
    """The agent's whole report; each write replaces the one before."""

    node_uid: Annotated[str, Meta(max_length=63)] = ""
    boot_id: Annotated[str, Meta(max_length=63)] = ""
    agent_version: Annotated[str, Meta(max_length=63)] = ""
    reported_at: datetime | None = None
    """When the agent wrote this, by the node's clock: never a measure of freshness."""
    refresh_seconds: Annotated[int, Meta(ge=1, le=86400)] = 300
    """Within how many seconds the agent means to write again."""
    levels: Annotated[tuple[Level, ...], Meta(max_length=256)] = ()
    events: Annotated[tuple[Event, ...], Meta(max_length=128)] = ()
    probes: Annotated[tuple[ProbeReport, ...], Meta(max_length=64)] = ()

    subjects: Annotated[tuple[Annotated[str, Meta(max_length=253)], ...], Meta(max_length=256)] = ()
    """On the wire only: what several levels are about."""

    def __post_init__(self) -> None:
        """Give each subject of a level a level of its own: nobody else sees them packed."""
        if any(level.among or level.more_names for level in self.levels):
            levels = islice(_unpacked(self.levels, self.subjects), MOST_LEVELS)
            told = sorted(levels, key=lambda level: (level.name, level.subject))
            structs.force_setattr(self, "levels", tuple(told))
            structs.force_setattr(self, "subjects", ())


def _unpacked(levels: Iterable[Level], subjects: Sequence[str]) -> Iterator[Level]:
    """Give each level by itself; what is about no subject that there is, was never said."""
    for level in levels:
        about = [subjects[each] for each in level.among if each < len(subjects)]
        names = (level.name, *level.more_names)
        for name, subject in product(names, about if level.among else (level.subject,)):
            yield structs.replace(level, name=name, subject=subject, among=(), more_names=())


class NodeHealth(Object, frozen=True, kw_only=True):
    """Facts about one node, written only by that node's agent."""

    status: NodeHealthStatus = NodeHealthStatus()


NODE_HEALTHS: Final = Resource(
    group=keys.GROUP,
    version=keys.VERSION,
    plural="nodehealths",
    kind="NodeHealth",
    namespaced=False,
    type=NodeHealth,
)
