"""NodeHealth: what one agent knows of its node, and how well it knows it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import islice
from typing import Annotated, Final, TypeAlias, TypeVar

from msgspec import Meta, field, structs

from nodehealth import history, keys
from nodehealth.history import History, Time
from nodehealth.kube.objects import Object, Resource, Struct
from nodehealth.signals import Knowledge

_T = TypeVar("_T")

Fields: TypeAlias = Mapping[str, int | str]
"""A signal's own fields, typed by the catalogue."""

MOST_LEVELS: Final = 1024
"""How many levels a report may hold once it is unpacked; what is more is not read."""
MOST_SAID: Final = 2 * MOST_LEVELS
"""How many it may say before that, as two may say the same thing of one subject."""
VERSION_LENGTH: Final = 63
_Index: TypeAlias = Annotated[int, Meta(ge=0)]


class Level(Struct, frozen=True, kw_only=True, gc=False):
    """A state that lasts, snapped to its grid."""

    name: Annotated[str, Meta(max_length=63)]
    since: Time
    """When it took this value, by the node's clock."""
    subject: Annotated[str, Meta(max_length=253)] = ""
    value: float | None = None
    """Its number in the catalogue's unit; the last one known while it is unknown."""
    knowledge: Knowledge = Knowledge.KNOWN
    fields: Fields = field(default_factory=dict)
    flips: History = History()
    """When its value changed."""
    more_subjects: Annotated[
        tuple[Annotated[str, Meta(max_length=253)], ...], Meta(max_length=255)
    ] = ()
    """On the wire only: other subjects of which all of this is true; see NodeHealthStatus."""
    of: Annotated[tuple[_Index, ...], Meta(max_length=MOST_LEVELS)] = ()
    """On the wire only, in place of a subject: which of the status' subjects this is true of."""
    field_sets: Annotated[tuple[_Index, ...], Meta(max_length=MOST_LEVELS)] = ()
    """On the wire only, in place of fields: for each of `of` which of the status' field sets."""
    also: Annotated[
        Mapping[Annotated[str, Meta(max_length=63)], float | None], Meta(max_length=255)
    ] = field(default_factory=dict)
    """On the wire only: values of other levels of which all else of this is true."""


class Event(Struct, frozen=True, kw_only=True):
    """A thing that happened, counted per subject and fields."""

    name: Annotated[str, Meta(max_length=63)]
    boot_id: Annotated[str, Meta(max_length=63)] = ""
    """The boot of the node in which it happened; not said on the wire where it is the report's."""
    subject: Annotated[str, Meta(max_length=253)] = ""
    fields: Fields = field(default_factory=dict)
    count: Annotated[int, Meta(ge=1)] = 1
    """How often in that boot, agent restarts included."""
    history: History = History()
    of: Annotated[tuple[_Index, ...], Meta(max_length=1)] = ()
    """On the wire only, in place of a subject: which of the status' subjects it is about."""


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
    since: Time
    message: Annotated[str, Meta(max_length=256)] = ""
    more_names: Annotated[tuple[Annotated[str, Meta(max_length=63)], ...], Meta(max_length=63)] = ()
    """On the wire only: other probes of which all of this is true."""


