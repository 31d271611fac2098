"""What a signal is: the typed vocabulary in which agents state facts and rules ask for them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """Whether a signal is a state that lasts or a thing that happened."""

    LEVEL = "level"
    EVENT = "event"


class Knowledge(StrEnum):
    """How a level is known; what is unknown is never unhealthy."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "notApplicable"


class Author(StrEnum):
    """Who states a signal; nobody believes an agent that states what is not its to state."""

    AGENT = "agent"
    REMEDIATOR = "remediator"
    """It reads the fact off Nodes and pods, so that the fact is there when the agent is not."""


class Unit(StrEnum):
    """What a level's number counts."""

    RATIO = "ratio"
    BOOLEAN = "boolean"
    COUNT = "count"
    BYTES = "bytes"
    SECONDS = "seconds"
    CELSIUS = "celsius"
    PER_SECOND = "perSecond"


class FieldType(StrEnum):
    """The type of a signal's own field, under the names that CEL gives them."""

    INT = "int"
    STRING = "string"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The values that a level may take: whole multiples of a step, left only with hysteresis.

    A level is rounded down to the grid, so `value < t` and `value >= t` are exact for every
    threshold t on the grid, and noise smaller than the hysteresis never makes a write.
    """

    step: float
    hysteresis: float = 0.0
    coarse: float = 0.0
    """From here on only its own multiples are taken, with as much more of hysteresis: for shares of
    which only little matters. 0 means that all steps are alike."""

    def snap(self, raw: float, previous: float | None = None) -> float:
        """Return the grid value for a raw reading, staying at the previous one near its edges."""
        if previous is not None and self.holds(previous):
            edge = previous + self._step(previous)
            if previous - self._slack(previous) <= raw < edge + self._slack(edge):
                return previous
        step = self._step(raw)
        return _multiple(math.floor(round(raw / step, 9)), step)

    def holds(self, value: float) -> bool:
        """Say whether a value lies on the grid."""
        return math.isclose(value, self.nearest(value), abs_tol=1e-9)

    def nearest(self, value: float) -> float:
        """Return the grid value nearest to a value, for an error message."""
        step = self._step(value)
        return _multiple(round(value / step), step)

    def __str__(self) -> str:
        beyond = f" up to {self.coarse:g} and of {self.coarse:g} beyond" if self.coarse else ""
        return f"multiples of {self.step:g}{beyond}"

    def _step(self, value: float) -> float:
        return self.coarse if self.coarse and value >= self.coarse else self.step

    def _slack(self, edge: float) -> float:
        """Return how far beyond an edge a reading must be to cross it."""
        is_coarse = self.coarse and edge > self.coarse + self.hysteresis
        return self.hysteresis * self.coarse / self.step if is_coarse else self.hysteresis


def _multiple(steps: int, step: float) -> float:
    return round(steps * step, 10)


WHOLE = Grid(step=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One entry of the catalogue: everything that may be said under one name."""

    name: str
    kind: Kind
    about: str
    subject: str
    """What the fact is about, such as `mount point`; the empty string means the node itself."""
    source: str
    """Where its author reads the fact."""
    author: Author = Author.AGENT
    unit: Unit = Unit.COUNT
    grid: Grid = WHOLE
    fields: Mapping[str, FieldType] = field(default_factory=dict)
    healthy: float = 0.0
    """What it is when nothing at all is wrong: of a report that is too large, that goes first."""
    urgent: bool = False
    """Whether a change is written at once even while the agent saves its writes."""
    unknown: str = "The probe did not answer in time or could not read the source."
    """What it means when the level is unknown."""
