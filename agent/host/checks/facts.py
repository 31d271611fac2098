"""What a check is, and what it may say."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

MOST_SAID: Final = 4096
"""Bytes that are kept of what a program writes to either stream, unless more are wanted."""


class Status(StrEnum):
    """What a check says of the machine."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


class Manner(StrEnum):
    """How the exit code of a check is read."""

    NAGIOS = "nagios"
    """0 ok, 1 warning, 2 critical."""
    PERMANENT = "permanent"
    """0 ok, 1 critical: a rule of node-problem-detector that sets a condition."""
    TEMPORARY = "temporary"
    """0 ok, 1 warning: one that makes an event."""
    VERBATIM = "verbatim"
    """Whatever it says is its answer, all of it, however it ends of itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A program, and how often and how long it may run."""

    name: str
    command: tuple[str, ...] = ()
    """The program's absolute path and its arguments: no shell reads them."""
    manner: Manner = Manner.NAGIOS
    every: timedelta
    timeout: timedelta
    most_said: int = MOST_SAID
    refused: str = ""
    """Why it is not run, if it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a check."""

    status: Status
    message: str = ""
    """What it says in one line; of one that is well, nothing."""
    why: str = ""
    """Why nothing is known, in words that stay the same while it is so."""


def unknown(why: str, message: str = "") -> Result:
    """Say that a check told nothing."""
    return Result(status=Status.UNKNOWN, message=message, why=why)
