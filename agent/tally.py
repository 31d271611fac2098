"""What the agent has done since it began, counted for whoever watches it."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from agent.host.nvml.counts import Counts
from nodehealth.health import ProbeState


class Obstacle(StrEnum):
    """Why a report could not be written."""

    AWAY = "away"
    """The API server did not answer."""
    BUSY = "busy"
    """It wants to be left alone for a while."""
    FORBIDDEN = "forbidden"
    """It does not let us, or does not know us."""
    MISSING = "missing"
    """It has no NodeHealths: the CustomResourceDefinition is missing."""
    NOT_OURS = "not_ours"
    """The NodeHealth belongs to the machine that had the name before."""
    REFUSED = "refused"
    """It does not like what we wrote, or somebody else's change came first."""


class Tally:
    """Numbers that only the agent adds to.

    Args:
        nvml: What became of the NVML worker, where there may be one.
    """

    def __init__(self, *, nvml: Counts | None = None) -> None:
        self.nvml = nvml
        self.looks = Counter[tuple[str, ProbeState]]()
        """How often each probe fared so."""
        self.seconds: dict[str, float] = {}
        """How long each probe has taken, all looks together."""
        self.writes = 0
        self.failures = Counter[Obstacle]()
        self.written_at: datetime | None = None
        self.size = 0
        """Bytes of the report that was written last."""
        self.left_out: Mapping[str, int] = {}
        """What it lacks, by kind."""
        self.saves = 0
        self.saves_failed = 0

    def looked(self, probe: str, how: ProbeState, seconds: float) -> None:
        """Count one look of a probe."""
        self.looks[probe, how] += 1
        self.seconds[probe] = self.seconds.get(probe, 0.0) + seconds

    def wrote(self, at: datetime, size: int, left_out: Mapping[str, int]) -> None:
        """Count a report that was written."""
        self.writes += 1
        self.written_at, self.size, self.left_out = at, size, left_out
