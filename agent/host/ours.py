"""Errors of our own machine: who meets one when asking others has learnt nothing of them."""

import errno
from typing import Final

_OURS: Final = frozenset(
    {errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
)


def is_ours(error: OSError) -> bool:
    """Say whether descriptors, ports or memory ran out here, whoever was asked."""
    return error.errno in _OURS
