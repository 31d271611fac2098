"""S9: what is closed, paused or broken off lets no repair take a next step, slot or no slot."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from nodehealth.kube.objects import Node
from nodehealth.ledger import RepairLedger
from nodehealth.repair import NodeRepair
from simulator import records
from tests.safety.witnesses.beginning import GATES, GRACE, Begins
from tests.safety.witnesses.history import Deed, Witness
from tests.safety.witnesses.words import Words


@dataclass(slots=True)
class Stepping(Witness):
    """Looks at each eviction and at each order that is claimed, by what the ledger said meanwhile.

    By what people wrote on the Node, it looks at admissions too.

    What was claimed before is carried through. A step may go by knowledge as old as GRACE: a breach
    is only what was forbidden during all that time.
    """

    _said: deque[tuple[datetime, RepairLedger | None]] = field(default_factory=deque)
    """The ledgers of late, and since when each was the one; the first may be older."""
    _words: Words = field(default_factory=Words)

    def node(self, name: str, before: Node | None, node: Node | None) -> None:
        """Keep what a Node says from now on."""
        self._words.see(name, node, self.history.now)

    def ledger(self, before: RepairLedger | None, ledger: RepairLedger | None) -> None:
        """Keep what the ledger says from now on, and look at what it admits."""
        now = self.history.now
        for name in _admitted(before, ledger):
            self._heeds(name, f"{name} was admitted")
        self._said.append((now, ledger))
        while len(self._said) > 1 and self._said[1][0] <= now - GRACE:
            self._said.popleft()

    def repair(self, before: NodeRepair | None, repair: NodeRepair | None) -> None:
        """Look whether an order is claimed where none was under way."""
        intent = repair.status.intent if repair is not None else None
        if repair is None or intent is None:
            return
        if before is None or before.status.intent is None:
            node = repair.spec.target.node
            self._check(node, f"{intent.action} of {node} was claimed")

    def done(self, deed: Deed) -> None:
        """Look at the pods that are asked to leave."""
        if deed.what == (records.PODS, "eviction") and deed.before is not None:
            node = deed.before.fields["spec.nodeName"]
            self._check(node, f"{deed.entry.name} was evicted from {node}")

    def _heeds(self, name: str, says: str) -> None:
        why = self._words.why(name, self.history.now, GRACE)
        if why:
            self.history.breach("S9", f"{says} although {why} for {GRACE}")

    def _check(self, name: str, says: str) -> None:
        self._heeds(name, says)
        now = self.history.now
        known = [
            ledger
            for n, (_, ledger) in enumerate(self._said)
            if n + 1 == len(self._said) or self._said[n + 1][0] > now - GRACE
        ]
        why = [self._shut(each, name) for each in known]
        if all(why) and self._said and self._said[0][0] <= now - GRACE:
            self.history.breach("S9", f"{says} although {why[-1]} for {GRACE}")

    def _shut(self, ledger: RepairLedger | None, name: str) -> str:
        if ledger is None:
            return ""
        begins = Begins.of(self.history, ledger, name, disrupts=True, steps=True)
        return next((why for gate in GATES if (why := gate(begins))), "")


def _admitted(before: RepairLedger | None, ledger: RepairLedger | None) -> Iterator[str]:
    """Yield the nodes that a ledger newly admits; one that was put together anew admits none."""
    if before is None or ledger is None:
        return
    was, status = before.status, ledger.status
    if was.known_since == status.known_since:
        epochs = [(name, slot.epoch) for name, slot in status.slots.items()]
        admissions = (*status.cordons.items(), *epochs)
        yield from (name for name, epoch in admissions if epoch > was.epoch)
