"""The one door to the wall clock: whoever needs the time is handed a Clock."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

Clock: TypeAlias = Callable[[], datetime]
"""Returns the present time, aware and in UTC."""


def wall() -> datetime:
    """Read the machine's clock, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - the one door
