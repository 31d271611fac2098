"""What a change at the API server means: what the fleet's copy takes in, and who is looked at."""

from typing import Final

from nodehealth.health import NodeHealth
from nodehealth.kit.clocks import Clock
from nodehealth.kube.client import Client
from nodehealth.kube.objects import BarePod, Node
from nodehealth.kube.reflector import Key
from nodehealth.ledger import RepairLedger
from nodehealth.repair import NodeRepair, Phase
from remediator.decide import breakers, maintenance
from remediator.observe import Fleet
from remediator.reconcile import Reconciler
from remediator.telling import Telling

_FREED: Final = frozenset({Phase.RECOVERED, Phase.NEEDS_HUMAN, Phase.PARKED})


class Changes:
    """Passes on what the watches say, to whoever works by it.

    Args:
        fleet: The copy that everything is judged by.
        reconciler: Looks at a node again.
        telling: Knows what there is to tell people.
        client: The door to the API server, which knows its time.
        clock: The present time.
    """

    def __init__(
        self,
        *,
        fleet: Fleet,
        reconciler: Reconciler,
        telling: Telling,
        client: Client,
        clock: Clock,
    ) -> None:
        self._fleet, self._reconciler, self._telling = fleet, reconciler, telling
        self._client, self._clock = client, clock

    def node(self, key: Key, before: Node | None, node: Node | None) -> None:
        """Take in a Node, or that it is gone."""
        self._fleet.see_node(key[1], node)
        self._reconciler.touch(key[1])
        if maintenance.is_over(before, node):
            self._reconciler.touch_waiting()

    def health(self, key: Key, _: NodeHealth | None, health: NodeHealth | None) -> None:
        """Take in what an agent reports, or that it is gone."""
        self._fleet.see_health(key[1], health, now=self._clock(), served=self._client.server_time)
        self._reconciler.touch(key[1])

    def agent(self, _: Key, before: BarePod | None, pod: BarePod | None) -> None:
        """Take in an agent's pod, or that it is gone."""
        served = self._client.server_time
        node = self._fleet.see_agent(before, pod, now=self._clock(), served=served)
        if node:
            self._reconciler.touch(node)

    def ledger(self, _: Key, before: RepairLedger | None, ledger: RepairLedger | None) -> None:
        """Take in the ledger, or that it is gone."""
        self._telling.ledger(ledger)
        for node in sorted(self._fleet.see_ledger(ledger)):
            self._reconciler.touch(node)
        if before is None or ledger is None:
            return
        if _gave_back(before, ledger):
            self._reconciler.touch_waiting()
        if _says_else(before, ledger):
            self._reconciler.touch_held_back()
            for node in ledger.status.slots:
                self._reconciler.touch(node)

    def repair(self, key: Key, before: NodeRepair | None, repair: NodeRepair | None) -> None:
        """Take in a repair, or that it is gone."""
        self._fleet.see_repair(key[1], repair)
        self._telling.repair(before, repair)
        known = repair or before
        if known is not None:
            self._reconciler.touch(known.spec.target.node)
        was, now = _phase(before), _phase(repair)
        if was is not None and was not in _FREED and (now is None or now in _FREED):
            self._reconciler.touch_waiting()


def _phase(repair: NodeRepair | None) -> Phase | None:
    return repair.status.phase if repair is not None else None


def _gave_back(before: RepairLedger, after: RepairLedger) -> bool:
    """Say whether somebody who waits may get a slot now that could not before."""
    freed = before.status.slots.keys() - after.status.slots.keys()
    return bool(freed) or _says_else(before, after)


def _says_else(before: RepairLedger, after: RepairLedger) -> bool:
    """Say whether a step may be allowed now that was forbidden before."""
    moved = breakers.let_through(before) != breakers.let_through(after)
    return moved or before.spec != after.spec
