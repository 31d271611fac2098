"""S8: nobody lays hands on a control plane; where the policy has it repaired, one at a time."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from nodehealth import keys
from nodehealth.fence import Hold
from nodehealth.kube.objects import Node
from nodehealth.ledger import RepairLedger
from tests.safety.witnesses.beginning import GRACE
from tests.safety.witnesses.history import Witness
from tests.safety.witnesses.holding import fence

FEWEST: Final = 3
"""Of so many members of etcd at least, one may be missing and most are left."""


@dataclass(slots=True)
class Spared(Witness):
    """Looks at the fences of control-plane nodes, and at the slots that they are given."""

    included: bool = False
    """Whether the policy has them repaired."""
    _known: set[str] = field(default_factory=set)
    """Who is of the control plane, or was when it went."""
    _out: dict[str, datetime] = field(default_factory=dict)
    """Since when each of them is out of service or gone."""

    def node(self, name: str, before: Node | None, node: Node | None) -> None:
        """Look whether one is fenced, and note which are out."""
        if node is not None and keys.CONTROL_PLANE_LABEL in node.metadata.labels:
            self._known.add(name)
        elif node is not None:
            self._known.discard(name)
        if name not in self._known:
            return
        if fence(node) and not self.included:
            self.history.breach("S8", f"{name} belongs to the control plane, and was fenced")
        if serves(node) or _is_only_cordoned(node):
            self._out.pop(name, None)
        else:
            self._out.setdefault(name, self.history.now)

    def ledger(self, before: RepairLedger | None, ledger: RepairLedger | None) -> None:
        """Look at what is admitted of them."""
        if before is None or ledger is None:
            return
        was, now = before.status, ledger.status
        admitted = {name for name, epoch in now.cordons.items() if epoch > was.epoch}
        disrupted = {name for name, slot in now.slots.items() if slot.epoch > was.epoch}
        for name in (admitted | disrupted) & self._known:
            if not self.included:
                self.history.breach("S8", f"{name} of the control plane was admitted")
            elif name in disrupted:
                self._check_others(name, ledger)

    def _check_others(self, name: str, ledger: RepairLedger) -> None:
        """Count who is out for longer than anybody may not know, and who has a slot."""
        known, others = self.history.now - GRACE, self._known - {name}
        away = {each for each in others if self._out.get(each, self.history.now) < known}
        away |= others & ledger.status.slots.keys()
        if away or len(self._known) < FEWEST:
            who = ", ".join(sorted(away)) or f"only {len(others)} others"
            self.history.breach("S8", f"{name} of the control plane got a slot beside {who}")


def _is_only_cordoned(node: Node | None) -> bool:
    """Say whether we keep new work from a node, and do no more: what it does already, it does."""
    mark = fence(node)
    return _is_ready(node) and mark is not None and mark.hold is Hold.CORDONED


def _is_ready(node: Node | None) -> bool:
    conditions = node.status.conditions if node is not None else ()
    return any(each.type == "Ready" and each.status == "True" for each in conditions)


def serves(node: Node | None) -> bool:
    """Say whether a node is there, Ready and takes work."""
    return _is_ready(node) and node is not None and not node.spec.unschedulable
