"""Signals of the node's clock."""

from typing import Final

from nodehealth.catalogue import grids
from nodehealth.signals import Kind, Signal, Unit

_NEVER: Final = "not applicable until the kernel was told in this boot that it is right"
_UNKNOWN: Final = "adjtimex(2) is forbidden to the agent."

SIGNALS: Final = (
    Signal(
        name="clock.unsynchronised",
        kind=Kind.LEVEL,
        about="Nothing keeps the node's clock right any more.",
        subject="",
        source=f"adjtimex(2): STA_UNSYNC; {_NEVER}, as chrony without rtcsync never tells it",
        unit=Unit.BOOLEAN,
        unknown=_UNKNOWN,
    ),
    Signal(
        name="clock.offset_seconds",
        kind=Kind.LEVEL,
        about="How much the clock is known to be off, and is being turned back or forth by.",
        subject="",
        source=f"adjtimex(2): offset, without its sign, which is half a second at most; {_NEVER}",
        unit=Unit.SECONDS,
        grid=grids.TENTH_OF_A_SECOND,
        unknown=_UNKNOWN,
    ),
    Signal(
        name="clock.max_error_seconds",
        kind=Kind.LEVEL,
        about="How far the clock may be off at most, as far as its keeper can tell.",
        subject="",
        source="adjtimex(2): maxerror, which grows by a second in half an hour while nobody "
        f"compares the clock with another one, up to 16 s; {_NEVER}",
        unit=Unit.SECONDS,
        grid=grids.FIVE_SECONDS,
        unknown=_UNKNOWN,
    ),
)
