"""The promises that the observer watches over, and what it writes down when one is broken."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Broken(StrEnum):
    """Which promise was broken."""

    LIMIT = "more nodes disrupted than the limit allows"
    DELETED_POD = "a pod was deleted and not evicted"
    EVICTED_UNCORDONED = "a pod was evicted from a Node that takes new pods"
    DELETED_TWICE = "a machine was deleted twice"
    UNFENCED = "a machine was deleted, rebooted or switched off without a fence of disruption"
    OUT_OF_SERVICE_ON = "a Node was put out of service while its machine was on"
    LET_GO_ON = "a pod was let go of as out of service while its machine was on"
    UNCORDONED_FOREIGN = "a Node was uncordoned that somebody else had cordoned"
    EPOCH_FELL = "the ledger's epoch fell"
    SENT_TWICE = "a second Pod was started for one step of a repair"
    SENT_UNHELD = "a program was sent to a node for which its repair holds no slot"
    BOOTED_TWICE = "a machine was booted anew twice by one program"
    LEFT_MOVED_OFF = "those who hold GPUs are kept off a node that no repair holds"
    UNTESTED = "a Node was written without a test of what it was"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A broken promise: which, when, where."""

    broken: Broken
    at: datetime
    scope: str
    nodes: tuple[str, ...]
    message: str
