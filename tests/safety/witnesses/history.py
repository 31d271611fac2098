"""What the API server committed and was asked for, in order, as whoever reads its log knows it."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Final

import msgspec

from nodehealth.kube.objects import Node
from nodehealth.ledger import RepairLedger
from nodehealth.repair import NodeRepair
from simulator import records
from simulator.api.audit import AuditEntry
from simulator.api.server import ApiServer
from simulator.api.store import Change, Entry
from simulator.machines import Machine

REPAIRS: Final = "noderepairs.nodemend.dev"
WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_KEPT: Final = 64
"""How many commits may lie between a request and the news of it."""
_nodes: Final = msgspec.json.Decoder(Node)
_repairs: Final = msgspec.json.Decoder(NodeRepair)
_ledgers: Final = msgspec.json.Decoder(RepairLedger)
_machines: Final = msgspec.json.Decoder(Machine)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A promise that was broken: which, when, and what shows it."""

    promise: str
    """As `S2`: what docs/safety.md calls it."""
    at: datetime
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """A write of the remediator's that was accepted, and what it changed."""

    entry: AuditEntry
    before: Entry | None
    after: Entry | None

    @property
    def what(self) -> tuple[str, str]:
        """Return the resource and the subresource."""
        return self.entry.resource, self.entry.subresource

    @property
    def changed(self) -> bool:
        """Say whether it changed anything."""
        return self.before is not None or self.after is not None

    def sent(self) -> Any:  # noqa: ANN401 - it is JSON
        """Return what was sent."""
        return msgspec.json.decode(self.entry.body) if self.entry.body else None


@dataclass(slots=True)
class History:
    """What there is now, by the API server's own account, and who is told of what comes.

    Args:
        user: The remediator's name at the API server.
    """

    user: str
    now: datetime = datetime.min  # noqa: DTZ901 - nothing happened yet
    nodes: dict[str, Node] = field(default_factory=dict)
    repairs: dict[str, NodeRepair] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)
    healths: dict[str, datetime] = field(default_factory=dict)
    """When each node's report was written last."""
    ledger: RepairLedger | None = None
    ledger_lost: bool = False
    """Whether somebody deleted the ledger at any time: what it held was made up again."""
    breaches: list[Breach] = field(default_factory=list)
    witnesses: list["Witness"] = field(default_factory=list)
    _recent: deque[Change] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def attach(self, api: ApiServer) -> None:
        """Begin to listen."""
        for change in api.world.store.present():
            self._commit(change)
        api.on_commit(self._commit)
        api.on_request(self._request)

    def breach(self, promise: str, says: str) -> None:
        """Write down that a promise was broken."""
        self.breaches.append(Breach(promise=promise, at=self.now, says=says))

    def open_repairs(self, node: str) -> list[NodeRepair]:
        """Return the repairs of a node that have not ended."""
        return [
            each
            for each in self.repairs.values()
            if each.spec.target.node == node and each.status.phase != "Recovered"
        ]

    def _commit(self, change: Change) -> None:
        self.now = change.at
        self._recent.append(change)
        take = self._KNOWN.get(change.resource)
        if take is not None:
            take(self, change)

    def _request(self, entry: AuditEntry) -> None:
        self.now = entry.at
        if entry.verb not in WRITES or entry.dry_run or entry.user != self.user:
            return
        for each in self.witnesses:
            each.asked(entry)
        if entry.code >= 300:
            return
        change = self._of(entry)
        deed = Deed(
            entry=entry,
            before=change.old if change else None,
            after=change.now if change else None,
        )
        for each in self.witnesses:
            each.done(deed)

    def _of(self, entry: AuditEntry) -> Change | None:
        """Find what a request changed: the first newer commit of the object that it names."""
        named = (
            change
            for change in self._recent
            if change.version > entry.since
            and change.resource == entry.resource
            and change.new.fields["metadata.name"] == (entry.name or _named(entry))
            and change.new.fields["metadata.namespace"] == entry.namespace
        )
        return next(named, None)

    def _node(self, change: Change) -> None:
        name = change.new.fields["metadata.name"]
        before = self.nodes.pop(name, None)
        node = None if change.now is None else _nodes.decode(change.now.body)
        if node is not None:
            self.nodes[name] = node
        for each in self.witnesses:
            each.node(name, before, node)

    def _repair(self, change: Change) -> None:
        name = change.new.fields["metadata.name"]
        before = self.repairs.pop(name, None)
        repair = None if change.now is None else _repairs.decode(change.now.body)
        if repair is not None:
            self.repairs[name] = repair
        for each in self.witnesses:
            each.repair(before, repair)

    def _ledger(self, change: Change) -> None:
        before = self.ledger
        self.ledger = None if change.now is None else _ledgers.decode(change.now.body)
        self.ledger_lost = self.ledger_lost or self.ledger is None
        for each in self.witnesses:
            each.ledger(before, self.ledger)

    def _machine(self, change: Change) -> None:
        name = change.new.fields["metadata.name"]
        self.machines.pop(name, None)
        if change.now is not None:
            self.machines[name] = _machines.decode(change.now.body)

    def _health(self, change: Change) -> None:
        self.healths[change.new.fields["metadata.name"]] = change.at

    _KNOWN: ClassVar[Mapping[str, Callable[["History", Change], None]]] = {
        records.NODES: _node,
        records.LEDGERS: _ledger,
        records.MACHINES: _machine,
        records.NODE_HEALTHS: _health,
        REPAIRS: _repair,
    }


@dataclass(slots=True)
class Witness:
    """Watches over some promises; what it does not look at passes it by."""

    history: History

    def asked(self, entry: AuditEntry) -> None:
        """Take in a write that the remediator asked for, however it was answered."""

    def done(self, deed: Deed) -> None:
        """Take in a write of the remediator's that was accepted."""

    def node(self, name: str, before: Node | None, node: Node | None) -> None:
        """Take in a commit of a Node, whoever wrote it."""

    def repair(self, before: NodeRepair | None, repair: NodeRepair | None) -> None:
        """Take in a commit of a NodeRepair."""

    def ledger(self, before: RepairLedger | None, ledger: RepairLedger | None) -> None:
        """Take in a commit of the ledger."""


def _named(entry: AuditEntry) -> str:
    body = msgspec.json.decode(entry.body) if entry.body else {}
    return str(body.get("metadata", {}).get("name", "")) if isinstance(body, dict) else ""
