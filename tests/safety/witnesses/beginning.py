"""S1, S6, S9 and S15: what begins may begin: there is a fault, room, and nobody said stop."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Self, TypeAlias

import msgspec

from nodehealth import keys
from nodehealth.kube.objects import Node
from nodehealth.ledger import BreakerState, Disruption, Handling, RepairLedger, Slot
from nodehealth.repair import NodeRepair
from simulator import records
from simulator.ailments import Ailments
from tests.safety.witnesses.history import Deed, History, Witness

GRACE: Final = timedelta(minutes=2)
"""How old the knowledge may be by which something begins: a process may stand still meanwhile."""
SILENT: Final = timedelta(minutes=15)
"""After how long without a word from its agent nothing is known of a node's inside."""
OUTSIDE: Final = frozenset({"not-ready"})
"""Rules that need no word of the agent."""
_BUSY: Final = "karpenter.sh/disrupted"
_ledgers: Final = msgspec.json.Decoder(RepairLedger)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begins:
    """What begins, and what the ledger said just before."""

    before: RepairLedger
    node: str
    pool: str
    disrupts: bool
    at: datetime
    after: RepairLedger | None = None
    """The ledger that admits it, where one does: a swap may carry more than one change."""
    steps: bool = False
    """Whether it has its slot, and this is the next step."""
    zone: str = ""
    """Nothing where it is not known."""
    rule: str = ""
    """What the node is repaired for; nothing where that is not known."""

    @classmethod
    def of(
        cls, history: History, ledger: RepairLedger, name: str, *, disrupts: bool, steps: bool
    ) -> Self:
        """Say what is known of a node."""
        node, repairs = history.nodes.get(name), history.open_repairs(name)
        labels = node.metadata.labels if node is not None else {}
        return cls(
            before=ledger,
            node=name,
            pool=labels.get(keys.POOL_LABEL, ""),
            disrupts=disrupts,
            at=history.now,
            steps=steps,
            zone=labels.get(keys.ZONE_LABEL, ""),
            rule=repairs[0].spec.rule if len(repairs) == 1 else "",
        )


Gate: TypeAlias = Callable[[Begins], str]
"""Says why nothing may begin by what people wrote into the ledger; empty when it may."""


def closed(begins: Begins) -> str:
    """Say that a person closed disruption."""
    shut = begins.disrupts and begins.before.spec.disruption is Disruption.CLOSED
    return "disruption is closed" if shut else ""


def broken(begins: Begins) -> str:
    """Say that a breaker of the node stood open, or tried another node first."""
    spec, status = begins.before.spec, begins.before.status
    ignored = {key for key, word in spec.breakers.items() if word is Handling.IGNORE}
    for key, each in status.breakers.items():
        if key in ignored or not _is_stopped(begins, key):
            continue
        if _is_let(begins, key):
            continue
        if each.state is BreakerState.OPEN:
            return f"the breaker {key} was open"
        if each.probing not in {"", begins.node}:
            return f"the breaker {key} tried {each.probing} first"
    return ""


def _is_let(begins: Begins, key: str) -> bool:
    """Say whether the swap that admits it closes a breaker, or has it try this very node."""
    if begins.after is None:
        return False
    now = begins.after.status.breakers.get(key)
    return now is None or (now.state is BreakerState.HALF_OPEN and now.probing == begins.node)


def _is_stopped(begins: Begins, key: str) -> bool:
    """Say whether a breaker is one that docs/breakers.md has stop this."""
    kind, _, about = key.partition("/")
    pool, _, rule = about.partition("/")
    if kind == "unhealthy-zone":
        return begins.disrupts and about == begins.zone
    if kind == "pending-pods" and begins.steps:
        return False
    mine = pool in {begins.pool, "cluster"}
    return mine and (begins.disrupts or (kind == "after-change" and rule == begins.rule))


def paused(begins: Begins) -> str:
    """Say that a person paused everything, a pool or a node; even a cordon."""
    for title, pause in begins.before.spec.pauses.items():
        meant = pause.node in {"", begins.node} and pause.pool in {"", begins.pool}
        if meant and not (pause.until is not None and pause.until <= begins.at):
            return f"{title} pauses it"
    return ""


GATES: Final[tuple[Gate, ...]] = (closed, broken, paused)
"""Whoever adds a gate to the product adds its twin here, written from its document alone."""


