"""After how long a repair is looked at again."""

from datetime import timedelta
from typing import Final, TypeAlias

AT_ONCE: Final = timedelta()
Again: TypeAlias = timedelta | None
"""After how long to look again: at once when zero, only when something changes when nothing."""


def span(again: timedelta) -> timedelta:
    """Never look again at once by accident: that would be a hot loop."""
    return max(again, timedelta(milliseconds=10))
