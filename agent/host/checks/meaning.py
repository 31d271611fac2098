"""What an exit code and a few lines of text mean."""

import signal
from collections.abc import Mapping
from typing import Final

from agent.host.checks.facts import Manner, Result, Status, unknown

LONGEST: Final = 120
"""Characters of a message: reports are small, and a log is elsewhere."""

_CODES: Final[Mapping[Manner, Mapping[int, Status]]] = {
    Manner.NAGIOS: {0: Status.OK, 1: Status.WARNING, 2: Status.CRITICAL},
    Manner.PERMANENT: {0: Status.OK, 1: Status.CRITICAL},
    Manner.TEMPORARY: {0: Status.OK, 1: Status.WARNING},
}


def result(manner: Manner, code: int, said: bytes, complained: bytes = b"") -> Result:
    """Read how a program ended.

    Args:
        manner: How its exit code is meant.
        code: As Python gives it: below zero for the signal that killed it.
        said: What it wrote to its standard output.
        complained: What it wrote to its standard error, which is shown when it said nothing else.
    """
    if manner is Manner.VERBATIM and code >= 0:
        return Result(status=Status.OK, message=said.decode(errors="replace"))
    message = line(said, manner) or line(complained, manner)
    if code < 0:
        return unknown(f"killed by {_signal(-code)}", message)
    status = _CODES[manner].get(code)
    if status is None:
        return unknown(f"exit code {code}", message)
    return Result(status=status, message="" if status is Status.OK else message)


def line(said: bytes, manner: Manner = Manner.NAGIOS) -> str:
    """Return the first line that says something, without what cannot be printed."""
    for each in said.decode(errors="replace").splitlines():
        told = each.partition("|")[0] if manner is Manner.NAGIOS else each
        words = " ".join("".join(c if c.isprintable() else " " for c in told).split())
        if words:
            return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"
    return ""


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
