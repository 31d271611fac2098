"""What an agent left behind for the one of the next boot: when it was alive, and if it was to end.

Pure. A machine that is shut down tells its programs to end; one that crashes tells nobody.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from agent.probe import Past
from agent.readings import Memo
from nodehealth.health import Fields

KEEPER: Final = "boots"
"""The probe that remembers it."""
_SUBJECT: Final = "last boot"
_DOWN: Final = timedelta(minutes=15)
"""How long a machine may take to go down and to come up again."""
_GOING_DOWN: Final = timedelta(hours=1)
"""How long it may take where it was told to: for disks, or for people, to be ready."""
LONG_AGO: Final = datetime.fromtimestamp(0, UTC)
"""When an agent was alive of which nobody knows until when."""
ALIVE: Final = timedelta(minutes=5)
"""How often an agent says that it is alive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastBoot:
    """The boot before this one, of the same Node; all times by the clock as it was set then."""

    boot_id: str
    alive_at: datetime
    """When its last agent was alive, at least."""
    ended_at: datetime | None = None
    """When that was told to end, if it was."""

    def was_orderly(self, began: datetime) -> bool | None:
        """Say how it ended; None where the agent was not there, or clocks do not fit.

        Args:
            began: When the boot after it began.
        """
        if self.ended_at is not None:
            return True if timedelta() <= began - self.ended_at <= _GOING_DOWN else None
        return False if timedelta() <= began - self.alive_at <= ALIVE + _DOWN else None

    def memo(self) -> Memo:
        """Say what is to be remembered."""
        ended = int(self.ended_at.timestamp()) if self.ended_at else 0
        alive = int(self.alive_at.timestamp())
        fields: Fields = {"boot": self.boot_id, "alive": alive, "ended": ended}
        return Memo(subject=_SUBJECT, fields=fields)


def remembered(past: Past) -> LastBoot | None:
    """Return what is known of the boot before this one."""
    before = past.get(("", _SUBJECT))
    if before is None:
        return None
    said = before.fields
    return LastBoot(
        boot_id=str(said["boot"]),
        alive_at=_at(said["alive"]),
        ended_at=_at(said["ended"]) if said["ended"] else None,
    )


def memos(last: LastBoot | None) -> Iterator[Memo]:
    """Say it again, as long as the boot lasts."""
    if last is not None:
        yield last.memo()


def _at(seconds: int | str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
