"""S3, S7, S11, S12, S15: what is done was written down, belongs to the plan, and is done once."""

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from nodehealth import keys
from nodehealth.kube.objects import Node
from nodehealth.ledger import RepairLedger
from nodehealth.repair import NodeRepair, NodeRepairSpec, Phase, Rung
from simulator import records
from simulator.api.audit import AuditEntry
from tests.safety.witnesses.history import Deed, Witness

_POWER_OFF: Final = "power-off"
_REPLACE: Final = "replace"
_DRAIN: Final = "drain"
_ENDS: Final = frozenset({Phase.NEEDS_HUMAN, Phase.PARKED})
"""From where a person may have a ladder begun anew."""
_FORCEFUL: Final = frozenset({"volumeattachments.storage.k8s.io"})
_nodes: Final = msgspec.json.Decoder(Node)


@dataclass(slots=True)
class Planned(Witness):
    """S11: what is done was written down before. S12 and S15: the plan says it, and once.

    A request may be under way while a person deletes the repair that wanted it: the plan of a
    repair that is gone counts for as long as its slot is held.
    """

    gone: dict[str, NodeRepair] = field(default_factory=dict)
    _held: dict[str, str] = field(default_factory=dict)
    """By node, the repair that had its slot last; a slot outlives a drain that was broken off."""

    def ledger(self, before: RepairLedger | None, ledger: RepairLedger | None) -> None:
        """Note whose slots there are."""
        slots = ledger.status.slots if ledger is not None else {}
        self._held |= {name: slot.repair for name, slot in slots.items() if slot.repair}

    def done(self, deed: Deed) -> None:
        """Take in a write."""
        if not deed.changed:
            return
        match deed.what:
            case (records.MACHINES, _) if deed.entry.verb == "delete":
                self._ordered(deed.entry.name, _REPLACE)
            case (records.MACHINES, _):
                self._ordered(deed.entry.name, _power(deed.sent()))
            case (records.PODS, "eviction"):
                node = deed.before.fields["spec.nodeName"] if deed.before is not None else ""
                self._check_plan(self._at_work(node), _DRAIN, f"a pod left {node}")
            case (records.PODS, "binding"):
                self._bound(deed.sent(), deed.entry.name)

    def repair(self, before: NodeRepair | None, repair: NodeRepair | None) -> None:
        """Look whether a plan stays as it was."""
        if before is not None and repair is None:
            self.gone[before.metadata.name] = before
        if before is None or repair is None or before.metadata.uid != repair.metadata.uid:
            return
        if _plan(before) != _plan(repair):
            self.history.breach("S12", f"the plan of {repair.metadata.name} changed")
        joined = len(before.status.faults)
        if before.status.faults != repair.status.faults[:joined]:
            self.history.breach("S12", f"a fault that joined {repair.metadata.name} is another one")
        was, status = before.status, repair.status
        faults, tried = status.faults[: len(was.faults)], status.tried[: len(was.tried)]
        anew = was.phase in _ENDS and status.tried == ()
        if faults != was.faults or (tried != was.tried and not anew):
            self.history.breach("S12", f"what {repair.metadata.name} did was written over")
        if len(set(status.tried)) < len(status.tried):
            self.history.breach("S15", f"{repair.metadata.name} begins a remedy again")

    def _ordered(self, node: str, action: str) -> None:
        repair = self._at_work(node)
        says = f"{action} of machine {node}"
        intent = repair.status.intent if repair is not None else None
        if intent is None or intent.action != action:
            self.history.breach("S11", f"{says}, and its repair only says {intent}")
        if action != _POWER_OFF:
            self._check_plan(repair, action, says)

    def _bound(self, sent: Any, pod: str) -> None:  # noqa: ANN401 - it is JSON
        node, uid = sent["target"]["name"], sent["metadata"].get("uid", "")
        repair, program = self._holder(node), pod.rpartition("-")[0]
        intent = repair.status.intent if repair is not None else None
        if intent is None or not uid or intent.pod != uid:
            self.history.breach("S11", f"{pod} ({uid or 'any'}) was bound to {node} unclaimed")
        self._check_plan(repair, program, f"{pod} was sent to {node}")

    def _check_plan(self, repair: NodeRepair | None, action: str, says: str) -> None:
        begun = _planned(repair) if repair is not None else ()
        if action not in {each.action for each in begun}:
            planned = ", ".join(each.action for each in begun) or "nothing"
            self.history.breach("S12", f"{says}, and the plan says {planned}")

    def _holder(self, node: str) -> NodeRepair | None:
        ledger = self.history.ledger
        slot = ledger.status.slots.get(node) if ledger is not None else None
        if slot is not None:
            return self.history.repairs.get(slot.repair or self._held.get(node, ""))
        return next(iter(self.history.open_repairs(node)), None)

    def _at_work(self, node: str) -> NodeRepair | None:
        ledger = self.history.ledger
        slot = ledger.status.slots.get(node) if ledger is not None else None
        was = self.gone.get(slot.repair) if slot is not None else None
        return self._holder(node) or was


