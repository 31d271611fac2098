"""Checks that a test writes down: small programs of the shell."""

from datetime import timedelta
from pathlib import Path

from agent.host.checks.facts import Check, Manner

MINUTE = timedelta(minutes=1)
LONG = timedelta(seconds=30)


def script(path: Path, body: str, mode: int = 0o755) -> Path:
    """Write a program, as its owner alone may."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(mode)
    return path


def check(
    name: str,
    *command: str,
    every: timedelta = MINUTE,
    timeout: timedelta = LONG,
    manner: Manner = Manner.NAGIOS,
    refused: str = "",
) -> Check:
    """Return a check."""
    return Check(
        name=name, command=command, every=every, timeout=timeout, manner=manner, refused=refused
    )
