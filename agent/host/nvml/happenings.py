"""What becomes of what a worker was asked."""

from dataclasses import dataclass
from typing import TypeAlias

from agent.host.nvml.facts import Hang
from agent.host.nvml.process import Line
from agent.host.nvml.roll import Turn
from agent.host.nvml.tasks import Task


@dataclass(slots=True, kw_only=True)
class Asked:
    """A batch under way."""

    number: int
    what: str
    at: float
    turn: Turn | None = None
    call: str = ""
    since: float = 0.0
    deep: Task | None = None
    """How its thread slept when it was seen first to sleep where nothing can end it."""
    deep_since: float | None = None
    is_slow: bool = False

    @property
    def pci(self) -> str:
        """The GPU that is asked; nothing where it is the driver."""
        return self.turn.pci if self.turn else ""

    def hang(self, task: Task) -> Hang:
        """Say what does not return, given what its thread does."""
        return Hang(call=self.call, since=self.since, state=task.state, wchan=task.wchan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A batch has come back."""

    asked: Asked
    line: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The worker said something without being asked."""

    line: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrun:
    """A batch is slow."""

    asked: Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A batch does not come back, and its worker is given up."""

    pci: str
    hang: Hang


@dataclass(frozen=True, slots=True, kw_only=True)
class Died:
    """The worker ended, though nobody told it to, or could not be started."""


Happening: TypeAlias = Answered | Told | Overrun | Missed | Died
