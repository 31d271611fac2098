"""What a person can mend is said in one line, without a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import typer

from nodehealth.kit.settings import SettingsError
from nodehealth.kube import errors

USAGE: Final = 2
"""The exit code for what the person who typed the command can mend."""


@contextmanager
def said(*kinds: type[Exception]) -> Iterator[None]:
    """Say what went wrong and end, if it is of these kinds or of those that any command meets."""
    mendable: tuple[type[Exception], ...] = (SettingsError, errors.KubeError, *kinds)
    try:
        yield
    except mendable as wrong:
        sys.stderr.write(f"nodemend: {wrong}\n")
        raise typer.Exit(USAGE) from wrong
