"""S2 and S13: nothing is touched that is not held, and nothing is given back too early."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec

from nodehealth import keys
from nodehealth.fence import Fence, Hold
from nodehealth.kube.objects import Node
from nodehealth.ledger import RepairLedger, Slot
from nodehealth.repair import NodeRepair, Phase
from simulator import records
from simulator.observer import Observer
from tests.safety.witnesses.beginning import GRACE
from tests.safety.witnesses.history import Deed, Witness

_ABSENT: Final = frozenset({"NodeAbsent", "ReplacedElsewhere"})
_nodes: Final = msgspec.json.Decoder(Node)


def fence(node: Node | None) -> Fence | None:
    """Read the fence of a Node."""
    found = node.metadata.annotations.get(keys.FENCE_ANNOTATION, "") if node is not None else ""
    return Fence.read(found)


@dataclass(slots=True)
class Held(Witness):
    """S2: no write of a Node and no order without the entry of the ledger that allows it.

    An eviction has no fence but its pod's UID: one that was on the wire, or in a process that stood
    still, when a person uncordoned the Node may still come.
    """

    _let_go: dict[str, datetime] = field(default_factory=dict)
    """When people uncordoned what we held."""
    _deleted: tuple[datetime, RepairLedger] | None = None
    """The ledger that somebody deleted last, and when."""
    _claimed: frozenset[str] = frozenset()
    """The keys of the orders that were claimed at that time."""

    def ledger(self, before: RepairLedger | None, ledger: RepairLedger | None) -> None:
        """Note what is deleted.

        A Node's patch tests the Node, not the ledger: one that was on the wire, or in a process
        that stood still, when a person deleted the ledger still comes. So does an order, but only
        one that was claimed by then: what is claimed later is looked up in the ledger first.
        """
        if before is not None and ledger is None:
            self._deleted = self.history.now, before
            intents = (each.status.intent for each in self.history.repairs.values())
            self._claimed = frozenset(each.key for each in intents if each is not None)

    def node(self, name: str, before: Node | None, node: Node | None) -> None:
        """Note who is uncordoned while we hold it."""
        if before is None or node is None or node.spec.unschedulable:
            return
        mark = fence(node)
        if before.spec.unschedulable and mark is not None and mark.hold is not Hold.RELEASED:
            self._let_go[name] = self.history.now

    def done(self, deed: Deed) -> None:
        """Take in a write."""
        if not deed.changed:
            return
        name = deed.entry.name
        match deed.what:
            case (records.NODES, ""):
                self._wrote(name, deed)
            case (records.MACHINES, _):
                self._ordered(name, f"{deed.entry.verb} of machine {name}")
            case (records.PODS, "eviction"):
                node = deed.before.fields["spec.nodeName"] if deed.before is not None else ""
                self._evicted(node, f"{deed.entry.namespace}/{name}")
            case (records.PODS, "binding"):
                node = deed.sent()["target"]["name"]
                self._ordered(node, f"binding of {name} to {node}")

    def _wrote(self, name: str, deed: Deed) -> None:
        if deed.after is None:
            self.history.breach("S2", f"Node {name} was deleted")
            return
        after = fence(_nodes.decode(deed.after.body))
        before = fence(_nodes.decode(deed.before.body)) if deed.before is not None else None
        if after is None:
            self.history.breach("S2", f"{name} was written without a fence")
        elif after.hold is Hold.RELEASED:
            self._released(name, before, after)
        elif after.epoch not in self._granted(name, after.hold) | self._was(name, after.hold):
            self.history.breach("S2", f"{name} was marked {after}, the ledger grants otherwise")

    def _released(self, name: str, before: Fence | None, after: Fence) -> None:
        granted = self._granted(name, Hold.CORDONED)
        is_unmarked = before is None or before.hold is Hold.RELEASED
        if is_unmarked and after.epoch in granted:
            return  # it was admitted and never marked, and now nobody can mark it late
        known = before is not None and (before.epoch in granted or not granted)
        if not (known and (granted or self.history.ledger_lost)):
            self.history.breach(
                "S2", f"{name} was released from {before}, the ledger has {granted}"
            )

    def _evicted(self, node: str, pod: str) -> None:
        """Forgive a request that was under way when nobody could hold it back any more.

        That is so when the drain failed and a person was called, and when a person uncordoned the
        Node or deleted the ledger that had allowed it.
        """
        hopeless = any(
            each.status.phase is Phase.NEEDS_HUMAN for each in self.history.open_repairs(node)
        )
        since = self._let_go.get(node)
        was_ours = since is not None and self.history.now - since <= GRACE
        if not (hopeless or was_ours or self._was(node, Hold.DISRUPTED)):
            self._needs_slot(node, f"eviction of {pod} from {node}")

    def _ordered(self, node: str, what: str) -> None:
        """Forgive an order that was under way when a person deleted the ledger that allowed it."""
        intents = (each.status.intent for each in self.history.open_repairs(node))
        was_claimed = any(each is not None and each.key in self._claimed for each in intents)
        if not (was_claimed and self._was(node, Hold.DISRUPTED)):
            self._needs_slot(node, what)

    def _needs_slot(self, node: str, what: str) -> None:
        if not self._granted(node, Hold.DISRUPTED):
            self.history.breach("S2", f"{what} without a slot")

    def _granted(self, name: str, hold: Hold) -> frozenset[int]:
        return _grants(self.history.ledger, name, hold)

    def _was(self, name: str, hold: Hold) -> frozenset[int]:
        """Return what a ledger granted that was deleted a moment ago."""
        at, ledger = self._deleted or (self.history.now, None)
        is_late = self.history.now - at > GRACE
        return frozenset() if is_late else _grants(ledger, name, hold)


def _grants(ledger: RepairLedger | None, name: str, hold: Hold) -> frozenset[int]:
    if ledger is None:
        return frozenset()
    slot = ledger.status.slots.get(name)
    cordon = ledger.status.cordons.get(name, 0) if hold is Hold.CORDONED else 0
    return frozenset({slot.epoch if slot is not None else 0, cordon} - {0})


@dataclass(slots=True)
class Kept(Witness):
    """S13: a slot stays until the node is back, or the machine is gone and nothing is to come."""

    observer: Observer = field(default_factory=Observer)

    def ledger(self, before: RepairLedger | None, ledger: RepairLedger | None) -> None:
        """Look at the slots that are gone."""
        if before is None or ledger is None:
            return
        for name, slot in before.status.slots.items():
            now = ledger.status.slots.get(name)
            if now is None or now.epoch != slot.epoch:
                self._freed(name, slot, ledger)

    def _freed(self, name: str, slot: Slot, ledger: RepairLedger) -> None:
        node, repair = self.history.nodes.get(name), self.history.repairs.get(slot.repair)
        says = f"slot {slot.epoch} of {name} was freed"
        mark = fence(node)
        traded = ledger.status.cordons.get(name) == slot.epoch
        held = mark is not None and mark.epoch == slot.epoch and mark.hold is not Hold.RELEASED
        if held and not traded:
            self.history.breach("S13", f"{says} while its Node says {mark}")
        if traded and not _is_hopeless(repair):
            self.history.breach("S13", f"{says} for a cordon, and no person was called")
        gone = node is None and repair is not None and _reason(repair) in _ABSENT
        if name in self.observer.disrupted and not (gone or self._serves(name, node)):
            self.history.breach("S13", f"{says} before the node was back")

    def _serves(self, name: str, node: Node | None) -> bool:
        """Say whether a node only lost a pod since it was given back, and serves as before.

        The observer sees that with the next commit of the Node, which may be a while.
        """
        mark, known = fence(node), self.observer.disrupted[name]
        given_back = mark is not None and mark.hold is Hold.RELEASED
        ordered = known.not_uid or known.not_boot
        return given_back and not ordered and node is not None and not node.spec.unschedulable


def _is_hopeless(repair: NodeRepair | None) -> bool:
    return repair is not None and repair.status.phase is Phase.NEEDS_HUMAN


def _reason(repair: NodeRepair) -> str:
    closing = repair.status.closing
    return closing.reason if closing is not None else repair.status.reason