def _planned(repair: NodeRepair) -> tuple[Rung, ...]:
    """Return the remedies that a repair may have come to; faults that joined bring their own."""
    frozen, status = repair.spec.ladder, repair.status
    if not status.faults:
        return frozen[: status.rung + 1]
    return (*frozen, *(rung for each in status.faults for rung in each.ladder))


def _plan(repair: NodeRepair) -> NodeRepairSpec:
    """Return what is to be done, without what people say to it."""
    return msgspec.structs.replace(repair.spec, approved=None, request=None)


def _begun(repair: NodeRepair) -> tuple[Rung, ...]:
    """Return the remedies of the plan so far; faults that joined add theirs behind its end."""
    rung, ladder = repair.status.rung, repair.spec.ladder
    joined = [each for fault in repair.status.faults for each in fault.ladder]
    return (*ladder[: rung + 1], *(joined if rung >= len(ladder) else ()))


def _power(sent: Any) -> str:  # noqa: ANN401 - it is JSON
    wanted = {each.get("path"): each.get("value") for each in sent if isinstance(each, dict)}
    return _POWER_OFF if wanted.get("/spec/power") == "Off" else "power-cycle"


@dataclass(slots=True)
class Gentle(Witness):
    """S7: force is used only where it is written down that the machine is off."""

    def asked(self, entry: AuditEntry) -> None:
        """Look at how pods are asked to go, however it is answered."""
        if entry.resource in _FORCEFUL:
            self.history.breach("S7", f"{entry.verb} of {entry.resource} {entry.name}")
        pod = entry.resource == records.PODS and entry.namespace != keys.REPAIR_NAMESPACE
        if pod and (entry.verb.startswith("delete") or entry.subresource in {"", "status"}):
            self.history.breach("S7", f"{entry.verb} of pod {entry.namespace}/{entry.name}")
        if pod and entry.subresource == "eviction":
            self._evicted(entry)

    def done(self, deed: Deed) -> None:
        """Look whether a Node is put out of service."""
        if deed.what != (records.NODES, "") or deed.after is None or deed.before is None:
            return
        name = deed.entry.name
        if _is_out(deed.after.body) and not _is_out(deed.before.body) and not self._proven(name):
            self.history.breach("S7", f"{name} was put out of service without a proof")

    def _evicted(self, entry: AuditEntry) -> None:
        options = msgspec.json.decode(entry.body).get("deleteOptions") or {}
        if options.get("gracePeriodSeconds") is not None:
            self.history.breach("S7", f"eviction of {entry.name} with a grace of its own")
        if not (options.get("preconditions") or {}).get("uid"):
            self.history.breach("S7", f"eviction of whichever pod is called {entry.name}")

    def _proven(self, node: str) -> bool:
        return any(
            each.status.fencing is not None and each.status.fencing.method is not None
            for each in self.history.open_repairs(node)
        )


def _is_out(body: bytes) -> bool:
    return any(t.key == keys.OUT_OF_SERVICE_TAINT for t in _nodes.decode(body).spec.taints)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as the owner of machines heard it."""

    machine: str
    action: str
    key: str


@dataclass(slots=True)
class Once(Witness):
    """S3: each order is given once to each machine for each attempt; the owner keeps the book."""

    book: list[Order] = field(default_factory=list)

    def heard(self, order: Order) -> None:
        """Take in an order."""
        if order in self.book:
            self.history.breach("S3", f"{order.action} of {order.machine} twice: {order.key}")
        if not order.key:
            self.history.breach("S3", f"{order.action} of {order.machine} without a key")
        self.book.append(order)
