"""Which checks lie in a folder, and which of them are not run, and why."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

from agent.host import attributes
from agent.host.checks import npd, trust
from agent.host.checks.facts import Check

LONGEST_NAME: Final = 128
_LARGEST: Final = 256 * 1024
"""Bytes of a configuration."""


def found(folder: Path, *, every: timedelta, timeout: timedelta) -> tuple[Check, ...]:
    """Return the checks of a folder in the order of their names; none if there is no folder.

    What begins with a dot is no check, nor is a folder. What ends in `.json` is a configuration of
    node-problem-detector, and everything else a program.

    Args:
        folder: Its path.
        every: How often a program is run.
        timeout: How long it may take.

    Raises:
        OSError: the folder is there but cannot be read.
    """
    names = attributes.names(folder)
    if names is None:
        return ()
    paths = [folder / name for name in names if not name.startswith(".")]
    listed = [
        replace(each, name=attributes.printable(each.name))
        for path in paths
        for each in _listed(path, every, timeout)
    ]
    refused = trust.folder_refusal(folder)
    if refused:
        return tuple(replace(each, refused=each.refused or refused) for each in listed)
    return tuple(_trusted(each) for each in listed)


def judged(check: Check) -> Check:
    """Return a check that lies elsewhere, refused if its program may not be run."""
    return _trusted(check)


def _listed(path: Path, every: timedelta, timeout: timedelta) -> Iterator[Check]:
    if path.is_dir():
        return
    plain = Check(name=path.name[:LONGEST_NAME], every=every, timeout=timeout)
    if path.suffix != ".json":
        yield replace(plain, command=(str(path),))
        return
    try:
        yield from npd.checks(_read(path), path)
    except OSError as error:
        yield replace(plain, refused=error.strerror or str(error))
    except (ValueError, msgspec.ValidationError) as wrong:
        yield replace(plain, refused=str(wrong))


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        text = file.read(_LARGEST + 1)
    if len(text) > _LARGEST:
        raise ValueError(f"expected at most {_LARGEST} bytes of configuration")
    return text


def _trusted(check: Check) -> Check:
    if check.refused:
        return check
    if len(check.name) > LONGEST_NAME:
        long = f"expected a name of at most {LONGEST_NAME} characters"
        return replace(check, name=check.name[:LONGEST_NAME], refused=long)
    return replace(check, refused=trust.refusal(Path(check.command[0])))
