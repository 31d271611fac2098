"""Nodes whose kubelets are dead are emptied by force only once their machines are proven off."""

import asyncio
from typing import Any

from nodehealth import keys
from nodehealth.kube.objects import PODS
from nodehealth.repair import Phase, Proof
from simulator import virtualtime
from tests.safety.test_stories import full, minutes, staged

WEB: dict[str, Any] = {"name": "web", "replicas": 8, "budget": {"max-unavailable": 1}}


@virtualtime.played
async def test_dead_nodes_are_all_repaired_one_after_the_other() -> None:
    async with staged(workloads=(WEB,)) as scene:
        for name in ("w-1", "w-2", "w-3"):
            scene.cluster.inject(name, full())
            scene.cluster.inject(name, "kubelet-dead")

        async with scene.remediator():
            await minutes(60)

        for name in ("w-1", "w-2", "w-3"):
            repair = await scene.repair(name)
            assert repair.status.phase is Phase.RECOVERED, repair.status.message
