"""What can be wrong with an expression: its text, or the values it meets."""

import difflib
from collections.abc import Iterable
from typing import Final

_MOST_LISTED: Final = 20
"""How many names a person reads through for the right one."""


class ExpressionError(Exception):
    """The text is no expression of this language, or its types do not fit.

    Attributes:
        message: what was expected, what was found, and the nearest valid name.
        column: where in the text, counted from 1.
    """

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"column {column}: {message}")
        self.message = message
        self.column = column


class EvaluationError(Exception):
    """The expression has no value for these values: a key is missing, a number overflows."""


def choices(name: str, known: Iterable[str], *, unlisted: Iterable[str] = ()) -> str:
    """Say which names are known, and which one was probably meant by an unknown one.

    Of very many names, only those are said that come near it, if any do.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3) if len(names) > _MOST_LISTED else []
    if near:
        return f"nearest of {len(names)} are {', '.join(near)}"
    listed = f"known are {', '.join(names)}" if names else "none are known"
    meant = difflib.get_close_matches(name, [*names, *unlisted], n=1)
    return listed + (f"; did you mean {meant[0]}?" if meant else "")
