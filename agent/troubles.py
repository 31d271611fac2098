"""What the kernel complained of becomes events, of a bounded number of names.

Pure. Devices and programs are called as the log calls them, and a log may call up thousands.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from agent.host import complaints
from agent.host.complaints.pattern import Complaint
from agent.host.records import Line
from agent.probe import Past
from agent.readings import Memo, Occurrence

MOST: Final = 12
"""How many names of one kind are told apart in a boot."""
OTHERS: Final = "others"
SYSTEM: Final = frozenset(
    {"kubelet", "containerd", "containerd-shim", "crio", "dockerd", "systemd"}
)
"""Programs without which a node is none: always called by their names."""
_NAMES: Final = "names "
_FREE: Final = ("comm", "disk")
"""Fields that hold what the log called something."""
_SUFFIX: Final = re.compile(r"[/:].*", re.DOTALL)
"""What tells one worker of the kernel from the next: kworker/u16:2, jbd2/sda1-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names that the log has called so far, by what they are names of."""

    known: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def called(self, kind: str, name: str) -> tuple["Names", str]:
        """Return what something is called from now on."""
        known = self.known.get(kind, ())
        if not name or name in SYSTEM or name in known:
            return self, name
        if len(known) >= MOST:
            return self, OTHERS
        return Names(known={**self.known, kind: (*known, name)}), name

    def memos(self) -> Iterator[Memo]:
        """Say what is to be remembered."""
        for kind, known in self.known.items():
            yield Memo(subject=f"{_NAMES}{kind}", fields=dict.fromkeys(known, 1))


def remembered(past: Past) -> Names:
    """Return the names of before."""
    return Names(
        known={
            subject.removeprefix(_NAMES): tuple(level.fields)
            for (name, subject), level in past.items()
            if not name and subject.startswith(_NAMES)
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What must be known of the machine to understand some complaints."""

    mounts: Mapping[str, str] = field(default_factory=dict)
    """Where the host has the filesystem of a device, by the kernel's name of the device."""
    own: frozenset[int] = frozenset()
    """Threads that are there and in no pod."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A complaint, and the line that it was in."""

    topic: str
    line: Line
    complaint: Complaint


def told(heard: Heard, names: Names, machine: Machine, *, silent: bool) -> tuple[Names, Occurrence]:
    """Say what happened; `silent` is whether a file server does not answer."""
    complaint = heard.complaint
    names, subject = _subject(complaint, names, machine)
    fields: dict[str, int | str] = dict(complaint.fields)
    for each in _FREE:
        if each in fields:
            kind = f"{complaint.signal} {each}"
            names, fields[each] = names.called(kind, _SUFFIX.sub("", str(fields[each])))
    return names, Occurrence(
        name=complaint.signal,
        at=heard.line.at,
        source=f"{heard.line.source} {heard.topic}",
        position=heard.line.sequence,
        subject=subject,
        fields={**fields, **_known(complaint, machine, silent=silent)},
        count=complaint.count,
    )


def threads(heard: Iterable[Heard]) -> frozenset[int]:
    """Return the threads that are complained of."""
    return frozenset(each.complaint.pid for each in heard if each.complaint.pid is not None)


def _subject(complaint: Complaint, names: Names, machine: Machine) -> tuple[Names, str]:
    if complaint.signal == complaints.FILESYSTEM and complaint.subject in machine.mounts:
        return names, complaint.subject  # there are as many as the host has mounted
    return names.called(complaint.signal, complaint.subject)


def _known(complaint: Complaint, machine: Machine, *, silent: bool) -> Mapping[str, int | str]:
    """Return what the line itself does not say."""
    if complaint.signal == complaints.FILESYSTEM:
        return {"mount": machine.mounts.get(complaint.subject, "")}
    if complaint.signal == complaints.HUNG:
        return {"own": int(complaint.pid in machine.own), "nfs": int(silent)}
    return {}
