"""A person who uncordons a node that has to prove itself has it, and is told that they do."""

from dataclasses import replace
from datetime import timedelta

from nodehealth.kube.objects import NODES, Node
from nodehealth.repair import Phase
from nodemend.looking import sight, why
from nodemend.looking.rulebook import Rulebook
from remediator.rules.policy import Policy
from remediator.rules.rule import RuleSet
from simulator import virtualtime
from tests.safety import sent, stage
from tests.safety.test_stories import Scene, full, minutes, staged

RESET = ("drain: {deadline: 3m}", "reset-gpu")


def strict(rules: RuleSet) -> RuleSet:
    """Have mended nodes be well for ten minutes."""
    slow = [replace(each, verify=timedelta(minutes=10)) for each in rules.rules]
    return replace(rules, rules=tuple(slow), by_name={each.name: each for each in slow})


async def told(scene: Scene, rules: RuleSet, policy: Policy, node: str) -> str:
    """Ask `nodemend why`."""
    seen = await sight.look(scene.client, virtualtime.clock(), node=node)
    book = Rulebook(rules=rules, policy=policy, origin="the tale")
    return "\n".join(why.explain(seen, book, node).next)


def marked(node: Node) -> list[str]:
    return [each.key for each in node.spec.taints if each.key.startswith("nodemend.dev/")]


@virtualtime.played
async def test_a_mended_node_that_a_person_uncordons_is_left_to_them() -> None:
    rules, policy = strict(sent.rules(*RESET)), replace(stage.policy(), gpu_clients=sent.PLUGINS)
    async with staged(gpus=2) as scene:
        scene.cluster.inject("w-1", "gpu-stuck")
        async with scene.remediator(rules=rules, under=policy):
            await minutes(4)
            mended = await scene.repair("w-1")
            await scene.client.merge_patch(NODES, "w-1", {"spec": {"unschedulable": None}})
            await minutes(1)
            parked = await scene.repair("w-1")
            says = await told(scene, rules, policy, "w-1")

        node, ledger = await scene.node("w-1"), await scene.ledger()
        assert mended.status.phase is Phase.VERIFYING
        assert (parked.status.phase, parked.status.reason) == (Phase.PARKED, "Uncordoned")
        assert "somebody uncordoned w-1" in says
        assert (marked(node), node.spec.unschedulable) == ([], False)
        assert (ledger.status.slots, ledger.status.cordons) == ({}, {})


@virtualtime.played
async def test_a_successor_that_was_marked_on_sight_is_left_to_whoever_uncordons_it() -> None:
    rules, policy = strict(stage.RULES), stage.policy()
    async with staged() as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator(rules=rules):
            await minutes(3)
            mended, successor = await scene.repair("w-1"), await scene.node("w-1")
            await scene.client.merge_patch(NODES, "w-1", {"spec": {"unschedulable": None}})
            await minutes(1)
            parked = await scene.repair("w-1")
            says = await told(scene, rules, policy, "w-1")
            await minutes(20)

        after = await scene.repair("w-1")
        node, ledger = await scene.node("w-1"), await scene.ledger()
        assert mended.status.phase is Phase.VERIFYING
        assert mended.spec.target.node_uid != successor.metadata.uid
        assert successor.spec.unschedulable
        assert (parked.status.phase, parked.status.reason) == (Phase.PARKED, "Uncordoned")
        assert "somebody uncordoned w-1" in says
        assert (marked(node), node.spec.unschedulable) == ([], False)
        assert (ledger.status.slots, ledger.status.cordons) == ({}, {})
        assert (after.metadata.uid, after.status.phase) == (mended.metadata.uid, Phase.RECOVERED)
