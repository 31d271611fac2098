"""The swap that gives a slot looks at the gangs of the node's pods, whichever replica asks."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import PODS, Node, Pod
from nodehealth.ledger import REPAIR_LEDGERS, RepairLedger
from nodehealth.repair import NodeRepair
from remediator.actions import SupersededError
from remediator.decide.counting import Scope
from remediator.decide.limits import Refused, Why
from remediator.rules.policy import CLUSTER, Limit, Policy
from tests.builders import node, repair
from tests.remediator.actions.draining import pod
from tests.remediator.conftest import World

MakeWorld = Callable[[], Awaitable[World]]
JOBSET: Final = "jobset.sigs.k8s.io/jobset-name"
ROOM: Final = Limit(cordoned=(9,), disrupted=(9,))
POLICY: Final = Policy(limit=ROOM)
SCOPES: Final = (Scope(name=CLUSTER, members=frozenset({"n1", "n2", "n3"}), out=frozenset()),)


async def begun(
    world: World, name: str, gangs: Mapping[str, str], *, ready: bool = True
) -> tuple[Node, NodeRepair]:
    """Have a sick node with a pod of each of some gangs."""
    seen = await world.node(node(name, ready=ready))
    for each, gang in gangs.items():
        await pod(world.client, each, meta={"labels": {JOBSET: gang}}, spec={"nodeName": name})
    return seen, await world.repair(repair(name))


async def claimed(world: World) -> Mapping[str, tuple[str, ...]]:
    ledger = await world.admission().ledger()
    return {name: slot.gangs for name, slot in ledger.status.slots.items()}


async def pods(world: World) -> tuple[Pod, ...]:
    return (await world.client.listing(PODS)).items


async def test_of_two_nodes_of_one_gang_one_gets_a_slot_and_a_node_of_none_does_not_wait(
    world: MakeWorld,
) -> None:
    here = await world()
    await here.admission().ensure()
    pairs = [
        await begun(here, "n1", {"train-1": "train"}),
        await begun(here, "n2", {"train-2": "train"}),
        await begun(here, "n3", {}),
    ]

    answers = await asyncio.gather(
        *(here.admission().disrupt(mended, one, SCOPES, POLICY) for one, mended in pairs)
    )

    refused = [each for each in answers if isinstance(each, Refused)]
    assert [each.why for each in refused] == [Why.GANG_LIMIT]
    assert not isinstance(answers[2], Refused)
    assert sorted((await claimed(here)).values()) == [(), ("default/jobset/train",)]


async def test_a_dead_node_waits_for_no_gang_and_holds_none_up(world: MakeWorld) -> None:
    here = await world()
    await here.admission().ensure()
    alive, mended = await begun(here, "n1", {"train-1": "train"})
    dead, buried = await begun(here, "n2", {"train-2": "train"}, ready=False)
    late, last = await begun(here, "n3", {"train-3": "train"})

    await here.admission().disrupt(mended, alive, SCOPES, POLICY)
    answer = await here.admission().disrupt(buried, dead, SCOPES, POLICY)
    refused = await here.admission().disrupt(last, late, SCOPES, POLICY)

    assert not isinstance(answer, Refused)
    assert isinstance(refused, Refused)
    assert "n1" in refused.message
    assert await claimed(here) == {"n1": ("default/jobset/train",), "n2": ()}


async def test_where_any_gang_may_lose_any_node_no_pod_is_looked_at(world: MakeWorld) -> None:
    here = await world()
    await here.admission().ensure()
    free = Policy(limit=ROOM, per_gang=None)
    pairs = [await begun(here, name, {f"on-{name}": "train"}) for name in ("n1", "n2")]

    for one, mended in pairs:
        await here.admission().disrupt(mended, one, SCOPES, free)

    assert await claimed(here) == {"n1": (), "n2": ()}


async def test_a_pod_that_came_after_the_slot_was_given_is_claimed_unless_its_gang_is_taken(
    world: MakeWorld,
) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here, "n1", {})
    other, taking = await begun(here, "n2", {"train-2": "train"})
    for asks, seen in ((mended, one), (taking, other)):
        await here.admission().disrupt(asks, seen, SCOPES, POLICY)
    come = (await begun(here, "n3", {"other-1": "other"}), await pods(here))[1]

    refused = await here.admission().claim(mended, one, come, POLICY)
    other_alone = [each for each in come if each.metadata.name == "other-1"]
    granted = await here.admission().claim(mended, one, other_alone, POLICY)
    nothing = await here.admission().claim(mended, one, (), POLICY)

    assert isinstance(refused, Refused)
    assert (granted, nothing) == (None, None)
    assert (await claimed(here))["n1"] == ("default/jobset/other",)


async def test_who_was_overtaken_claims_nothing(world: MakeWorld) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here, "n1", {"train-1": "train"})
    await here.admission().disrupt(mended, one, SCOPES, Policy(limit=ROOM, per_gang=None))
    stale = repair("n1", status=mended.status)

    with pytest.raises(SupersededError):
        await here.admission().claim(stale, one, await pods(here), POLICY)

    assert await claimed(here) == {"n1": ()}


def brimful(ledger: RepairLedger) -> RepairLedger:
    """Return the ledger with as many cordons of long names as bring it to its bound in bytes."""
    cordons = {f"{n:04}".ljust(253, "x"): 1 for n in range(3_100)}
    return structs.replace(ledger, status=structs.replace(ledger.status, cordons=cordons))


async def test_a_ledger_without_room_admits_and_claims_nothing_and_is_given_back_to(
    world: MakeWorld,
) -> None:
    here, policy = await world(), Policy(limit=Limit(cordoned=(9_999,), disrupted=(9,)))
    await here.admission().ensure()
    one, mended = await begun(here, "n1", {})
    epoch = await here.admission().disrupt(mended, one, SCOPES, policy)
    other, waits = await begun(here, "n2", {"train-2": "train"})
    await here.admission().settle(brimful)

    answers = (
        await here.admission().disrupt(waits, other, SCOPES, policy),
        await here.admission().cordon(waits, other, SCOPES, policy),
        await here.admission().claim(mended, one, await pods(here), policy),
    )
    await here.admission().release("n1", None, frozenset({int(str(epoch))}))
    left = await here.client.get(REPAIR_LEDGERS, keys.LEDGER_NAME)

    assert [each.why for each in answers if isinstance(each, Refused)] == [Why.LEDGER_FULL] * 3
    assert left.status.slots == {}
