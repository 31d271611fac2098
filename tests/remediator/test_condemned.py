"""A GPU that failed before is known again, also in a node of another name, and left to people."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import NODES, Node
from nodehealth.repair import (
    NODE_REPAIRS,
    Mode,
    NodeRepair,
    NodeRepairStatus,
    Phase,
    PhaseTime,
)
from remediator.files import Loaded
from remediator.rules.policy import Limit, Policy, Pool
from simulator import virtualtime
from tests.builders import health, level, node, question, repair, rule, rules, xid
from tests.remediator.leading import Fleet, fleet, leading

ALL = Limit(cordoned=("100%",), disrupted=("100%",))
RULES = rules(rule(question("code == 95", signal="gpu.xid"), name="hurt", ladder=("drain",)))
POOLS = (Pool(name="all", labels={}, limit=ALL),)
POLICY = Policy(mode=Mode.ENFORCE, limit=ALL, pools=POOLS)
FILES = Loaded(rules=RULES, policy=POLICY, provider=None)
BOTH = Loaded(
    rules=rules(*RULES.rules, rule(name="full", ladder=("drain", "replace"))),
    policy=POLICY,
    provider=None,
)
WATCHED = Loaded(rules=RULES, policy=Policy(mode=Mode.OBSERVE, limit=ALL), provider=None)
HOST = "4c4c4544"
GPU = ("GPU-1",)


async def remembered(
    here: Fleet, name: str, *, gpus: tuple[str, ...] = (), host: str = "", ago: timedelta
) -> None:
    """Write a repair of a node that was carried out, and blamed on parts, some time ago."""
    made = repair(name)
    target = structs.replace(made.spec.target, host=host)
    spec = structs.replace(made.spec, parts=gpus, target=target)
    created = await here.client.create(NODE_REPAIRS, structs.replace(made, spec=spec))
    times = (PhaseTime(phase=Phase.RECOVERED, at=virtualtime.clock()() - ago),)
    status = NodeRepairStatus(phase=Phase.RECOVERED, disruption_epoch=3, timeline=times)
    body: Mapping[str, Any] = {"metadata": created.metadata, "spec": spec, "status": status}
    name = created.metadata.name
    await here.client.replace(NODE_REPAIRS, body, name=name, subresource="status")


async def hurt(here: Fleet, seen: Node) -> None:
    """Have the GPU fail in a node."""
    uid = await here.node(seen)
    await here.report(health(xid(95), name=seen.metadata.name, node_uid=uid))


async def opened(here: Fleet, name: str = "n1") -> NodeRepair:
    """Wait until the repair of a node got as far as it goes."""
    await asyncio.sleep(30)
    (found,) = (each for each in await here.repairs() if each.spec.target.node == name)
    return found


@virtualtime.played
async def test_a_repair_remembers_the_parts_that_it_is_blamed_on() -> None:
    here = await fleet()
    async with leading(here, WATCHED):
        await hurt(here, node(host=HOST))
        first = await opened(here)

        assert (first.spec.parts, first.spec.target.host) == (GPU, HOST)
        assert first.spec.condemned is None


@virtualtime.played
async def test_a_gpu_that_fails_again_in_another_node_takes_no_work_and_no_remedy() -> None:
    here = await fleet()
    await remembered(here, "n7", gpus=GPU, ago=timedelta(days=20))
    async with leading(here, FILES):
        await hurt(here, node(host=HOST))
        second = await opened(here)
        seen = await here.client.get(NODES, "n1")

        assert (second.status.phase, second.status.reason) == (Phase.NEEDS_HUMAN, "CondemnedPart")
        assert "GPU-1 is condemned: it fails again after repairs on n7" in second.status.message
        assert second.status.disruption_epoch == 0
        assert seen.spec.unschedulable
        told = await here.events()
        assert "GPU-1 is condemned" in told["RepairNeedsHuman"]


@virtualtime.played
async def test_what_is_remembered_of_a_node_that_is_gone_outlasts_what_is_only_looked_back_at() -> (
    None
):
    here = await fleet()
    await remembered(here, "n7", gpus=GPU, ago=timedelta(days=20))
    await remembered(here, "n8", gpus=GPU, ago=timedelta(days=40))
    async with leading(here, FILES):
        await asyncio.sleep(60)

        assert {each.spec.target.node for each in await here.repairs()} == {"n7"}


@virtualtime.played
async def test_a_node_that_a_person_uncordons_is_left_alone_with_its_condemned_part() -> None:
    here = await fleet()
    await remembered(here, "n7", gpus=GPU, ago=timedelta(days=2))
    async with leading(here, FILES):
        await hurt(here, node())
        await opened(here)
        patch = {"spec": {"unschedulable": None}}
        await here.agent.merge_patch(NODES, "n1", patch)
        parked = await opened(here)
        seen = await here.client.get(NODES, "n1")

        assert parked.status.phase is Phase.PARKED
        assert not seen.spec.unschedulable


@virtualtime.played
async def test_deleting_all_of_its_repairs_has_it_repaired_once_more() -> None:
    here = await fleet()
    await remembered(here, "n7", gpus=GPU, ago=timedelta(days=2))
    async with leading(here, FILES):
        await hurt(here, node())
        condemned = await opened(here)
        for name in ("n7-repair", condemned.metadata.name):
            await here.agent.delete(NODE_REPAIRS, name)
        anew = await opened(here)

        assert anew.spec.condemned is None
        assert anew.status.phase is Phase.WAITING  # for a person to open the ledger that was lost


@virtualtime.played
async def test_hosts_of_one_batch_that_share_a_name_are_not_blamed_for_each_other() -> None:
    here = await fleet()
    for name in ("n7", "n8", "n9"):
        await remembered(here, name, host=HOST, ago=timedelta(days=2))
    async with leading(here, FILES):
        await here.node(node("twin", host=HOST))
        await hurt(here, node(host=HOST))
        found = await opened(here)

        assert (found.spec.parts, found.spec.target.host) == (GPU, "")
        assert found.spec.condemned is None


@virtualtime.played
async def test_observing_says_what_would_be_done_and_does_nothing() -> None:
    here = await fleet()
    await remembered(here, "n7", gpus=GPU, ago=timedelta(days=2))
    async with leading(here, WATCHED):
        await hurt(here, node())
        found = await opened(here)
        seen = await here.client.get(NODES, "n1")

        assert (found.status.phase, found.status.reason) == (Phase.WAITING, "ObserveOnly")
        assert "then call a person, for GPU-1 is condemned" in found.status.message
        assert not seen.spec.unschedulable


@virtualtime.played
async def test_a_gpu_that_failed_before_stops_the_repair_that_it_joins() -> None:
    here = await fleet()
    await remembered(here, "n7", gpus=GPU, ago=timedelta(days=2))
    async with leading(here, BOTH):
        uid = await here.node(node())
        await here.report(health(level(0.01), node_uid=uid))
        first = await opened(here)
        await here.report(health(level(0.01), xid(95), node_uid=uid))
        joined = await opened(here)
        seen = await here.client.get(NODES, "n1")

        assert first.status.phase is Phase.WAITING  # for a person to open the ledger that was lost
        assert (joined.status.phase, joined.status.reason) == (Phase.NEEDS_HUMAN, "CondemnedPart")
        assert "GPU-1 is condemned: it fails again after repairs on n7" in joined.status.message
        assert seen.metadata.labels[keys.QUARANTINE_LABEL] == "gpu"
        assert seen.spec.unschedulable
