"""Which file servers do not answer: the last word of the kernel's log on each of them.

Pure. A log that is read anew from its oldest record says again what was heard before.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from agent.host import complaints
from agent.host.complaints.pattern import Complaint
from agent.host.records import KMSG_SOURCE, Line
from agent.probe import Past
from agent.readings import Memo, Reading
from nodehealth.health import Level
from nodehealth.signals import Knowledge

MOST: Final = 16
"""How many servers are remembered; one that answers gives way to another one."""
_NAMED: Final = 3
_WALL: Final = 1_000_000_000
"""Seconds for which no machine is up: an earlier version kept how long ago 1970 was."""
_SERVER: Final = "nfs "
_LOST: Final = "lines of the log were lost after a file server fell silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What was heard of a server last."""

    position: int
    """The number of the line."""
    at: int
    """When it was read, in seconds since the machine started."""
    source: str
    """Who numbers the line."""
    is_down: bool
    is_lost: bool = False
    """Whether lines were lost since: it may answer again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """All servers that the log told of in this boot, those heard of last at the end."""

    known: Mapping[str, Server] = field(default_factory=dict)

    @property
    def silent(self) -> tuple[str, ...]:
        """Return those that do not answer."""
        return tuple(sorted(name for name, each in self.known.items() if each.is_down))

    def heard(self, line: Line, complaint: Complaint) -> "Servers":
        """Take in a line, unless it was heard before, or too many servers are silent already."""
        before = self.known.get(complaint.subject)
        position = before.position if before and before.source == line.source else -1
        if line.sequence <= position:
            return self
        others = {name: each for name, each in self.known.items() if name != complaint.subject}
        if len(others) >= MOST:
            answering = next((name for name, each in others.items() if not each.is_down), None)
            if answering is None:
                return self
            del others[answering]
        server = Server(
            position=line.sequence,
            at=int(line.up),
            source=line.source,
            is_down=complaint.fields["state"] == complaints.DOWN,
        )
        return Servers(known={**others, complaint.subject: server})

    def missed(self, lost_at: float | None) -> "Servers":
        """Doubt whatever was silent before lines were lost."""
        if lost_at is None:
            return self
        return Servers(
            known={
                name: replace(each, is_lost=True) if each.is_down and lost_at > each.at else each
                for name, each in self.known.items()
            }
        )

    def reading(self, trouble: str) -> Reading:
        """Say how many do not answer, if that is known."""
        if trouble:
            return Reading(name=complaints.NFS, knowledge=Knowledge.UNKNOWN, why=trouble)
        if not self.known:
            return Reading(name=complaints.NFS, knowledge=Knowledge.NOT_APPLICABLE)
        if any(each.is_down and each.is_lost for each in self.known.values()):
            return Reading(name=complaints.NFS, knowledge=Knowledge.UNKNOWN, why=_LOST)
        fields = {"servers": _named(self.silent)} if self.silent else {}
        return Reading(name=complaints.NFS, value=float(len(self.silent)), fields=fields)

    def memos(self) -> Iterator[Memo]:
        """Say what is to be remembered."""
        for name, each in self.known.items():
            flags = {"down": int(each.is_down), "lost": int(each.is_lost)}
            read: dict[str, int | str] = {"position": each.position, "at": each.at}
            fields = {**read, "source": each.source, **flags}
            yield Memo(subject=f"{_SERVER}{name}", fields=fields)


def remembered(past: Past) -> Servers:
    """Return what was known before."""
    return Servers(
        known={
            subject.removeprefix(_SERVER): _server(level)
            for (name, subject), level in past.items()
            if not name and subject.startswith(_SERVER)
        }
    )


def _server(level: Level) -> Server:
    said = level.fields
    at = int(said["at"])
    return Server(
        position=int(said["position"]),
        at=at if at < _WALL else 0,
        source=str(said.get("source", KMSG_SOURCE)),
        is_down=bool(said["down"]),
        is_lost=bool(said["lost"]),
    )


def _named(names: tuple[str, ...]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
