"""Whether anything keeps the node's clock right, and how far it may be off."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agent.host.discipline import Discipline
from agent.host.linux import Host
from agent.probe import Past, Probe
from agent.readings import Answer, Reading
from nodehealth.signals import Knowledge

UNSYNCHRONISED: Final = "clock.unsynchronised"
OFFSET: Final = "clock.offset_seconds"
MAX_ERROR: Final = "clock.max_error_seconds"
_ALL: Final = (UNSYNCHRONISED, OFFSET, MAX_ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock(Probe):
    """Asks the kernel, which is told by chrony, ntpd or systemd-timesyncd."""

    interval: timedelta = timedelta(minutes=1)
    """How often."""

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:
        """Say how well the time is kept, if that was ever said in this boot."""
        try:
            kept = await host.discipline()
        except OSError as refusal:
            return _unread(f"the kernel cannot be asked: {refusal.strerror}")
        before = past.get((UNSYNCHRONISED, ""))
        was_right = before is not None and before.value is not None
        if not (kept.is_synchronised or was_right):
            return [Reading(name=name, knowledge=Knowledge.NOT_APPLICABLE) for name in _ALL]
        return [Reading(name=name, value=value) for name, value in _values(kept).items()]


def _values(kept: Discipline) -> dict[str, float]:
    return {
        UNSYNCHRONISED: float(not kept.is_synchronised),
        OFFSET: abs(kept.offset),
        MAX_ERROR: kept.max_error,
    }


def _unread(why: str) -> list[Reading]:
    return [Reading(name=name, knowledge=Knowledge.UNKNOWN, why=why) for name in _ALL]
