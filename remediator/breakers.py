"""Opens and closes breakers in the ledger, by what the caches say of the fleet as a whole."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Final, NoReturn

from nodehealth.kit import loops
from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors
from nodehealth.ledger import RepairLedger
from nodehealth.repair import Mode
from remediator import overview
from remediator.admission import Admission
from remediator.decide import breakers, novelties, switching, trips
from remediator.decide.breakers import Seen
from remediator.decide.gates import Deed
from remediator.decide.switching import Nodes
from remediator.decide.trips import Crowd, Trip
from remediator.observe import Fleet, zone_of
from remediator.overview import Counts
from remediator.rules.policy import Policy
from remediator.rules.rule import RuleSet
from remediator.unplaced import Unplaced
from remediator.wire import Wire

logger = logging.getLogger(__name__)

_EVERY: Final = timedelta(seconds=5)
"""How often breakers are looked after; whoever asks for something is judged by the moment."""
_GOOD_FOR: Final = timedelta(seconds=1)
"""How long what is amiss is good for where nothing but a cordon or a next step is asked for."""
_COUNTED_FOR: Final = timedelta(seconds=20)
"""How long a count over all nodes is good for."""
_AT_ONCE: Final = 1000
"""How many nodes are looked at before others have their turn."""
_VERSIONS: Final = 150
"""How many versions are told apart: the most common ones."""


class Breakers:
    """Knows what is amiss with the fleet, and has the ledger say so.

    Args:
        fleet: The caches; they may be stale.
        rules: What is judged by now.
        policy: When breakers open, and whether anything may be enforced at all.
        wire: How our requests fared.
        unplaced: Which pods wait in place of those that were evicted.
        clock: The present time.
    """

    def __init__(
        self,
        *,
        fleet: Fleet,
        rules: Callable[[], RuleSet],
        policy: Callable[[], Policy],
        wire: Wire,
        unplaced: Unplaced,
        clock: Clock,
    ) -> None:
        self._fleet, self._rules, self._policy = fleet, rules, policy
        self._wire, self._unplaced, self._clock = wire, unplaced, clock
        self._counted_at: datetime | None = None
        self._agents, self._versions = Crowd(), tuple[str, ...]()
        self._glanced_at: datetime | None = None
        self._glance: Mapping[str, Trip] = {}

    def seen(self, deed: Deed, now: datetime) -> Seen:
        """Say what is amiss, and which rule each node is repaired for.

        Args:
            deed: What is asked for; before a disruption, all is looked at anew.
            now: The time by the API server's clock.
        """
        at = self._clock()
        old = self._glanced_at is None or at - self._glanced_at > _GOOD_FOR
        if old or deed is Deed.DISRUPT:
            self._glanced_at, self._glance = at, self._trips(now)
        return Seen(trips=self._glance, rule_of=self._rule_of)

    async def run(self, admission: Admission, random: Random) -> NoReturn:
        """Look after the breakers until cancelled."""

        async def look() -> None:
            await self.look(admission)

        await loops.every(_EVERY, look, name="look after breakers", random=random)

    async def look(self, admission: Admission) -> None:
        """Have the ledger say what is open now, if it says anything else."""
        if self._policy().mode is not Mode.ENFORCE or self._fleet.ledger.status.known_since is None:
            return
        try:
            await self._settle(admission)
        except errors.KubeError as failed:
            logger.warning("breakers stay as they are: %s", failed)

    async def _settle(self, admission: Admission) -> None:
        if self._fleet.ledger.status.breakers:
            await admission.ledger()  # the API server says the time only when it is asked something
        await self.count()
        now, pending = admission.now(), self._policy().breaking.pending_pods
        await self._unplaced.look(self._fleet.repairs(), pending, now)
        if self._changed(self._fleet.ledger, now) is not self._fleet.ledger:
            await admission.settle(lambda ledger: self._changed(ledger, now))

    def _changed(self, ledger: RepairLedger, now: datetime) -> RepairLedger:
        noted = novelties.noted(ledger, self._rules().digest, self._versions, now)
        nodes = Nodes(
            about=self._is_about,
            stands=lambda name: any(map(trips.is_trying, self._fleet.repairs_of(name))),
            barred=lambda name: any(map(trips.is_barred, self._fleet.repairs_of(name))),
        )
        return switching.settled(noted, self._trips(now), nodes, self._policy().breaking, now)

    def _trips(self, now: datetime) -> Mapping[str, Trip]:
        counts = Counts(
            agents=self._agents, requests=self._wire.lately(), pods=self._unplaced.known
        )
        policy = self._policy()
        world = overview.world(self._fleet, counts, policy, now)
        return trips.found(world, policy.breaking, now)

    async def count(self) -> None:
        """Count what takes a look at every node: not at every turn, and in nobody's way."""
        now = self._clock()
        if self._counted_at is not None and now - self._counted_at < _COUNTED_FOR:
            return
        self._counted_at = now
        names, everybody, silent = tuple(self._fleet.nodes()), 0, 0
        found = Counter[str]()
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            heard, unheard = self._fleet.agents(now, some)
            everybody, silent = everybody + heard, silent + unheard
            found.update(each for name in some for each in overview.versions(self._fleet, name))
            await asyncio.sleep(0)
        self._agents = Crowd(all=everybody, amiss=silent)
        self._versions = tuple(what for what, _ in found.most_common(_VERSIONS))

    def _rule_of(self, name: str) -> str:
        repairs = (each for each in self._fleet.repairs_of(name) if trips.is_standing(each))
        return next((each.spec.rule for each in repairs), "")

    def _is_about(self, key: str, name: str) -> bool:
        node, slot = self._fleet.node(name), self._fleet.ledger.status.slots.get(name)
        pools = {slot.pool if slot is not None else "", *self._fleet.scopes().places(name)[:1]}
        return breakers.is_about(key, pools, (zone_of(node) or "-") if node is not None else "")
