"""Keeps the garbage collector from walking again and again over much that is there to stay."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Let a lot be made without a collection in between; leave it out of later ones.

    A full collection over 40,000 API objects halts the loop for a fifth of a second.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


@contextmanager
def thawed_at_end() -> Iterator[None]:
    """Let everything be collected again when this is over."""
    try:
        yield
    finally:
        gc.unfreeze()