@dataclass(slots=True)
class Beginnings(Witness):
    """Looks at each admission at the moment at which the ledger has it."""

    ailments: Ailments = field(default_factory=Ailments)
    most: int = 1_000_000
    """How many may be at work at once, we and others together."""
    _sick: dict[str, datetime] = field(default_factory=dict)
    """When each node was sick last."""
    _lost: bool = False
    """Whether a ledger that was in use is gone, and no other one of use is there yet."""
    _busy: dict[str, datetime] = field(default_factory=dict)
    """Since when somebody else is at work on a node."""

    _gone: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """Which machine each Node was that is there no more, and since when."""
    _deleted: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """For which machine each repair was whose record people deleted, and when."""

    def __post_init__(self) -> None:
        """Hear of the sick."""
        self.ailments.on_change(self._ailing)

    def node(self, name: str, before: Node | None, node: Node | None) -> None:
        """Note who else is at work, and who is gone."""
        if before is not None and node is None:
            self._gone[name] = before.metadata.uid, self.history.now
        busy = node is not None and any(taint.key == _BUSY for taint in node.spec.taints)
        if busy:
            self._busy.setdefault(name, self.history.now)
        else:
            self._busy.pop(name, None)

    def done(self, deed: Deed) -> None:
        """Look whether disruption that was closed is opened by anybody but a person."""
        if deed.entry.resource != records.LEDGERS or deed.before is None or deed.after is None:
            return
        was, now = (_ledgers.decode(each.body) for each in (deed.before, deed.after))
        if was.spec.disruption is Disruption.CLOSED and now.spec.disruption is Disruption.OPEN:
            self.history.breach("S9", "what was closed was opened by the remediator")

    def repair(self, before: NodeRepair | None, repair: NodeRepair | None) -> None:
        """Look whether a node has one open repair at most, and note which are deleted."""
        if repair is None and before is not None:
            self._deleted[before.metadata.name] = before.spec.target.node_uid, self.history.now
        if repair is None or before is not None:
            return
        open_ = self.history.open_repairs(repair.spec.target.node)
        if len(open_) > 1:
            names = ", ".join(sorted(each.metadata.name for each in open_))
            self.history.breach("S15", f"{names} are open at once")

    def ledger(self, before: RepairLedger | None, ledger: RepairLedger | None) -> None:
        """Look at what was admitted just now, and whether a ledger that was lost is closed."""
        self._note_loss(before, ledger)
        if before is None or ledger is None or before.status.known_since is None:
            return
        if ledger.status.epoch <= before.status.epoch or self._rebuilt(before, ledger):
            return
        for name, slot in ledger.status.slots.items():
            if slot.epoch > before.status.epoch:
                self._disrupted(name, slot, before, ledger)
        for name, epoch in ledger.status.cordons.items():
            if epoch > before.status.epoch:
                self._check_gates(
                    name, (before, ledger), f"cordon {epoch} of {name}", disrupts=False
                )
                self._check_sick(name, f"cordon {epoch} of {name}")

    def _note_loss(self, before: RepairLedger | None, ledger: RepairLedger | None) -> None:
        self._lost = self._lost or (ledger is None and before is not None and _is_used(before))
        if ledger is not None and self._lost and ledger.status.known_since is not None:
            self._lost = False
            if ledger.spec.disruption is Disruption.OPEN:
                self.history.breach("S9", "a ledger that was lost is open to disruption")

    def _rebuilt(self, before: RepairLedger, ledger: RepairLedger) -> bool:
        return before.status.known_since != ledger.status.known_since

    def _disrupted(self, name: str, slot: Slot, before: RepairLedger, ledger: RepairLedger) -> None:
        says, repair = f"slot {slot.epoch} of {name}", self.history.repairs.get(slot.repair)
        self._check_gates(name, (before, ledger), says, disrupts=True)
        self._check_identity(name, slot, repair, says)
        self._check_sick(name, says)
        self._check_evidence(name, repair, says)
        self._check_room(name, ledger, says)

    def _check_gates(
        self, name: str, swap: tuple[RepairLedger, RepairLedger], says: str, *, disrupts: bool
    ) -> None:
        begins = Begins.of(self.history, swap[0], name, disrupts=disrupts, steps=False)
        begins = replace(begins, after=swap[1])
        for why in (gate(begins) for gate in GATES):
            if why:
                self.history.breach("S9", f"{says} was given although {why}")

    def _check_identity(self, name: str, slot: Slot, repair: NodeRepair | None, says: str) -> None:
        node = self.history.nodes.get(name)
        uids = {slot.node_uid, self._meant(slot, repair)}
        uid, since = self._gone.get(name, ("", self.history.now))
        if node is None and uids == {uid} and self.history.now - since <= GRACE:
            return  # it left between a look and the swap
        if node is None or uids != {node.metadata.uid}:
            there = node.metadata.uid if node is not None else "nothing"
            self.history.breach("S6", f"{says} is for {sorted(uids)}, and {there} is there")

    def _meant(self, slot: Slot, repair: NodeRepair | None) -> str:
        """Return the machine of a slot's repair, which may be deleted while the slot is given."""
        if repair is not None:
            return repair.spec.target.node_uid
        uid, at = self._deleted.get(slot.repair, ("", self.history.now))
        return uid if self.history.now - at <= GRACE else ""

    def _check_sick(self, name: str, says: str) -> None:
        last = self._sick.get(name)
        now_sick = bool(self.ailments.of(name))
        if not now_sick and (last is None or self.history.now - last > GRACE):
            self.history.breach("S6", f"{says}, and it was well since {last or 'ever'}")

    def _check_evidence(self, name: str, repair: NodeRepair | None, says: str) -> None:
        if repair is None or repair.spec.rule in OUTSIDE:
            return
        said = self.history.healths.get(name)
        if said is None or self.history.now - said > SILENT + GRACE:
            self.history.breach("S6", f"{says}, and its agent said nothing since {said or 'ever'}")

    def _check_room(self, name: str, ledger: RepairLedger, says: str) -> None:
        """Count whom others keep busy since before anybody could have looked around."""
        known = self.history.now - GRACE
        theirs = {each for each, since in self._busy.items() if since < known}
        working = theirs | ledger.status.slots.keys()
        if len(working) > self.most:
            who = ", ".join(sorted(working))
            self.history.breach("S1", f"{says}, and with others {who} are at work on")
        if name in theirs:
            self.history.breach("S1", f"{says}, on which somebody else is at work")

    def _ailing(self, node: str) -> None:
        self._sick[node] = max(self.history.now, self._sick.get(node, self.history.now))


def _is_used(ledger: RepairLedger) -> bool:
    return ledger.status.epoch > 0