class NodeHealthStatus(Struct, frozen=True, kw_only=True):
    """The agent's whole report; each write replaces the one before."""

    node_uid: Annotated[str, Meta(max_length=63)] = ""
    boot_id: Annotated[str, Meta(max_length=63)] = ""
    agent_version: Annotated[str, Meta(max_length=VERSION_LENGTH)] = ""
    driver_version: Annotated[str, Meta(max_length=VERSION_LENGTH)] = ""
    """Of the GPU driver that is loaded, or was last; empty where an agent knows of none."""
    reported_at: Time | None = None
    """When the agent wrote this, by the node's clock: never a measure of freshness."""
    refresh_seconds: Annotated[int, Meta(ge=1, le=86400)] = 300
    """Within how many seconds the agent means to write again."""
    levels: Annotated[tuple[Level, ...], Meta(max_length=256)] = ()
    events: Annotated[tuple[Event, ...], Meta(max_length=128)] = ()
    probes: Annotated[tuple[ProbeReport, ...], Meta(max_length=64)] = ()
    subjects: Annotated[
        tuple[Annotated[str, Meta(max_length=253)], ...], Meta(max_length=MOST_LEVELS)
    ] = ()
    """On the wire only: what levels are about, said once."""
    field_sets: Annotated[tuple[Fields, ...], Meta(max_length=MOST_LEVELS)] = ()
    """On the wire only: fields of levels, said once."""

    def __post_init__(self) -> None:
        """Give each subject of a level a level of its own: nobody else sees them packed.

        Of two that say the same thing of one subject the first holds: what is true of most may be
        said of all, behind what is not.

        Raises:
            ValueError: it was written at a time that nobody can reckon with.
        """
        if self.reported_at is not None:
            history.check(self.reported_at)
        if any(level.more_subjects or level.of or level.also for level in self.levels):
            structs.force_setattr(self, "levels", self.unpacked())
        if any(event.of or not event.boot_id for event in self.events):
            structs.force_setattr(self, "events", tuple(_each_event(self)))
        if self.subjects or self.field_sets:
            structs.force_setattr(self, "subjects", ())
            structs.force_setattr(self, "field_sets", ())
        if any(probe.more_names for probe in self.probes):
            probes = sorted(_each_probe(self.probes), key=lambda probe: probe.name)
            structs.force_setattr(self, "probes", tuple(probes))

    def said(self) -> tuple[Level, ...]:
        """Return the levels; where they are kept packed, each perhaps about several subjects."""
        return self.levels

    def says_the_same(self, other: "NodeHealthStatus") -> bool:
        """Say whether the levels are known to be another's."""
        return self.levels == other.levels

    def unpacked(self) -> tuple[Level, ...]:
        """Return the levels as whoever reads them shall find them."""
        levels = dict[tuple[str, str], Level]()
        for each in islice(_unpacked(self), MOST_SAID):
            levels.setdefault((each.name, each.subject), each)
        return tuple(levels[key] for key in sorted(levels))


_NOTHING: Final[Mapping[str, float | None]] = {}
"""One for all: a level of its own has nothing else to say."""


def _unpacked(status: NodeHealthStatus) -> Iterator[Level]:
    for level in status.levels:
        for subject, fields in subjects(level, status):
            for name, value in {level.name: level.value, **level.also}.items():
                yield Level(
                    name=name,
                    subject=subject,
                    value=value,
                    fields=fields,
                    since=level.since,
                    knowledge=level.knowledge,
                    flips=level.flips,
                    also=_NOTHING,
                )


def subjects(level: Level, status: NodeHealthStatus) -> Iterator[tuple[str, Fields]]:
    """Give what a level is about, each with its fields; what points nowhere is about nothing."""
    if not level.of:
        for each in (level.subject, *level.more_subjects):
            yield each, level.fields
        return
    own: Sequence[Fields | None] = (level.fields,) * len(level.of)
    sets = [_nth(status.field_sets, at) for at in level.field_sets] or own
    for subject, fields in zip((_nth(status.subjects, at) for at in level.of), sets, strict=False):
        if subject is not None and fields is not None:
            yield subject, fields


def _each_event(status: NodeHealthStatus) -> Iterator[Event]:
    for event in status.events:
        subject = _nth(status.subjects, event.of[0]) if event.of else event.subject
        if subject is not None:
            boot_id = event.boot_id or status.boot_id
            yield structs.replace(event, subject=subject, boot_id=boot_id, of=())


def _each_probe(probes: Iterable[ProbeReport]) -> Iterator[ProbeReport]:
    for probe in probes:
        for name in (probe.name, *probe.more_names):
            yield structs.replace(probe, name=name, more_names=())


def _nth(table: Sequence[_T], at: int) -> _T | None:
    """Return what is said there; nothing where somebody points at what is not said."""
    return table[at] if at < len(table) else None


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
