"""The decision log: each decision about a repair as a line of JSON, written by whoever made it."""

from collections.abc import Callable
from typing import Final

import msgspec

from nodehealth.kit import clocks
from nodehealth.kit.clocks import Clock
from nodehealth.repair import NodeRepair
from remediator.decide import trail

_ENCODER: Final = msgspec.json.Encoder()


class Trail:
    """Writes down what was decided; the record that counts is the NodeRepair, written before.

    Args:
        write: Takes a line of JSON without its end; nowhere by default.
        clock: The present time.
    """

    def __init__(self, write: Callable[[str], None] | None, clock: Clock) -> None:
        self._write, self._clock = write, clock

    def begun(self, repair: NodeRepair) -> None:
        """Take a repair that was opened."""
        if self._write is not None:
            self._put(trail.begun(repair, self._clock()))

    def written(self, before: NodeRepair, after: NodeRepair) -> None:
        """Take a repair as it was read and as it was written."""
        if self._write is None:
            return
        for line in trail.written(before, after, self._clock()):
            self._put(line)

    def _put(self, line: trail.Line) -> None:
        if self._write is not None:
            self._write(_ENCODER.encode(line).decode())


SILENT: Final = Trail(None, clocks.wall)
"""Writes nothing."""
