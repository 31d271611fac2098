"""Whether the container runtime does its work, as it says itself over the CRI, if it is asked."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from agent.host import cri
from agent.host.cri import Condition, Listing
from agent.host.grpc import DeclinedError
from agent.host.guard import HungError
from agent.host.linux import Host
from agent.probe import Past, Probe
from agent.readings import Reading
from nodehealth.signals import Knowledge

READY: Final[Mapping[str, str]] = {
    "runtime.not_ready": cri.RUNTIME_READY,
    "runtime.network_not_ready": cri.NETWORK_READY,
}
LIST: Final = "runtime.list_seconds"
START: Final = "runtime.start_seconds"
SPACE: Final = "runtime.images_free_ratio"
INODES: Final = "runtime.images_free_inodes_ratio"

_NO_SOCKET: Final = "there is no socket of a container runtime"
_DECLINED: Final = "the runtime does not answer over the CRI"
_LATE: Final = "the runtime does not answer in time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Containers(Probe):
    """Asks the first runtime that is there, of those that it is told of; by default none."""

    sockets: tuple[str, ...] = ()
    """Of containerd, CRI-O or cri-dockerd, on the host."""
    patience: timedelta = timedelta(seconds=15)
    """How long each question may take."""

    async def check(self, host: Host, past: Past) -> Sequence[Reading]:
        """Ask all at the same time: what one question waits for is no matter of another's."""
        if not self.sockets:
            return []
        socket = await host.ask("sockets", lambda root: cri.there(root, self.sockets))
        if socket is None:
            return _unasked((*READY, LIST, START, SPACE, INODES), _NO_SOCKET, past)
        told = await asyncio.gather(
            _or_unasked(self._ready(host, socket), READY, past),
            _or_unasked(self._listed(host, socket), (LIST, START), past),
            _or_unasked(self._room(host, socket), (SPACE, INODES), past),
        )
        return [each for readings in told for each in readings]

    async def _ready(self, host: Host, socket: str) -> Sequence[Reading]:
        found = await host.over(socket, cri.conditions, patience=self.patience)
        return [_condition(name, found.get(kind)) for name, kind in READY.items()]

    async def _listed(self, host: Host, socket: str) -> Sequence[Reading]:
        try:
            found = await host.over(socket, cri.listing, patience=self.patience)
        except TimeoutError:
            unknown = Knowledge.UNKNOWN
            slow = Reading(name=LIST, value=self.patience.total_seconds())
            return [slow, Reading(name=START, knowledge=unknown, why=_LATE)]
        return [Reading(name=LIST, value=found.seconds), _start(found, host.now())]

    async def _room(self, host: Host, socket: str) -> Sequence[Reading]:
        folders = await host.over(socket, cri.image_mounts, patience=self.patience)
        if not folders:
            raise DeclinedError
        usages = [await host.volumes.room(each, patience=self.patience) for each in folders]
        space = [_share(each.free_blocks, each.blocks) for each in usages]
        inodes = [_share(each.free_inodes, each.inodes) for each in usages]
        return [_least(SPACE, folders, space), _least(INODES, folders, inodes)]


async def _or_unasked(
    asked: Awaitable[Sequence[Reading]], names: Iterable[str], past: Past
) -> Sequence[Reading]:
    """Return what is answered, or that it is not."""
    try:
        return await asked
    except DeclinedError:
        return _unasked(names, _DECLINED, past)
    except (TimeoutError, HungError):
        return _unasked(names, _LATE, past)
    except OSError as error:
        return _unasked(names, error.strerror or str(error), past)


def _unasked(names: Iterable[str], why: str, past: Past) -> Sequence[Reading]:
    """Say of each that it is unknown, or that nobody ever knew it: some runtimes have no CRI."""
    return [_unanswered(name, why, past) for name in names]


def _unanswered(name: str, why: str, past: Past) -> Reading:
    before = past.get((name, ""))
    if before is None or before.value is None:
        return Reading(name=name, knowledge=Knowledge.NOT_APPLICABLE)
    return Reading(name=name, knowledge=Knowledge.UNKNOWN, why=why)


def _condition(name: str, found: Condition | None) -> Reading:
    if found is None:
        return Reading(name=name, knowledge=Knowledge.NOT_APPLICABLE)
    why = "" if found.is_true else found.reason
    return Reading(name=name, value=float(not found.is_true), fields={"why": why})


def _start(found: Listing, now: datetime) -> Reading:
    if found.oldest_unstarted is None:
        return Reading(name=START, value=0.0)
    return Reading(name=START, value=max(0.0, now.timestamp() - found.oldest_unstarted / 1e9))


def _share(free: int, of: int) -> float | None:
    return free / of if of > 0 else None


def _least(name: str, folders: Sequence[str], shares: Sequence[float | None]) -> Reading:
    known = [(share, at) for share, at in zip(shares, folders, strict=True) if share is not None]
    if not known:
        return Reading(name=name, knowledge=Knowledge.NOT_APPLICABLE)
    share, folder = min(known)
    return Reading(name=name, value=share, fields={"folder": folder})
