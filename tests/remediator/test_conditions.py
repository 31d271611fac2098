"""What holds on a node shows on its Node, beside what others say there and never over it."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from prometheus_client import CollectorRegistry

from nodehealth.health import NODE_HEALTHS
from nodehealth.keys import REMEDIATOR_MANAGER
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, Condition
from nodehealth.repair import Mode
from remediator.conditions import Conditions as ShownConditions
from remediator.decide.conditions import Claim
from remediator.files import Loaded
from remediator.metrics import Metrics
from remediator.rules.policy import Conditions, Names, Policy
from remediator.rules.rule import Sign
from simulator import virtualtime
from simulator.api.local import LocalTransport
from tests.builders import health, level, node, rule, rules
from tests.remediator.leading import Fleet, fleet, leading
from tests.remediator.sending import Meddled

FULL, EMPTY = level(0.01), level(0.5)
TYPE = "nodemend.dev/StorageReady"
RULES = rules(replace(rule(ladder=()), condition=Sign(type="StorageReady", reason="DiskFull")))
LATER = timedelta(minutes=5).total_seconds()


def files(names: Names = Names.NODEMEND, mode: Mode = Mode.ENFORCE) -> Loaded:
    policy = Policy(mode=mode, conditions=Conditions(names=names))
    return Loaded(rules=RULES, policy=policy, provider=None, sinks={})


async def sick(world: Fleet) -> None:
    uid = await world.node(node())
    await world.report(health(FULL, node_uid=uid))


async def cured(world: Fleet) -> None:
    uid = (await world.agent.get(NODES, "n1")).metadata.uid
    await world.report(health(EMPTY, node_uid=uid))


async def conditions(world: Fleet) -> dict[str, Condition]:
    found = (await world.agent.get(NODES, "n1")).status.conditions
    assert len({each.type for each in found}) == len(found)
    return {each.type: each for each in found}


async def says(world: Fleet, manager: str, type_: str, status: str) -> None:
    """Have somebody else write a condition."""
    transport = world.client.transport
    assert isinstance(transport, LocalTransport)
    body = {"status": {"conditions": [{"type": type_, "status": status, "reason": "Theirs"}]}}
    other = Client(transport, manager=manager)
    await other.strategic_patch(NODES, "n1", body, subresource="status")


@virtualtime.played
async def test_a_fault_is_shown_and_once_it_is_over_the_node_is_well() -> None:
    world = await fleet()
    await sick(world)

    async with leading(world, files()):
        await asyncio.sleep(LATER)
        fault = (await conditions(world))[TYPE]
        await cured(world)
        await asyncio.sleep(LATER)
        well = (await conditions(world))[TYPE]

    assert (fault.status, fault.reason) == ("False", "DiskFull")
    assert (well.status, well.reason) == ("True", "NoFault")
    assert fault.last_transition_time is not None
    assert well.last_transition_time is not None
    assert well.last_transition_time > fault.last_transition_time


@virtualtime.played
async def test_observing_writes_no_condition() -> None:
    world = await fleet()
    await sick(world)

    async with leading(world, files(mode=Mode.OBSERVE)):
        await asyncio.sleep(LATER)

    assert (await conditions(world)).keys() == {"Ready"}


@virtualtime.played
async def test_a_node_that_is_well_is_not_written_to() -> None:
    world = await fleet()
    uid = await world.node(node())
    await world.report(health(EMPTY, node_uid=uid))

    async with leading(world, files()):
        await asyncio.sleep(LATER)

    assert (await conditions(world)).keys() == {"Ready"}


@virtualtime.played
async def test_another_leader_goes_on_with_what_is_shown_and_moves_no_time() -> None:
    world = await fleet()
    await sick(world)
    async with leading(world, files()):
        await asyncio.sleep(LATER)
    before = await conditions(world)

    async with leading(world, files()):
        await asyncio.sleep(LATER)

    assert await conditions(world) == before


@virtualtime.played
async def test_a_leader_without_memory_ends_no_fault_that_nothing_is_known_of() -> None:
    world = await fleet()
    await sick(world)
    async with leading(world, files()):
        await asyncio.sleep(LATER)
    await world.agent.delete(NODE_HEALTHS, "n1")

    async with leading(world, files()):
        await asyncio.sleep(LATER)

    assert (await conditions(world))[TYPE].status == "False"


@virtualtime.played
async def test_what_is_no_longer_enforced_is_taken_off_and_nothing_else_is() -> None:
    world = await fleet()
    await sick(world)
    async with leading(world, files()) as one:
        await asyncio.sleep(LATER)
        await says(world, "npd", "KernelDeadlock", "False")
        assert TYPE in await conditions(world)
        one.use(files(Names.NONE))
        await asyncio.sleep(LATER)

    assert (await conditions(world)).keys() == {"Ready", "KernelDeadlock"}


@virtualtime.played
async def test_a_type_that_somebody_else_writes_is_left_to_them_and_counted() -> None:
    world, metrics = await fleet(), Metrics(CollectorRegistry())
    await sick(world)
    await says(world, "eks-node-monitoring-agent", "StorageReady", "True")

    async with leading(world, files(Names.KARPENTER), metrics=metrics):
        await asyncio.sleep(LATER)
        found = (await conditions(world))["StorageReady"]
        counted = metrics.registry.get_sample_value(
            "nodemend_conditions_foreign", {"type": "StorageReady"}
        )

    assert (found.status, found.reason) == ("True", "Theirs")
    assert counted == 1


@virtualtime.played
async def test_who_begins_to_write_a_type_of_ours_has_it_from_then_on() -> None:
    world = await fleet()
    await sick(world)

    async with leading(world, files(Names.KARPENTER)):
        await asyncio.sleep(LATER)
        ours = (await conditions(world))["StorageReady"]
        await says(world, "eks-node-monitoring-agent", "StorageReady", "True")
        await asyncio.sleep(LATER)
        theirs = (await conditions(world))["StorageReady"]

    assert ours.status == "False"
    assert (theirs.status, theirs.reason) == ("True", "Theirs")


@virtualtime.played
async def test_a_type_that_its_writer_gave_up_is_ours_to_write() -> None:
    world = await fleet()
    await sick(world)
    await says(world, "npd", "StorageReady", "True")

    async with leading(world, files(Names.KARPENTER)):
        await asyncio.sleep(LATER)
        gone = {"status": {"conditions": [{"$patch": "delete", "type": "StorageReady"}]}}
        await world.agent.strategic_patch(NODES, "n1", gone, subresource="status")
        await asyncio.sleep(LATER)
        found = (await conditions(world))["StorageReady"]

    assert found.status == "False"


@virtualtime.played
async def test_who_writes_between_our_reading_and_our_writing_is_not_written_over() -> None:
    world, foreign = await fleet(), list[Mapping[tuple[str, str], int]]()
    await world.node(node())
    way = Meddled(world.client.transport)
    way.meanwhile["PATCH"] = lambda: says(world, "npd", "StorageReady", "True")
    client = Client(way, manager=REMEDIATOR_MANAGER)
    one = ShownConditions(
        client=client, clock=virtualtime.clock(), wrote=lambda *_: None, foreign=foreign.append
    )
    claim = Claim(type="StorageReady", status="False", reason="Full", message="nodemend: full.")
    running = asyncio.create_task(one.run())
    await asyncio.sleep(0)

    one.see(await world.agent.get(NODES, "n1"), (claim,))
    await asyncio.sleep(LATER)
    running.cancel()

    assert (await conditions(world))["StorageReady"].reason == "Theirs"
    assert foreign == [{("StorageReady", "npd"): 1}]


@virtualtime.played
async def test_a_machine_that_was_replaced_does_not_inherit_the_fault_of_its_name() -> None:
    world = await fleet()
    await world.node(node())
    one = ShownConditions(
        client=world.client,
        clock=virtualtime.clock(),
        wrote=lambda *_: None,
        foreign=lambda _: None,
    )
    claim = Claim(type=TYPE, status="False", reason="Full", message="nodemend: full.")
    one_of_before = await world.agent.get(NODES, "n1")
    running = asyncio.create_task(one.run())
    await asyncio.sleep(0)

    one.see(one_of_before, (claim,))
    await world.agent.delete(NODES, "n1")
    await world.node(node())
    await asyncio.sleep(LATER)
    running.cancel()

    assert (await conditions(world)).keys() == {"Ready"}


@virtualtime.played
async def test_a_fleet_that_falls_sick_at_once_is_written_a_node_after_the_other() -> None:
    world, many = await fleet(), 40
    for n in range(many):
        uid = await world.node(node(f"n{n}"))
        await world.report(health(FULL, name=f"n{n}", node_uid=uid))

    async with leading(world, files()):
        await asyncio.sleep(1)
        soon = await shown(world)
        await asyncio.sleep(4)
        later = await shown(world)

    assert 10 <= soon <= 21
    assert later == many


async def shown(world: Fleet) -> int:
    nodes = (await world.agent.listing(NODES)).items
    return sum(TYPE in {each.type for each in one.status.conditions} for one in nodes)


@virtualtime.played
async def test_every_node_that_is_well_shows_it_where_the_policy_wants_that() -> None:
    world = await fleet()
    for n, said in enumerate((EMPTY, None)):
        uid = await world.node(node(f"n{n}"))
        if said is not None:
            await world.report(health(said, name=f"n{n}", node_uid=uid))
    policy = Policy(mode=Mode.ENFORCE, conditions=Conditions(every_node=True))

    async with leading(world, replace(files(), policy=policy)):
        await asyncio.sleep(LATER)

    found = {
        one.metadata.name: {each.type: each.status for each in one.status.conditions}[TYPE]
        for one in (await world.agent.listing(NODES)).items
    }
    assert found == {"n0": "True", "n1": "Unknown"}
