"""What holds a repair back says so and for how long; what does not hold it back stops nobody."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from nodehealth import keys
from nodehealth.kube.objects import NODES
from nodehealth.ledger import REPAIR_LEDGERS, Disruption
from nodehealth.repair import NODE_REPAIRS, Phase
from remediator.rules.policy import Limit, Pool, Rate
from simulator import virtualtime
from simulator.observer import Broken
from tests.safety.stage import policy
from tests.safety.test_stories import Scene, full, minutes, staged

TEN_MINUTES = timedelta(minutes=10)
SLOW = replace(
    policy(),
    limit=Limit(
        cordoned=(4,),
        disrupted=(1,),
        disruptions=Rate(most=1, per=TEN_MINUTES, burst=1),
    ),
)
BUSY = {"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}


async def phases(scene: Scene) -> dict[str, Phase]:
    repairs = (await scene.client.listing(NODE_REPAIRS)).items
    return {each.spec.target.node: each.status.phase for each in repairs}


@virtualtime.played
async def test_repairs_wait_while_somebody_else_takes_a_node_away_and_then_go_on() -> None:
    async with staged() as scene:
        taint = {"spec": {"taints": [BUSY]}}
        await scene.client.merge_patch(NODES, "w-4", taint)
        scene.cluster.inject("w-1", full())
        async with scene.remediator():
            await minutes(10)
            waiting = (await scene.repair("w-1")).status
            await scene.client.merge_patch(NODES, "w-4", {"spec": {"taints": []}})
            await minutes(5)

        assert (waiting.phase, waiting.reason) == (Phase.WAITING, "ForeignMaintenance")
        assert "w-4 (Karpenter)" in waiting.message
        assert (await phases(scene)) == {"w-1": Phase.RECOVERED}


@virtualtime.played
async def test_a_rate_spaces_repairs_out_and_each_knows_when_it_may_begin() -> None:
    async with staged() as scene:
        for name in ("w-1", "w-2", "w-3"):
            scene.cluster.inject(name, full())
        async with scene.remediator(under=SLOW):
            await minutes(6)
            second = (await scene.repair("w-2")).status
            after = [await phases(scene)]
            for _ in range(2):
                await minutes(10)
                after.append(await phases(scene))

        done = [sum(each is Phase.RECOVERED for each in found.values()) for found in after]
        assert done == [1, 2, 3]
        assert (second.phase, second.reason) == (Phase.WAITING, "DisruptionRate")
        assert "the next one may begin at 12:10:" in second.message


@virtualtime.played
async def test_who_waits_for_its_time_does_not_ask_again_and_again() -> None:
    async with staged() as scene:
        scene.cluster.inject("w-1", full())
        scene.cluster.inject("w-2", full())
        async with scene.remediator(under=SLOW):
            await minutes(5)
            asked = list[str]()
            scene.cluster.api.on_request(
                lambda entry: (
                    asked.append(entry.path)
                    if entry.manager.startswith(keys.REMEDIATOR_MANAGER) and entry.verb == "get"
                    else None
                )
            )
            await minutes(4)

        assert len([path for path in asked if "repairledgers" in path]) < 10  # of 16 by polling


@virtualtime.played
async def test_neither_a_restart_nor_a_lost_ledger_gives_a_burst() -> None:
    async with staged(forgiven=frozenset({Broken.EPOCH_FELL})) as scene:
        scene.cluster.inject("w-1", full())
        scene.cluster.inject("w-2", full())
        async with scene.remediator(under=SLOW):
            await minutes(5)
        async with scene.remediator(under=SLOW):
            await minutes(1)
            restarted = await phases(scene)
            await scene.client.delete(REPAIR_LEDGERS, keys.LEDGER_NAME)
            await minutes(1)
            opened = {"spec": {"disruption": Disruption.OPEN}}
            await scene.client.merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, opened)
            await minutes(8)
            lost = await phases(scene)
            await minutes(6)

        assert restarted == lost == {"w-1": Phase.RECOVERED, "w-2": Phase.WAITING}
        assert (await phases(scene))["w-2"] is Phase.RECOVERED


@virtualtime.played
async def test_nodes_that_are_out_do_not_hold_up_those_that_can_be_mended() -> None:
    names = [f"w-{n:02}" for n in range(1, 13)]
    limit = Limit(cordoned=(12,), disrupted=(1,))
    roomy = replace(policy(), limit=limit, pools=(Pool(name="w", labels={}, limit=limit),))
    async with staged(nodes=12) as scene:
        for name in names[:6]:
            await scene.client.merge_patch(NODES, name, {"spec": {"unschedulable": True}})
        for name in names[4:10]:
            scene.cluster.inject(name, full())
        async with scene.remediator(under=roomy):
            await minutes(30)

        assert set((await phases(scene)).values()) == {Phase.RECOVERED}
        assert len(await phases(scene)) == 6
        nodes = (await scene.client.listing(NODES)).items
        left = {each.metadata.name for each in nodes if each.spec.unschedulable}
        assert left >= set(names[:4])


@virtualtime.played
async def test_a_crowd_that_waits_for_its_time_stays_quiet_and_comes_in_order() -> None:
    pace = Rate(most=6, per=timedelta(minutes=1), burst=2)
    limit = Limit(cordoned=(40,), disrupted=(0,), cordons=pace)
    names = [f"w-{n:02}" for n in range(1, 41)]
    async with staged(nodes=40) as scene:
        for name in names:
            scene.cluster.inject(name, full())
        written = list[str]()
        scene.cluster.api.on_request(
            lambda entry: (
                written.append(entry.name)
                if entry.verb == "update" and entry.resource.startswith("noderepairs")
                else None
            )
        )
        crowd = replace(policy(), limit=limit, pools=(Pool(name="w", labels={}, limit=limit),))
        async with scene.remediator(under=crowd):
            await minutes(4)
            early = await scene.ledger()
            await minutes(8)

        assert 20 <= len(early.status.cordons) <= 26
        assert len((await scene.ledger()).status.cordons) == 40
        assert max(Counter(written).values()) <= 6
