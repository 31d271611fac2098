"""What the kernel complains of in its log, beside GPUs: each line counted once."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from agent import bookmark, fileservers, troubles
from agent.buckets import Teller
from agent.host import complaints, mounts
from agent.host.guard import HungError
from agent.host.kmsg import KernelLog
from agent.host.linux import Host
from agent.host.stream import Stream
from agent.probe import Past, Probe
from agent.readings import Answer, Aside, Gap
from agent.troubles import Heard, Machine

_TURN: Final = 2048
"""How many lines are understood before the rest of the agent gets its turn: more than the reader of
the log reads in the two turns that each line costs, or a storm would outrun us."""
_FRESH: Final = timedelta(minutes=10)
"""Within this time a number of a thread still means the same one."""
_RECENT: Final = timedelta(minutes=10)
_LOST: Final = "records of the kernel's log were lost before they were counted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaints(Probe):
    """Takes what the kernel's log has told since the last look."""

    interval: timedelta = timedelta(seconds=10)

    def listens(self, host: Host) -> Sequence[Stream[Any]]:
        """Listen to the log."""
        return [*map(host.kernel_log.stream, complaints.BY_TOPIC)]

    async def check(self, host: Host, past: Past) -> Sequence[Answer | Aside]:
        """Say what happened, each once, which file servers are silent, and what is not seen."""
        read = tuple(bookmark.memos(host.kernel_log))
        heard = await _heard(host.kernel_log)
        machine = Machine(mounts=await _mounts(host, heard), own=await _own(host, heard))
        servers, names = fileservers.remembered(past), troubles.remembered(past)
        teller = Teller(past, host.now())
        for at, each in enumerate(heard):
            if at % _TURN == 0:
                await asyncio.sleep(0)
            if each.complaint.signal == complaints.NFS:
                servers = servers.heard(each.line, each.complaint)
                continue
            silent = bool(servers.silent)
            names, occurrence = troubles.told(each, names, machine, silent=silent)
            teller.tell(each.complaint.pattern, each.line.source, occurrence)
        servers = servers.missed(host.kernel_log.losses.at)
        level = servers.reading(host.kernel_log.trouble)
        memos = (*servers.memos(), *names.memos(), *teller.memos(), *read)
        return [*teller.told(), level, *memos, *_gaps(host)]


async def _heard(log: KernelLog) -> Sequence[Heard]:
    """Take what is there, and understand it in the order in which it was written."""
    heard = list[Heard]()
    taken = [(topic, line) for topic in complaints.BY_TOPIC for line in log.stream(topic).take()]
    for at, (topic, line) in enumerate(taken):
        if at % _TURN == 0:
            await asyncio.sleep(0)
        if complaint := complaints.said(topic, line.text):
            heard.append(Heard(topic=topic, line=line, complaint=complaint))
    return sorted(heard, key=lambda each: each.line.sequence)


async def _mounts(host: Host, heard: Sequence[Heard]) -> Mapping[str, str]:
    """Find where the host has its filesystems, if any is complained of."""
    if not any(each.complaint.signal == complaints.FILESYSTEM for each in heard):
        return {}
    try:
        return await host.volumes.by_device(mounts.watched(await host.volumes.filesystems()))
    except (OSError, HungError):
        return {}  # what the line says is told all the same


async def _own(host: Host, heard: Sequence[Heard]) -> frozenset[int]:
    fresh = [each for each in heard if each.line.heard - each.line.at < _FRESH]
    asked = troubles.threads(fresh)
    if not asked:
        return frozenset()
    try:
        return await host.own(asked)
    except HungError:
        return frozenset()


def _gaps(host: Host) -> Iterator[Gap]:
    log = host.kernel_log
    if log.trouble:
        yield Gap(why=f"nothing that the kernel complains of is seen: {log.trouble}")
    if log.losses.within(_RECENT):
        yield Gap(why=_LOST)
