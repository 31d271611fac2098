"""What an observer of the API server can see: the facts of commits and requests, nothing more."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from nodehealth.fence import Fence, Hold


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSeen:
    """A Node as it is after a commit."""

    name: str
    uid: str
    pool: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    boot_id: str = ""
    ready: bool = True
    unschedulable: bool = False
    slot: str = ""
    """The fence annotation as it is written."""
    tainted: bool = False
    """Whether it carries our taint."""
    out_of_service: bool = False
    """Whether somebody vouches that its machine is off."""
    moved_off: bool = False
    """Whether those who hold its GPUs are kept off it by us."""

    @property
    def hold(self) -> Hold | None:
        """Return what the fence says, if there is one."""
        fence = Fence.read(self.slot)
        return None if fence is None else fence.hold

    @property
    def marked(self) -> bool:
        """Tell whether it carries marks of ours that are not released."""
        return self.tainted or self.hold in {Hold.CORDONED, Hold.DISRUPTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeChanged:
    """A Node came, changed or went."""

    at: datetime
    name: str
    node: NodeSeen | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a repair Pod is for."""

    uid: str
    program: str
    repair: str
    """The name of the NodeRepair."""
    runs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PodBound:
    """A pod is on a node, or is gone (no node)."""

    at: datetime
    key: str
    node: str
    sent: Sent | None = None
    """What it is for, if it is a repair Pod."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineChanged:
    """A machine came, changed or went (no UID)."""

    at: datetime
    name: str
    uid: str = ""
    reboot: str = ""
    """The key of the reboot that its annotation asks for."""
    off: bool = False
    """Whether it has no power."""
    switched_off: bool = False
    """Whether somebody wants it off."""
    boot_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerChanged:
    """The ledger was written."""

    at: datetime
    epoch: int
    slots: Mapping[str, str] = field(default_factory=dict)
    """By node, the repair that may disrupt it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Somebody asked for a change, and the API server did it; told right after its commits."""

    ours: bool
    """Whether the remediator's user asked."""
    at: datetime
    verb: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    tested: bool = False
    """Whether it was a JSON patch with a test."""


Seen: TypeAlias = NodeChanged | PodBound | MachineChanged | LedgerChanged | Asked
