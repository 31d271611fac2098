"""Errors of our own machine: who meets one has learnt nothing of what was asked or looked at."""

import errno
from types import TracebackType
from typing import Final

_OURS: Final = frozenset(
    {errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
)


def is_ours(error: OSError) -> bool:
    """Say whether descriptors, ports or memory ran out here, whoever was asked."""
    return error.errno in _OURS


class Raised:
    """Raises these errors, and takes any other for an answer: what cannot be read is not there."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> bool:
        """Say whether it was an answer."""
        return isinstance(error, OSError) and not is_ours(error)
