"""How a program ends: in words, in an exit code, and in the file where a kubelet looks."""

import json
from pathlib import Path
from typing import Final

import msgspec

from nodehealth.outcome import MESSAGE_FILE, Outcome, Result

MOST: Final = 1024
"""Letters of a message; the rest is cut."""

_BEGINS: Final = '{"result"'
"""How last words begin."""


class MendingError(Exception):
    """It did not go as ordered; says why in one sentence."""

    result: Result = Result.FAILED


class RefusedError(MendingError):
    """Nothing was done, because what was told does not fit what was found."""

    result = Result.REFUSED


class FailedError(MendingError):
    """It was tried and did not work."""


def outcome(result: Result, message: str, boot_id: str) -> Outcome:
    """Put last words together."""
    said = message if len(message) <= MOST else f"{message[: MOST - 1]}…"
    return Outcome(result=result, message=said, boot_id=boot_id[:63])


def as_json(words: Outcome) -> str:
    """Write last words as the remediator reads them."""
    return json.dumps(msgspec.to_builtins(words), ensure_ascii=False)


def is_asked_for(file: Path) -> bool:
    """Say whether last words go into a file: a person's machine has not the one of a kubelet."""
    return str(file) != MESSAGE_FILE or file.exists()


def may_hold(file: Path) -> bool:
    """Say whether last words may be put into a file: none is overwritten that is not ours."""
    try:
        written = file.read_text(errors="replace")[: len(_BEGINS)]
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return written in ("", _BEGINS)


def leave(words: Outcome, file: Path) -> None:
    """Put last words where a kubelet takes them from, if it does."""
    if is_asked_for(file):
        file.write_text(as_json(words))
