"""The demo's own eyes: it watches the cluster as anybody with a kubeconfig could."""

import asyncio
from functools import partial
from random import Random

from nodehealth.kit.clocks import Clock
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, Node
from nodehealth.kube.reflector import Key, Reflector
from nodehealth.ledger import REPAIR_LEDGERS, RepairLedger
from nodehealth.repair import NODE_REPAIRS, NodeRepair
from nodemend.demo.story import Story
from remediator.decide import counting
from remediator.decide.counting import Usage
from remediator.observe import Fleet
from remediator.rules.policy import Policy


class Audience:
    """What is seen, kept up to date.

    Args:
        client: The way to the API server.
        policy: Which nodes belong to which pool, and the limits of those.
        story: Is told of every repair that changed.
        clock: The present time.
    """

    def __init__(self, client: Client, policy: Policy, *, story: Story, clock: Clock) -> None:
        self.fleet = Fleet(policy)
        self.repairs: dict[str, NodeRepair] = {}
        """All that were ever seen, by name."""
        self._client, self._policy, self._story, self._clock = client, policy, story, clock
        self._ledger = RepairLedger()

    async def watch(self) -> None:
        """Follow nodes, repairs and the ledger until cancelled."""
        jitter = Random()  # noqa: S311 - jitter is no secret
        reflect = partial(Reflector, self._client, clock=self._clock, random=jitter)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(reflect(NODES, on_change=self._saw_node).run())
            tasks.create_task(reflect(NODE_REPAIRS, on_change=self._saw_repair).run())
            tasks.create_task(reflect(REPAIR_LEDGERS, on_change=self._saw_ledger).run())

    def usages(self) -> tuple[Usage, ...]:
        """Say how much of each limit is used; the cluster comes last."""
        scopes = sorted(self.fleet.scopes().values(), key=lambda each: each.name)
        return tuple(counting.usage(self._ledger, each, self._policy) for each in scopes)

    def _saw_node(self, key: Key, _: Node | None, node: Node | None) -> None:
        self.fleet.see_node(key[1], node)

    def _saw_repair(self, key: Key, _: NodeRepair | None, repair: NodeRepair | None) -> None:
        self.fleet.see_repair(key[1], repair)
        if repair is not None:
            self.repairs[key[1]] = repair
            self._story.saw(repair)

    def _saw_ledger(
        self, _: Key, _before: RepairLedger | None, ledger: RepairLedger | None
    ) -> None:
        self._ledger = ledger or RepairLedger()
        self.fleet.see_ledger(ledger)
