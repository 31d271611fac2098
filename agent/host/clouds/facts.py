"""What a cloud may announce of a machine, in words that are the same for every cloud."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias


class Provider(StrEnum):
    """A cloud whose metadata service we can read."""

    AWS = "aws"
    AZURE = "azure"
    GCP = "gcp"


class Topic(StrEnum):
    """What a notice is about."""

    MAINTENANCE = "maintenance"
    """Something will be done to the machine or to the host below it, at a time that is said."""
    INTERRUPTION = "interruption"
    """The machine is taken away, within minutes."""
    REBALANCE = "rebalance"
    """The machine is likelier than usual to be taken away soon."""


class Effect(StrEnum):
    """What becomes of the machine, the worst last."""

    PAUSE = "pause"
    """It stands still for a while, or its network does, and goes on as it was."""
    OTHER = "other"
    """The cloud has a word for it that we do not know."""
    REBOOT = "reboot"
    """It boots anew and keeps its disks."""
    STOP = "stop"
    """It ends, for good or to come back on another host; what lay on local disks is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that is announced."""

    effect: Effect
    kind: str
    """In the cloud's own word."""
    event: str = ""
    """By what name the cloud knows it."""
    not_before: datetime | None = None
    """When it begins at the earliest, by the cloud's word."""
    begun: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a cloud says of one topic."""

    notices: tuple[Notice, ...] = ()
    unread: str = ""
    """Why some of it could not be read; there may be more than is known."""
    unsaid: str = ""
    """Why nothing that was announced before is taken back by its absence here."""
    at: datetime | None = None
    """What time it was by the service's own clock, if it said so."""


Bulletin: TypeAlias = Mapping[Topic, Told]
"""All that a cloud says; what it has no word for is missing."""

_WORST_FIRST: Final = tuple(reversed(Effect))


def joined(*told: Told) -> Told:
    """Put together what several documents say of one topic."""
    return Told(
        notices=tuple(notice for each in told for notice in each.notices),
        unread=", ".join(dict.fromkeys(each.unread for each in told if each.unread)),
        unsaid=", ".join(dict.fromkeys(each.unsaid for each in told if each.unsaid)),
        at=max((each.at for each in told if each.at is not None), default=None),
    )


def gravest(notices: Sequence[Notice]) -> Notice | None:
    """Return the notice with the worst effect, of several the one that comes first."""
    return min(notices, key=_rank, default=None)


def _rank(notice: Notice) -> tuple[int, float, str]:
    begins = notice.not_before.timestamp() if notice.not_before else float("-inf")
    return _WORST_FIRST.index(notice.effect), begins, notice.event
