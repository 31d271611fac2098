"""What happened to the GPUs: XIDs from NVML and the kernel's log, told as soon as they come."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from agent import cards, mishaps
from agent.host import nvrm
from agent.host.guard import HungError
from agent.host.linux import Host
from agent.host.nvml.facts import Driver, Gpus, NvmlEvent, Standing
from agent.host.nvrm import Named, Said, SXid, Xid
from agent.host.records import NVIDIA, Line
from agent.host.stream import Stream
from agent.mishaps import Heard, Jobs, Machine
from agent.probe import Past, Probe
from agent.readings import Answer, Aside, Gap, Memo, Occurrence

_UUIDS: Final = "uuids"
_JOBS: Final = "jobs "
_UNSETTLED: Final = frozenset({Driver.ABSENT, Driver.STARTING, Driver.UNKNOWN})
"""The driver may still come to tell the UUID of a GPU."""
_SETTLES: Final = timedelta(seconds=30)
"""For how long what happened to a GPU waits for its UUID."""
_TWIN: Final = timedelta(seconds=5)
"""For how long what NVML tells waits for the log where that tells more."""
_FRESH: Final = timedelta(minutes=1)
"""Within this time a number of a process still means the same one."""
_RECENT: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Xids(Probe):
    """Takes what NVML and the kernel's log have told since the last look."""

    interval: timedelta = timedelta(seconds=10)

    def listens(self, host: Host) -> Sequence[Stream[Any]]:
        """Listen to both."""
        return [host.kernel_log.stream(NVIDIA), host.gpu_events]

    async def check(self, host: Host, past: Past) -> Sequence[Answer | Aside]:
        """Say what happened, each once, and what cannot be watched."""
        gpus, heard = host.gpus(), _heard(host.kernel_log.stream(NVIDIA).take())
        events = host.gpu_events.take()
        machine = _machine(gpus, past, heard, events)
        heard = _settled(heard, host, gpus, machine)
        events = _alone(events, host)
        hanging = _hanging(heard, events, host)
        for pci in hanging:
            host.rest(pci)
        for pci in _hurt(heard, host) - hanging:
            host.hurry(pci)
        jobs, failed = await _failed(heard, host, machine, _jobs(past))
        happened = (each for line, said in heard for each in mishaps.logged(line, said, machine))
        known = (each for event in events for each in mishaps.told(event, machine))
        return [*happened, *known, *failed, *_memos(machine, jobs), *_gaps(host, gpus)]


def _heard(lines: Iterable[Line]) -> Sequence[Heard]:
    read = ((line, nvrm.said(line.text)) for line in lines)
    return [(line, said) for line, said in read if said is not None]


def _machine(
    gpus: Gpus, past: Past, heard: Sequence[Heard], events: Sequence[NvmlEvent]
) -> Machine:
    """Gather all that is known of which GPU is where, what is known best last."""
    kept = past.get(("", _UUIDS))
    before = {pci: str(uuid) for pci, uuid in kept.fields.items()} if kept else {}
    named = {said.pci: said.uuid for _, said in heard if isinstance(said, Named)}
    told = {each.pci: each.uuid for each in events if each.uuid}
    asked = {each.pci: each.uuid for each in gpus.cards if each.uuid}
    branch = gpus.version.partition(".")[0]
    return Machine(
        uuids={**before, **named, **told, **asked}, branch=int(branch) if branch.isdecimal() else 0
    )


def _settled(heard: Sequence[Heard], host: Host, gpus: Gpus, machine: Machine) -> Sequence[Heard]:
    """Put back what happened to a GPU whose UUID may be known in a moment."""
    ready, early = list[Heard](), list[Line]()
    for line, said in heard:
        waits = _is_young(line.heard, host, _SETTLES) and _may_be_named(said, gpus, machine)
        if waits:
            early.append(line)
        else:
            ready.append((line, said))
    host.kernel_log.stream(NVIDIA).put_back(early)
    return ready


def _is_young(heard: datetime, host: Host, limit: timedelta) -> bool:
    """Let nothing wait for a clock that was set back."""
    return timedelta() <= host.now() - heard < limit


