"""Whether the node's disks take what is written to them, and how long they take for it."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agent.host.guard import HungError
from agent.host.linux import Host
from agent.host.places import Place
from agent.host.writing import NotTriedError, named
from agent.probe import Past, Probe
from agent.readings import LONGEST_SUBJECT, Reading
from nodehealth import quantities
from nodehealth.signals import Knowledge

FAILED: Final = "disk.write_failed"
HUNG: Final = "disk.write_hung"
SECONDS: Final = "disk.write_seconds"

_DEFAULTS: Final = ("/var/lib/nodemend", "/var/lib/kubelet", "/var/lib/containerd")
_SPANS: Final = tuple(timedelta(seconds=each) for each in (0, 60, 600, 3600, 6 * 3600, 24 * 3600))


@dataclass(frozen=True, slots=True, kw_only=True)
class Writes(Probe):
    """Writes one small file a filesystem, syncs it, reads it back and removes it."""

    interval: timedelta = timedelta(minutes=1)
    """How often."""
    deadline: timedelta = timedelta(seconds=20)
    """How long all of them may take together."""
    directories: tuple[str, ...] = ()
    """Where, on the host; by default in nodemend's, the kubelet's and containerd's own directory,
    as far as they lie on local disks and the agent may write there."""
    patience: timedelta = timedelta(seconds=10)
    """After how long a write counts as hung."""

    async def check(self, host: Host, past: Past) -> Sequence[Reading]:
        """Write to all of them at once, so that one that hangs delays no other."""
        places = await host.volumes.places(self.directories or _DEFAULTS)
        chosen = [each for each in places if self.directories or each.is_local]
        filesystems: dict[str, list[Place]] = {}
        for each in chosen:
            filesystems.setdefault(each.number, []).append(each)
        tried = (self._tried(host, each, past) for each in filesystems.values())
        return [reading for readings in await asyncio.gather(*tried) for reading in readings]

    async def _tried(self, host: Host, places: Sequence[Place], past: Past) -> Sequence[Reading]:
        subject = _shortened(places[0].mount)
        before = past.get((FAILED, subject))
        was_written = before is not None and before.value is not None
        try:
            seconds = await self._seconds(host, places)
        except HungError as hung:
            return _hung(subject, hung)
        except NotTriedError as reason:
            is_awaited = was_written or bool(self.directories)
            return _unknown(subject, str(reason)) if is_awaited else ()
        except OSError as error:
            name = named(error)
            is_meant = name == "EROFS" and not was_written
            return () if is_meant else _failed(subject, name)
        return _written(subject, seconds)

    async def _seconds(self, host: Host, places: Sequence[Place]) -> float:
        """Write in the first place of a filesystem where that can be tried."""
        for place in places[:-1]:
            with contextlib.suppress(NotTriedError):
                return await host.volumes.write(place, patience=self.patience)
        return await host.volumes.write(places[-1], patience=self.patience)


def _written(subject: str, seconds: float) -> Sequence[Reading]:
    return (
        Reading(name=FAILED, subject=subject, value=0.0, fields={"error": ""}),
        Reading(name=HUNG, subject=subject, value=0.0),
        Reading(name=SECONDS, subject=subject, value=seconds),
    )


def _failed(subject: str, error: str) -> Sequence[Reading]:
    return (
        Reading(name=FAILED, subject=subject, value=1.0, fields={"error": error}),
        Reading(name=HUNG, subject=subject, value=0.0),
        Reading(name=SECONDS, subject=subject, knowledge=Knowledge.NOT_APPLICABLE),
    )


def _hung(subject: str, hung: HungError) -> Sequence[Reading]:
    """Say that it hangs, and in few words for how long: each other word would be a new report."""
    span = max(each for each in _SPANS if each <= max(hung.lasted, timedelta()))
    why = f"{hung} for more than {quantities.spoken(span)}" if span else str(hung)
    known = Reading(name=HUNG, subject=subject, value=1.0)
    return known, *_unread(subject, why, FAILED, SECONDS)


def _unknown(subject: str, why: str) -> Sequence[Reading]:
    return _unread(subject, why, FAILED, HUNG, SECONDS)


def _unread(subject: str, why: str, *names: str) -> Sequence[Reading]:
    return tuple(
        Reading(name=name, subject=subject, knowledge=Knowledge.UNKNOWN, why=why) for name in names
    )


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_SUBJECT else f"{name[: LONGEST_SUBJECT - 1]}…"
