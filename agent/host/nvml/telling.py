"""What is said of the driver, by what it said itself and by those who wait for it in vain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from agent.host.nvml import life
from agent.host.nvml.calls import FIELDS
from agent.host.nvml.custody import Lost
from agent.host.nvml.facts import Card, Driver, Hang
from agent.host.nvml.life import Life

MOST_LOST: Final = 2
_ACTION: Final = "230"
_ROWS: Final = "nvmlDeviceGetRemappedRows"


@dataclass(slots=True, kw_only=True)
class Said:
    """What NVML said of itself."""

    system: Mapping[str, Any] = field(default_factory=dict)
    count: int | None = None
    counted_at: float = float("-inf")
    listed: int = 0
    """For which number of GPUs they were listed."""
    at: float = float("-inf")
    """When it answered last, whatever it was asked."""
    stuck: Hang | None = None
    """A call that did not return, though nothing proves that it is the kernel's doing."""


def hung(lost: Sequence[Lost], *, is_answered: bool) -> Hang | None:
    """Return the call for which the whole driver is held to hang.

    Args:
        lost: Who waits in vain.
        is_answered: Whether another worker could open NVML since.
    """
    if len(lost) >= MOST_LOST:
        return lost[-1].hang
    of_driver = [each.hang for each in lost if not each.pci]
    return of_driver[0] if of_driver and not is_answered else None


def pressing(card: Card) -> tuple[object, ...]:
    """Return what of a GPU must be told as soon as it is known: whether and how it is to be mended.

    Of its fields, what its driver wants done; beside them which rows are given up.
    """
    fields = card.answers.get(FIELDS)
    action = fields.get(_ACTION) if isinstance(fields, Mapping) else None
    return (card.pci, card.standing, repr(action), repr(card.answers.get(_ROWS)))


def standing(
    known: Life, said: Said, now: float, *, fresh: float
) -> tuple[Driver, int, Hang | None]:
    """Say how a driver stands that is not known to hang, with its code, or with what is stuck."""
    driver, code = life.standing(known, now)
    is_silent = now - said.at > fresh
    if is_silent and said.stuck is not None:
        return Driver.UNKNOWN, 0, said.stuck
    if is_silent and driver is Driver.UP:
        return Driver.UNKNOWN, 0, None
    return driver, code, None