def _may_be_named(said: Said, gpus: Gpus, machine: Machine) -> bool:
    if isinstance(said, SXid) or not said.pci or said.pci in machine.uuids:
        return False
    is_there = gpus.driver is not Driver.ABSENT or said.pci in gpus.bus.gpus
    return (gpus.driver in _UNSETTLED and is_there) or _is_next(said.pci, gpus)


def _is_next(pci: str, gpus: Gpus) -> bool:
    """Say whether a driver that is up was not yet asked for the name of a GPU, but can be."""
    card = next((each for each in gpus.cards if each.pci == pci), None)
    is_waiting = card is not None and card.standing is Standing.UNASKED and not cards.refusal(card)
    return gpus.driver is Driver.UP and is_waiting


def _alone(events: Sequence[NvmlEvent], host: Host) -> Sequence[NvmlEvent]:
    """Put back what the log will tell in a moment, and with it how bad it is."""
    early, ready = list[NvmlEvent](), list[NvmlEvent]()
    for each in events:
        is_poor = each.kind == mishaps.XID_EVENT and each.data in nvrm.NVLINK5
        waits = is_poor and not host.kernel_log.trouble and _is_young(each.at, host, _TWIN)
        (early if waits else ready).append(each)
    host.gpu_events.put_back(early)
    return ready


def _hanging(heard: Sequence[Heard], events: Sequence[NvmlEvent], host: Host) -> frozenset[str]:
    """Return the GPUs that calls may hang on: what happened long ago is no reason."""
    since = host.now() - _RECENT
    logged = {mishaps.hanging(said) for line, said in heard if line.at > since}
    return frozenset(logged | {mishaps.hanging(each) for each in events}) - {""}


def _hurt(heard: Sequence[Heard], host: Host) -> frozenset[str]:
    """Return the GPUs that something happened to just now; what NVML tells, it was asked about."""
    since = host.now() - _FRESH
    return frozenset(s.pci for line, s in heard if isinstance(s, Xid) and line.at > since)


async def _failed(
    heard: Sequence[Heard], host: Host, machine: Machine, jobs: Jobs
) -> tuple[Jobs, Sequence[Occurrence]]:
    """Find the jobs that had their first error."""
    theirs = [
        (line, said)
        for line, said in heard
        if isinstance(said, Xid) and mishaps.is_of_job(said) and not jobs.has(said)
    ]
    fresh = [said.pid for line, said in theirs if line.heard - line.at < _FRESH]
    pods = await _pods(host, (pid for pid in fresh if pid is not None))
    found = list[Occurrence]()
    for line, said in theirs:
        jobs, is_first = jobs.failed(said, pods.get(said.pid or 0, ""))
        if is_first:
            found.append(mishaps.job_failed(line, said, machine))
    return jobs, found


async def _pods(host: Host, pids: Iterable[int]) -> Mapping[int, str]:
    """Ask while the processes may still be there; a process stands for a pod that is not known."""
    asked = frozenset(pids)
    if not asked:
        return {}
    try:
        return await host.pods(asked)
    except HungError:
        return {}


def _jobs(past: Past) -> Jobs:
    return Jobs(
        known={
            subject.removeprefix(_JOBS): tuple(level.fields)
            for (name, subject), level in past.items()
            if not name and subject.startswith(_JOBS)
        }
    )


def _memos(machine: Machine, jobs: Jobs) -> Iterable[Memo]:
    if machine.uuids:
        yield Memo(subject=_UUIDS, fields=machine.uuids)
    for pci, known in jobs.known.items():
        yield Memo(subject=f"{_JOBS}{pci}", fields=dict.fromkeys(known, 1))


def _gaps(host: Host, gpus: Gpus) -> Iterable[Gap]:
    """Say what cannot be watched, where there is something to watch."""
    bus, log = gpus.bus, host.kernel_log
    if not (bus.gpus or bus.switches or bus.module or gpus.cards):
        return
    if log.trouble:
        blind = (
            "SXids and failed jobs" if gpus.driver is Driver.UP else "XIDs, SXids and failed jobs"
        )
        yield Gap(why=f"{blind} are not seen: {log.trouble}")
    if log.losses.within(_RECENT):
        yield Gap(why="records of the kernel's log were lost before they were counted")
    if host.gpu_events.losses.within(_RECENT):
        yield Gap(why="events of NVML were lost before they were counted")
