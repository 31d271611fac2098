"""How a program that was sent to a node to mend it ended: the words of its termination message."""

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

from nodehealth.kube.objects import Struct

MESSAGE_FILE: Final = "/dev/termination-log"
"""Where a kubelet takes a container's last words from; it keeps 4 KiB of them."""


class Result(StrEnum):
    """What came of it; each has an exit code of its own."""

    DONE = "Done"
    """It did what it was sent for, or found it done."""
    FAILED = "Failed"
    """It tried, and it did not work."""
    REFUSED = "Refused"
    """It did nothing: what it was told does not fit what it found."""


EXIT_CODES: Final = {Result.DONE: 0, Result.FAILED: 1, Result.REFUSED: 3}


class Outcome(Struct, frozen=True, kw_only=True):
    """The last words of such a program, as JSON."""

    result: Result
    message: Annotated[str, Meta(max_length=1024)] = ""
    """One sentence for people."""
    boot_id: Annotated[str, Meta(max_length=63)] = ""
    """The boot in which it ran."""
