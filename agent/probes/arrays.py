"""Whether RAIDs by software, and volumes over several paths, have all that they are made of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agent.host.arrays import Array, Bundle
from agent.host.linux import Host
from agent.probe import Past, Probe
from agent.readings import Reading
from nodehealth.signals import Knowledge

MISSING: Final = "raid.disks_missing"
FAILED: Final = "raid.failed"
PATHS_DOWN: Final = "multipath.paths_down"

_STOPPED: Final = frozenset({"clear", "inactive"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrays(Probe):
    """Watches all of them."""

    interval: timedelta = timedelta(minutes=1)
    """How often."""
    most: int = 16
    """How many of each kind are watched."""

    async def check(self, host: Host, past: Past) -> Sequence[Reading]:
        """Say what they lack."""
        there = await host.volumes.arrays()
        arrays = there.arrays[: self.most]
        return [
            *(reading for each in arrays for reading in _array(each, past)),
            *(_bundle(each, past) for each in there.bundles[: self.most]),
        ]


def _array(array: Array, past: Past) -> Iterator[Reading]:
    before = past.get((FAILED, array.name))
    was_active = before is not None and before.value is not None
    if array.state in _STOPPED and not was_active:
        yield Reading(name=FAILED, subject=array.name, knowledge=Knowledge.NOT_APPLICABLE)
        return
    has_failed = array.state in _STOPPED or array.is_beyond_repair
    fields = {"level": array.level}
    yield Reading(name=FAILED, subject=array.name, fields=fields, value=float(has_failed))
    yield Reading(name=MISSING, subject=array.name, fields=fields, value=float(array.missing))


def _bundle(bundle: Bundle, past: Past) -> Reading:
    before = past.get((PATHS_DOWN, bundle.name))
    most = int(before.fields.get("paths", 0)) if before is not None else 0
    paths = max(most, bundle.paths)
    down = float(paths - bundle.working)
    return Reading(name=PATHS_DOWN, subject=bundle.name, fields={"paths": paths}, value=down)
