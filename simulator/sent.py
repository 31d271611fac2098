"""The observer's eye on what is sent to nodes: programs that run there, and who gives way to it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from nodehealth.errand import Program
from nodehealth.fence import Hold
from simulator.promises import Broken
from simulator.witnessed import MachineChanged, NodeSeen, PodBound, Sent


@dataclass(slots=True, kw_only=True)
class SentWatch:
    """Watches repair Pods, and the boots that they cause.

    Fields:
        tell: Is told of every promise that is broken: which, when, where, and more.
    """

    tell: Callable[[Broken, datetime, tuple[str, ...], str], None]
    slots: dict[str, str] = field(default_factory=dict)
    """By node, the repair that may disrupt it."""
    _started: dict[str, str] = field(default_factory=dict)
    """By the name of a Pod, the UID of the one that was bound."""
    _running: set[str] = field(default_factory=set)
    _due: dict[str, int] = field(default_factory=dict)
    """By node, how many boots may still come of programs that were started there."""
    _boots: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By node, its machine and its boot."""
    _ordered: set[str] = field(default_factory=set)
    """Nodes whose machines somebody outside was told to switch off or to boot anew."""

    def see_pod(self, seen: PodBound, sent: Sent) -> None:
        """Take in a repair Pod that is on a node."""
        first = self._started.setdefault(seen.key, sent.uid)
        if first != sent.uid:
            self.tell(Broken.SENT_TWICE, seen.at, (seen.node,), seen.key)
            self._started[seen.key] = sent.uid
        began = sent.runs and sent.uid not in self._running
        if began:
            self._running.add(sent.uid)
            if sent.program == Program.REBOOT:
                self._due[seen.node] = self._due.get(seen.node, 0) + 1
        if began and self.slots.get(seen.node) != sent.repair:
            holder = self.slots.get(seen.node, "nobody")
            message = f"{seen.key} of {sent.repair}; the slot is held by {holder}"
            self.tell(Broken.SENT_UNHELD, seen.at, (seen.node,), message)

    def fells(self, seen: MachineChanged) -> bool:
        """Say whether a machine goes down because a program was started there."""
        down = seen.off and not seen.switched_off and seen.name not in self._ordered
        return down and self._due.get(seen.name, 0) > 0

    def see_node(self, node: NodeSeen, at: datetime) -> None:
        """Take in a Node as it is."""
        if node.moved_off and node.hold not in {Hold.CORDONED, Hold.DISRUPTED}:
            self.tell(Broken.LEFT_MOVED_OFF, at, (node.name,), f"the fence says {node.slot!r}")

    def see_machine(self, seen: MachineChanged) -> None:
        """Take in a machine; a boot of the same one is somebody's doing."""
        uid, boot = self._boots.get(seen.name, ("", ""))
        if uid and seen.uid not in {"", uid}:
            self._due.pop(seen.name, None)  # what was sent to another machine fells no other one
            self._ordered.discard(seen.name)
        if seen.reboot or seen.switched_off:
            self._ordered.add(seen.name)
        if seen.uid and seen.boot_id:
            self._boots[seen.name] = seen.uid, seen.boot_id
        if uid != seen.uid or boot == seen.boot_id or not boot or seen.name in self._ordered:
            return
        left = self._due.get(seen.name, 0)
        if not left and self._started:
            self.tell(Broken.BOOTED_TWICE, seen.at, (seen.name,), f"boot {seen.boot_id}")
        self._due[seen.name] = max(0, left - 1)
