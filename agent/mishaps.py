"""What NVIDIA's drivers told becomes what happened to GPUs, under their UUIDs.

Pure. An XID that NVML tells and the kernel's log tells too carries what makes them known as one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from agent.host import nvlink5
from agent.host.nvml.facts import NvmlEvent
from agent.host.nvrm import Fault, GspTimeout, Named, OffBus, Said, SXid, Xid
from agent.host.records import Line
from agent.readings import Occurrence
from nodehealth.health import Fields

XID: Final = "gpu.xid"
SXID: Final = "gpu.sxid"
OFF_BUS: Final = "gpu.off_bus"
GSP_TIMEOUT: Final = "gpu.gsp_timeout"
JOBS_FAILED: Final = "gpu.jobs_failed"
XID_EVENT: Final = 0x8
"""NVML's kind of an event that is an XID."""
LOG: Final = "kmsg"
NVML: Final = "nvml"
HANGING: Final = frozenset({79, 119, 120})
"""XIDs after which calls to the GPU may not return for a long time."""
OF_APPLICATIONS: Final = frozenset(
    {8, 11, 13, 25, 31, 32, 39, 40, 41, 43, 45, 60, 68, 69, 70, 71, 72, 75, 76, 77, 80}
    | {82, 83, 84, 85, 86, 88, 89, *range(96, 106), *range(126, 136), 139}
)
"""XIDs that a bad program causes as well as a bad GPU, and that end it."""
MOST_JOBS: Final = 256
"""How many jobs and processes are remembered of a GPU."""

Heard: TypeAlias = tuple[Line, Said]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What must be known of a machine to understand what its driver says."""

    uuids: Mapping[str, str] = field(default_factory=dict)
    """By PCI address."""
    branch: int = 0
    """The driver's major version; 0 where it is not known."""

    def subject(self, pci: str) -> str:
        """Return what a GPU is called."""
        return self.uuids.get(pci, pci)


def logged(line: Line, said: Said, machine: Machine) -> Iterator[Occurrence]:
    """Say what a line of the kernel's log tells; each address is read on its own."""
    match said:
        case Xid():
            same = _same(said.pci, said.code)
            yield _from(line, XID, said.pci, machine, _of_xid(said, machine), same=same)
        case SXid():
            fields = {"code": said.code, "fatal": int(said.is_fatal)}
            link = {} if said.link is None else {"link": said.link}
            yield _from(line, SXID, said.pci, Machine(), fields | link)
        case OffBus():
            yield _from(line, OFF_BUS, said.pci, machine, {"pci": said.pci})
        case GspTimeout():
            yield _from(line, GSP_TIMEOUT, said.pci, machine, {})
        case Named():
            return


def told(event: NvmlEvent, machine: Machine) -> Iterator[Occurrence]:
    """Say what an event of NVML tells, if it is an XID."""
    if event.kind == XID_EVENT:
        yield Occurrence(
            name=XID,
            at=event.at,
            subject=machine.subject(event.pci),
            fields={"code": event.data, "pci": event.pci},
            same=_same(event.pci, event.data),
            via=NVML,
        )


def hanging(said: Said | NvmlEvent) -> str:
    """Return the address of a GPU that calls may hang on after this; else nothing."""
    match said:
        case Xid() if said.code in HANGING:
            return said.pci
        case NvmlEvent() if said.kind == XID_EVENT and said.data in HANGING:
            return said.pci
        case OffBus() | GspTimeout():
            return said.pci
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """The jobs that are known to have failed on each GPU, those that failed last at the end."""

    known: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By PCI address processes, such as `pid 4711`, and UIDs of pods."""

    def has(self, xid: Xid) -> bool:
        """Say whether the process of an XID is known to have failed there."""
        return _process(xid) in self.known.get(xid.pci, ())

    def failed(self, xid: Xid, pod: str) -> tuple["Jobs", bool]:
        """Remember the job of an XID; say whether it is its first."""
        before = self.known.get(xid.pci, ())
        job = pod or _process(xid)
        after = dict.fromkeys((*before, job, _process(xid)))
        known = {**self.known, xid.pci: tuple(after)[-MOST_JOBS:]}
        return Jobs(known=known), job not in before


def is_of_job(said: Said) -> bool:
    """Say whether something is an XID that a program caused, or that befell it at least."""
    return isinstance(said, Xid) and said.code in OF_APPLICATIONS and said.pid is not None


def job_failed(line: Line, xid: Xid, machine: Machine) -> Occurrence:
    """Say that a job failed on a GPU."""
    return _from(line, JOBS_FAILED, xid.pci, machine, {"pci": xid.pci})


def _from(
    line: Line, name: str, pci: str, machine: Machine, fields: Fields, *, same: str = ""
) -> Occurrence:
    return Occurrence(
        name=name,
        at=line.at,
        source=f"{line.source} {pci}",
        position=line.sequence,
        subject=machine.subject(pci),
        fields=fields,
        same=same,
        via=LOG if same else "",
    )


def _same(pci: str, code: int) -> str:
    return f"{pci} {code}"


def _process(xid: Xid) -> str:
    return f"pid {xid.pid}"


def _of_xid(xid: Xid, machine: Machine) -> Fields:
    fields: dict[str, int | str] = {"code": xid.code, "pci": xid.pci}
    if xid.fault is not None:
        fields |= _of_fault(xid.code, xid.fault, machine)
    return fields


def _of_fault(code: int, fault: Fault, machine: Machine) -> Fields:
    fields: dict[str, int | str] = {"severity": fault.severity, "unit": fault.unit}
    action = nvlink5.action(code, fault, machine.branch)
    return fields | {"link": fault.link} | ({"action": action} if action else {})
