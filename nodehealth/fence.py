"""The fence on a Node: which admission owns its cordon, in an annotation that patches can test."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Hold(StrEnum):
    """What an admission means for the Node."""

    CORDONED = "cordoned"
    DISRUPTED = "disrupted"
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """The value of the annotation `nodemend.dev/slot`."""

    epoch: int
    hold: Hold

    def __str__(self) -> str:
        return f"{self.epoch}:{self.hold}"

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Read an annotation's value; nothing for one that we did not write."""
        epoch, _, hold = text.partition(":")
        if not epoch.isdigit() or hold not in set(Hold):
            return None
        return cls(epoch=int(epoch), hold=Hold(hold))
