"""A boot that nobody ended is a crash to the shipped rule, and one that a repair ended is not."""

from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from msgspec import structs

from agent import state
from agent.host.linux import Host
from agent.probes.boots import Boots
from agent.state import State
from nodehealth.health import NodeHealth
from nodehealth.kube.objects import Metadata, Node, NodeInfo, NodeStatus
from nodehealth.repair import Intent, NodeRepair, NodeRepairStatus
from remediator.decide import boots, remedies
from remediator.decide.facts import Facts, Watches
from remediator.decide.judge import Judgement, judge
from remediator.files import remedy
from remediator.rules import load
from tests.agent.host.test_boots import tree
from tests.agent.trees import Tree
from tests.agent.watched import NOON
from tests.builders import repair

__all__ = ["tree"]

RULE: Final = load.rules(Path(__file__).parents[2] / "rules", remedy).by_name["unclean-boot"]
UP: Final = 60
"""Seconds since each boot."""


def agent(kept: State | None, boot_id: str) -> State:
    """Begin in a boot; whatever an agent kept was kept two minutes before that boot."""
    before = NOON - timedelta(seconds=UP, minutes=2)
    return state.begin(
        kept, boot_id=boot_id, node_uid="u", probes=["boots"], now=NOON, kept_at=before
    )


def node(boot_id: str) -> Node:
    status = NodeStatus(node_info=NodeInfo(boot_id=boot_id))
    return Node(metadata=Metadata(name="n1", uid="u"), status=status)


def power_cycled(boot_id: str) -> NodeRepair:
    claim = Intent(action=remedies.POWER_CYCLE, key="k", issued_at=NOON, boot_id=boot_id)
    made = repair("n1")
    ended = boots.ended(made, claim, node(boot_id))
    return structs.replace(made, status=NodeRepairStatus(boots_ended=ended))


async def faults(known: State, tree: Tree, *repairs: NodeRepair) -> tuple[str, ...]:
    """Let the agent look at a machine that was never shut down, and the rule judge that."""
    tree.up(UP)
    host = Host(root=tree.root, uptime=tree.root / "proc/uptime", clock=lambda: NOON)
    answers = await Boots().check(host, state.past(known, "boots"))
    known = state.answered(known, "boots", answers, NOON)
    facts = Facts(
        node=node(known.boot_id),
        health=NodeHealth(status=state.status(known, agent_version="0")),
        heard_at=NOON,
        watches=Watches(nodes=NOON, healths=NOON, agents=NOON),
        ordered=boots.by_us(repairs),
    )
    return judge([RULE], facts, Judgement(), NOON).faults()


async def test_a_machine_that_lost_its_power_is_told(tree: Tree) -> None:
    assert await faults(agent(agent(None, "b1"), "b2"), tree) == ("unclean-boot",)


async def test_a_machine_that_a_repair_switched_off_and_on_is_not_told(tree: Tree) -> None:
    assert await faults(agent(agent(None, "b1"), "b2"), tree, power_cycled("b1")) == ()


@pytest.mark.parametrize("cycled", ["b0", "b2"])
async def test_a_crash_is_told_whatever_other_boots_a_repair_ended(tree: Tree, cycled: str) -> None:
    known = agent(agent(None, "b1"), "b2")

    assert await faults(known, tree, power_cycled(cycled)) == ("unclean-boot",)


async def test_a_machine_that_was_shut_down_is_not_told(tree: Tree) -> None:
    ended = state.ended(agent(None, "b1"), NOON - timedelta(seconds=UP, minutes=2))

    assert await faults(agent(ended, "b2"), tree) == ()
