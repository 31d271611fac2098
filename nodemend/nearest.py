"""What somebody who misspelt a name may have meant."""

import difflib
from collections.abc import Iterable


def names(meant: str, known: Iterable[str]) -> str:
    """Name the nearest of those that there are, or the first of them."""
    there = sorted(set(known))
    return ", ".join(difflib.get_close_matches(meant, there, n=3) or there[:3])


def none_named(kind: str, meant: str, known: Iterable[str]) -> str:
    """Say that there is no such thing, and which are nearest."""
    near = names(meant, known)
    return f"there is no {kind} {meant}; " + (f"nearest are {near}" if near else "there are none")
