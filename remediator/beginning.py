"""Begins the repair of a sick node, and forgets the repairs that nobody looks back at any more."""

import contextlib
import logging
from dataclasses import dataclass
from datetime import datetime

from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.repair import NODE_REPAIRS, NodeRepair
from remediator.decide import keeping, plan, recurrence
from remediator.decide.judge import Judgement
from remediator.observe import Fleet
from remediator.rules.policy import Policy
from remediator.rules.rule import RuleSet
from remediator.trail import Trail

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """Begins and forgets repairs of nodes.

    Fields:
        fleet: The cache that it goes by.
        client: The door to the API server.
        clock: The present time.
        trail: Where it is written down that a repair was begun.
    """

    fleet: Fleet
    client: Client
    clock: Clock
    trail: Trail

    async def begin(
        self, node: str, judgement: Judgement, rules: RuleSet, policy: Policy
    ) -> NodeRepair | datetime | None:
        """Begin the repair that a node needs, if any, and return it; or when it may be begun.

        Raises:
            nodehealth.kube.errors.KubeError: the API server failed us; try again later.
        """
        facts = self.fleet.facts(node)
        if facts is None:
            return None
        past, now = self.fleet.repairs_of(node), self.clock()
        repair = plan.begin(facts.node, judgement, past, rules, policy)
        if repair is None:
            return None
        until = plan.settles_until(repair, past, now)
        if until is not None:
            return until
        repair = recurrence.weighed(
            repair,
            self.fleet.repairs(),
            rules.by_name[repair.spec.rule],
            policy,
            now,
            has_twin=self.fleet.has_twin(node),
            since=judgement.marks[repair.spec.rule].confirmed,
        )
        try:
            made = await self.client.create(NODE_REPAIRS, repair)
        except errors.ConflictError:
            logger.info("%s exists already; the cache will show it", repair.metadata.name)
            return None
        self.trail.begun(made)
        logger.info("%s: %s holds: %s", node, repair.spec.rule, "; ".join(repair.spec.evidence))
        for each in keeping.outdated(past, policy, now):
            await self._forget(each)
        return made

    async def forget_past(self, node: str, policy: Policy) -> datetime | None:
        """Forget the past of a node that is gone, and say when there is more to forget.

        Raises:
            nodehealth.kube.errors.KubeError: the API server failed us; try again later.
        """
        if self.fleet.facts(node) is not None:
            return None
        past, now = self.fleet.repairs_of(node), self.clock()
        crowded = len(self.fleet.repairs()) > keeping.CROWD
        ended = [
            (keeping.kept_until(each, policy, now, crowded=crowded), each)
            for each in past
            if not plan.is_open(each)
        ]
        for until, each in ended:
            if until <= now:
                await self._forget(each)
        return min((until for until, _ in ended if until > now), default=None)

    async def _forget(self, repair: NodeRepair) -> None:
        with contextlib.suppress(errors.GoneError, errors.ConflictError):
            uid = repair.metadata.uid
            await self.client.delete(NODE_REPAIRS, repair.metadata.name, uid=uid)
