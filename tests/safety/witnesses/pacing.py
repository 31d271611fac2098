"""S4: nothing begins faster than the rate and one burst allow."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from nodehealth.kube.objects import Node
from nodehealth.ledger import RepairLedger
from tests.safety.witnesses.beginning import GRACE
from tests.safety.witnesses.brains import serves
from tests.safety.witnesses.history import Witness


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How many may begin in a while."""

    most: int
    per: timedelta
    burst: int


@dataclass(slots=True)
class Paced(Witness):
    """S4: in no stretch of time begins more than the rate and one burst allow.

    Nodes that are out anyway are cordoned at the same rate, counted by themselves.
    """

    cordons: Pace | None = None
    disruptions: Pace | None = None
    _begun: dict[int, datetime] = field(default_factory=dict)
    _cordoned: dict[int, datetime] = field(default_factory=dict)
    _marked: dict[int, datetime] = field(default_factory=dict)
    """Cordons of nodes that were out anyway."""
    _out: dict[str, datetime] = field(default_factory=dict)
    """When each node was seen last that took no work and was not held by us."""

    def node(self, name: str, before: Node | None, node: Node | None) -> None:
        """Note who is out, or was until now."""
        if before is not None and not (serves(before) and serves(node)) and not self._is_held(name):
            self._out[name] = self.history.now

    def ledger(self, before: RepairLedger | None, ledger: RepairLedger | None) -> None:
        """Note each admission when it is there for the first time."""
        if ledger is None:
            return
        slots = [slot.epoch for slot in ledger.status.slots.values()]
        self._note(slots, self._begun, self.disruptions, "disruptions")
        cordons = [(e, n) for n, e in ledger.status.cordons.items() if e not in self._begun]
        known = self._cordoned | self._marked
        out = [e for e, name in cordons if e in self._marked or self._was_out(name)]
        out = [each for each in out if each in self._marked or each not in known]
        self._note(out, self._marked, self.cordons, "cordons of nodes that are out")
        others = [each for each, _ in cordons if each not in self._marked]
        self._note(others, self._cordoned, self.cordons, "cordons")

    def _is_held(self, name: str) -> bool:
        ledger = self.history.ledger
        if ledger is None:
            return False
        return name in ledger.status.cordons or name in ledger.status.slots

    def _was_out(self, name: str) -> bool:
        """Say whether somebody may still know a node as one that takes no work."""
        if not serves(self.history.nodes.get(name)):
            return True
        last = self._out.get(name)
        return last is not None and self.history.now - last <= GRACE

    def _note(
        self, epochs: Iterable[int], begun: dict[int, datetime], pace: Pace | None, what: str
    ) -> None:
        now = self.history.now
        for epoch in epochs:
            if epoch in begun:
                continue
            begun[epoch] = now
            if pace is None:
                continue
            for start in begun.values():
                # inclusive at both ends: a token that comes back just then is counted with it
                within = sum(start <= each <= start + pace.per for each in begun.values())
                if within > pace.most + pace.burst:
                    self.history.breach("S4", f"{within} {what} since {start:%H:%M:%S}")
