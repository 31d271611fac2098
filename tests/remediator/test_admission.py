"""First the ledger, then the Node at its fence: whatever is lost or comes twice in between."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.fence import Fence, Hold
from nodehealth.kit import clocks
from nodehealth.kube import errors
from nodehealth.kube.objects import NODES, Node
from nodehealth.ledger import (
    EVER,
    REPAIR_LEDGERS,
    Breaker,
    BreakerState,
    Bucket,
    Disruption,
    RepairLedgerStatus,
)
from nodehealth.repair import NODE_REPAIRS, NodeRepair, NodeRepairStatus
from remediator.actions import SupersededError
from remediator.admission import GRANTED, Admission
from remediator.decide.admissions import Held
from remediator.decide.breakers import Seen
from remediator.decide.counting import Scope
from remediator.decide.limits import Refused, Why
from remediator.decide.rates import Kind
from remediator.decide.trips import Trip
from remediator.rules.policy import CLUSTER, Limit, Policy, Rate
from tests.builders import node, repair
from tests.remediator.conftest import World

MakeWorld = Callable[[], Awaitable[World]]
NAMES = frozenset({"n1", "n2", "n3"})
SCOPES = (Scope(name=CLUSTER, members=NAMES, out=frozenset()),)
ONE = Policy(limit=Limit(cordoned=(3,), disrupted=(1,)))


async def begun(
    world: World, name: str = "n1", *, unschedulable: bool = False
) -> tuple[Node, NodeRepair]:
    seen = await world.node(node(name, unschedulable=unschedulable))
    return seen, await world.repair(repair(name))


async def seen(world: World, name: str = "n1") -> Node:
    return await world.client.get(NODES, name)


async def test_a_cordon_is_in_the_ledger_and_on_the_node(world: MakeWorld) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here)

    epoch = await here.admission().cordon(mended, one, SCOPES, ONE)

    now = await seen(here)
    assert epoch == 1
    assert (await here.admission().ledger()).status.cordons == {"n1": 1}
    assert now.spec.unschedulable
    assert now.metadata.annotations[keys.FENCE_ANNOTATION] == "1:cordoned"
    assert keys.REPAIR_TAINT in {taint.key for taint in now.spec.taints}


async def test_a_cordon_asked_twice_is_one_cordon(world: MakeWorld) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here)

    first = await here.admission().cordon(mended, one, SCOPES, ONE)
    second = await here.admission().cordon(mended, await seen(here), SCOPES, ONE)

    assert first == second == 1


async def test_a_stale_entry_of_a_released_cordon_is_not_used_again(world: MakeWorld) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here)
    await here.admission().cordon(mended, one, SCOPES, ONE)
    ledger = await here.admission().ledger()
    await here.admission().release("n1", await seen(here), frozenset({1}))
    body = {"metadata": (await here.admission().ledger()).metadata, "status": ledger.status}
    await here.client.replace(REPAIR_LEDGERS, body, name=keys.LEDGER_NAME, subresource="status")

    assert await here.admission().cordon(mended, await seen(here), SCOPES, ONE) == 2


async def test_only_as_many_slots_are_given_as_the_limit_says(world: MakeWorld) -> None:
    here = await world()
    await here.admission().ensure()
    pairs = [await begun(here, name) for name in sorted(NAMES)]

    answers = await asyncio.gather(
        *(here.admission().disrupt(mended, one, SCOPES, ONE) for one, mended in pairs)
    )

    assert sum(isinstance(each, Refused) for each in answers) == 2
    assert len((await here.admission().ledger()).status.slots) == 1


@pytest.mark.parametrize(("other", "granted"), [("n2", True), ("n1", False), (None, False)])
async def test_the_node_of_the_last_remediator_that_is_ready_gets_no_slot(
    world: MakeWorld, other: str | None, *, granted: bool
) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here)
    for name, on in (("r-1", "n1"), ("r-2", other)):
        if on is not None:
            await here.replica(name, on)

    answer = await here.admission().disrupt(mended, one, SCOPES, ONE)

    assert isinstance(answer, Refused) is not granted


async def test_whether_a_node_is_out_already_the_node_says_and_not_the_cache(
    world: MakeWorld,
) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here)
    dead = structs.replace(one, status=node(ready=False).status)
    old = (Scope(name=CLUSTER, members=NAMES, out=NAMES),)
    tight = Policy(limit=Limit(cordoned=(2,), disrupted=(1,)))

    serving = await here.admission().cordon(mended, one, old, tight)
    down = await here.admission().cordon(mended, dead, old, tight)

    assert isinstance(serving, Refused)
    assert serving.why is Why.CORDON_LIMIT
    assert down == 1


async def test_what_is_granted_and_why_the_rest_is_not_is_counted(world: MakeWorld) -> None:
    here = await world()
    admission = here.admission()
    await admission.ensure()
    pairs = [await begun(here, name) for name in sorted(NAMES)]

    for one, mended in pairs:
        await admission.cordon(mended, one, SCOPES, ONE)
        await admission.disrupt(mended, await seen(here, one.metadata.name), SCOPES, ONE)

    assert admission.tally == {
        (Kind.CORDONS, GRANTED): 3,
        (Kind.DISRUPTIONS, GRANTED): 1,
        (Kind.DISRUPTIONS, Why.DISRUPTION_LIMIT): 2,
    }


async def test_a_disruption_moves_the_fence_on(world: MakeWorld) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here)
    await here.admission().cordon(mended, one, SCOPES, ONE)

    epoch = await here.admission().disrupt(mended, await seen(here), SCOPES, ONE)
    again = await here.admission().disrupt(mended, await seen(here), SCOPES, ONE)

    assert epoch == again == 2
    now = await seen(here)
    assert now.metadata.annotations[keys.FENCE_ANNOTATION] == "2:disrupted"


async def test_a_release_gives_back_node_and_ledger(world: MakeWorld) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here)
    await here.admission().cordon(mended, one, SCOPES, ONE)
    await here.admission().disrupt(mended, await seen(here), SCOPES, ONE)

    await here.admission().release("n1", await seen(here), frozenset({1, 2}))

    now, status = await seen(here), (await here.admission().ledger()).status
    assert not now.spec.unschedulable
    assert now.metadata.annotations[keys.FENCE_ANNOTATION] == "2:released"
    assert keys.REPAIR_TAINT not in {taint.key for taint in now.spec.taints}
    assert (status.epoch, status.cordons, status.slots) == (2, {}, {})


async def test_a_node_that_others_came_to_after_it_was_read_is_not_uncordoned(
    world: MakeWorld,
) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here)
    await here.admission().cordon(mended, one, SCOPES, ONE)
    read, theirs = await seen(here), {"weave.works/kured-reboot-in-progress": "now"}
    await here.client.merge_patch(NODES, "n1", {"metadata": {"annotations": theirs}})

    with pytest.raises(SupersededError, match="kured is at work on n1"):
        await here.admission().release("n1", read, frozenset({1}))

    now, status = await seen(here), (await here.admission().ledger()).status
    assert now.spec.unschedulable
    assert now.metadata.annotations[keys.FENCE_ANNOTATION] == "1:cordoned"
    assert status.cordons == {"n1": 1}


async def test_a_node_cordoned_by_somebody_else_stays_cordoned(world: MakeWorld) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here, unschedulable=True)

    await here.admission().cordon(mended, one, SCOPES, ONE)
    await here.admission().release("n1", await seen(here), frozenset({1}))

    now = await seen(here)
    assert now.spec.unschedulable
    assert keys.PRE_CORDONED_ANNOTATION not in now.metadata.annotations


async def test_who_lost_the_admission_cannot_touch_the_node(world: MakeWorld) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here)
    await here.admission().cordon(mended, one, SCOPES, ONE)
    stale = await seen(here)
    await here.admission().release("n1", stale, frozenset({1}))

    with pytest.raises(SupersededError):
        await here.admission().hold(mended, stale, Fence(epoch=1, hold=Hold.CORDONED))

    assert not (await seen(here)).spec.unschedulable


async def test_a_fence_that_the_ledger_does_not_grant_is_refused(world: MakeWorld) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here)

    with pytest.raises(SupersededError, match="does not grant 5:cordoned"):
        await here.admission().hold(mended, one, Fence(epoch=5, hold=Hold.CORDONED))

    assert not (await seen(here)).spec.unschedulable


async def test_a_repair_that_was_carried_on_meanwhile_is_admitted_nothing(
    world: MakeWorld,
) -> None:
    here = await world()
    await here.admission().ensure()
    one, stale = await begun(here)
    await here.client.merge_patch(
        NODE_REPAIRS, "n1-repair", {"status": {"phase": "Recovered"}}, subresource="status"
    )

    with pytest.raises(SupersededError, match="carried on by somebody else"):
        await here.admission().cordon(stale, one, SCOPES, ONE)

    assert (await here.admission().ledger()).status.cordons == {}


async def test_a_late_cordon_does_not_move_the_fence_back(world: MakeWorld) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here)
    await here.admission().cordon(mended, one, SCOPES, ONE)
    await here.admission().disrupt(mended, await seen(here), SCOPES, ONE)

    with pytest.raises(SupersededError, match="2:disrupted already"):
        await here.admission().hold(mended, one, Fence(epoch=1, hold=Hold.CORDONED))

    now = await seen(here)
    assert now.metadata.annotations[keys.FENCE_ANNOTATION] == "2:disrupted"


async def test_a_node_made_anew_is_not_taken_for_the_old_one(world: MakeWorld) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here)
    await here.client.delete(NODES, "n1")
    await here.node(node("n1"))

    with pytest.raises(SupersededError, match="made anew"):
        await here.admission().cordon(mended, one, SCOPES, ONE)


async def test_a_patch_follows_a_node_that_others_change(world: MakeWorld) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here)
    await here.client.merge_patch(NODES, "n1", {"metadata": {"labels": {"rack": "r1"}}})

    await here.admission().cordon(mended, one, SCOPES, ONE)

    now = await seen(here)
    assert now.spec.unschedulable
    assert now.metadata.labels["rack"] == "r1"


async def test_a_hopeless_node_trades_its_slot_for_a_cordon(world: MakeWorld) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here)
    await here.admission().cordon(mended, one, SCOPES, ONE)
    await here.admission().disrupt(mended, await seen(here), SCOPES, ONE)

    await here.admission().surrender(mended, await seen(here), Held(cordon=1, disruption=2))

    now, status = await seen(here), (await here.admission().ledger()).status
    assert now.spec.unschedulable
    assert now.metadata.annotations[keys.FENCE_ANNOTATION] == "2:cordoned"
    assert (status.cordons, status.slots) == ({"n1": 2}, {})


async def test_a_repair_without_a_slot_has_nothing_to_trade(world: MakeWorld) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here)

    await here.admission().surrender(mended, one, Held())

    assert (await here.admission().ledger()).status == RepairLedgerStatus(known_since=EVER)


async def test_a_first_ledger_is_open(world: MakeWorld) -> None:
    here = await world()

    await here.admission().ensure()

    ledger = await here.admission().ledger()
    assert (ledger.spec.disruption, ledger.status.epoch) == (Disruption.OPEN, 0)


async def test_a_first_ledger_gives_a_burst_and_one_that_was_lost_gives_none(
    world: MakeWorld,
) -> None:
    first, lost = await world(), await world()
    await lost.node(node("n1", fence="7:released"))

    await first.admission().ensure()
    await lost.admission().ensure()

    assert (await first.admission().ledger()).status.known_since == EVER
    since = (await lost.admission().ledger()).status.known_since
    assert since is not None
    assert abs(since - clocks.wall()) < timedelta(minutes=1)


async def test_a_ledger_that_a_crash_left_unbegun_is_begun_before_it_is_of_use(
    world: MakeWorld,
) -> None:
    here = await world()
    await here.client.create(REPAIR_LEDGERS, {"metadata": {"name": keys.LEDGER_NAME}, "spec": {}})

    ledger = await here.admission().ledger()

    assert ledger.status.known_since == EVER


async def test_a_ledger_of_old_that_does_not_know_gives_no_burst(world: MakeWorld) -> None:
    here = await world()
    await here.client.create(REPAIR_LEDGERS, {"metadata": {"name": keys.LEDGER_NAME}, "spec": {}})
    await here.client.merge_patch(
        REPAIR_LEDGERS, keys.LEDGER_NAME, {"status": {"epoch": 5}}, subresource="status"
    )

    ledger = await here.admission().ledger()

    assert ledger.status.epoch == 5
    assert ledger.status.known_since is not None
    assert ledger.status.known_since > EVER


async def test_what_a_clock_far_ahead_left_in_the_ledger_is_set_right(world: MakeWorld) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here)
    future = clocks.wall() + timedelta(days=1)
    bucket = {"cluster/cordons": Bucket(tokens=0.0, at=future)}
    await here.client.merge_patch(
        REPAIR_LEDGERS, keys.LEDGER_NAME, {"status": {"buckets": bucket}}, subresource="status"
    )
    slow = Policy(
        limit=Limit(
            cordoned=(3,),
            disrupted=(1,),
            cordons=Rate(most=1, per=timedelta(hours=1), burst=1),
        )
    )

    answer = await here.admission().cordon(mended, one, SCOPES, slow)

    assert isinstance(answer, Refused)
    assert answer.why is Why.CORDON_RATE
    buckets = (await here.admission().ledger()).status.buckets
    assert buckets["cluster/cordons"].at < future - timedelta(hours=23)


async def test_a_ledger_that_was_lost_is_closed_above_every_epoch_in_use(
    world: MakeWorld,
) -> None:
    here = await world()
    await here.node(node("n1", fence="7:cordoned"))
    await here.repair(repair("n2", status=NodeRepairStatus(disruption_epoch=9)))

    await here.admission().ensure()

    ledger = await here.admission().ledger()
    assert (ledger.spec.disruption, ledger.status.epoch) == (Disruption.CLOSED, 10)


async def test_a_ledger_that_fell_behind_is_closed_and_one_in_step_is_left_alone(
    world: MakeWorld,
) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here)
    await here.admission().cordon(mended, one, SCOPES, ONE)
    before = await here.admission().ledger()

    await here.admission().ensure()
    in_step = await here.admission().ledger()
    await here.node(node("n2", fence="5:cordoned"))
    await here.admission().ensure()

    behind = await here.admission().ledger()
    assert in_step == before
    assert (behind.spec.disruption, behind.status.epoch) == (Disruption.CLOSED, 6)
    assert behind.status.cordons == {"n1": 1, "n2": 5}


async def test_no_ledger_is_made_while_a_repair_cannot_be_read(world: MakeWorld) -> None:
    here = await world()
    await here.repair(repair("n1", status=NodeRepairStatus(disruption_epoch=9)))
    await here.newer_phase("n1-repair")

    with pytest.raises(errors.UnreadableError, match="NodeRepair n1-repair cannot be read"):
        await here.admission().ensure()

    assert (await here.client.listing(REPAIR_LEDGERS)).items == ()


async def test_a_ledger_that_is_whole_serves_though_a_repair_cannot_be_read(
    world: MakeWorld,
) -> None:
    here = await world()
    await here.admission().ensure()
    await here.repair(repair("n1"))
    await here.newer_phase("n1-repair")

    await here.admission().ensure()

    assert (await here.admission().ledger()).spec.disruption is Disruption.OPEN


AMISS = Seen(trips={"unhealthy-pool/default": Trip(seen=9, reason="much is amiss")})
HALF = Breaker(state=BreakerState.HALF_OPEN, opened_at=EVER, since=EVER, reason="much is amiss")
MANY = Policy(limit=Limit(cordoned=(3,), disrupted=(3,)))


async def test_what_is_amiss_gives_no_slot_before_it_is_in_the_ledger(world: MakeWorld) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here)
    wary = Admission(client=here.client, clock=clocks.wall, seen=lambda *_: AMISS)

    refused = await wary.disrupt(mended, one, SCOPES, MANY)

    assert isinstance(refused, Refused)
    assert refused.why is Why.BREAKER_OPEN
    assert isinstance(await wary.cordon(mended, one, SCOPES, MANY), int)


async def test_of_two_replicas_one_is_let_through_by_a_breaker_that_is_half_open(
    world: MakeWorld,
) -> None:
    here = await world()
    await here.admission().ensure()
    pairs = [await begun(here, name) for name in sorted(NAMES)]
    half = {"unhealthy-pool/default": HALF}
    await here.admission().settle(
        lambda ledger: structs.replace(ledger, status=structs.replace(ledger.status, breakers=half))
    )

    answers = await asyncio.gather(
        *(here.admission().disrupt(mended, one, SCOPES, MANY) for one, mended in pairs)
    )

    status = (await here.admission().ledger()).status
    assert sum(isinstance(each, Refused) for each in answers) == 2
    assert {status.breakers["unhealthy-pool/default"].probing} == status.slots.keys()


async def test_who_is_given_back_is_tried_no_more_and_who_needs_a_person_opens_it_again(
    world: MakeWorld,
) -> None:
    here = await world()
    await here.admission().ensure()
    probes = {
        f"{kind}/default": structs.replace(HALF, probing=name)
        for kind, name in (("burst", "n1"), ("unmended", "n2"))
    }
    for name in ("n1", "n2"):
        one, mended = await begun(here, name)
        await here.admission().disrupt(mended, one, SCOPES, MANY)
    await here.admission().settle(
        lambda ledger: structs.replace(
            ledger, status=structs.replace(ledger.status, breakers=probes)
        )
    )

    await here.admission().release("n1", await seen(here), frozenset({1}))
    await here.admission().surrender(mended, await seen(here, "n2"), Held(disruption=2))

    after = (await here.admission().ledger()).status.breakers
    assert (after["burst/default"].state, after["burst/default"].probing) == (
        BreakerState.HALF_OPEN,
        "",
    )
    assert after["unmended/default"].state is BreakerState.OPEN


async def test_a_mark_that_comes_after_the_release_of_an_unmarked_node_is_refused(
    world: MakeWorld,
) -> None:
    here = await world()
    await here.admission().ensure()
    one, mended = await begun(here)
    ledger = await here.admission().ledger()
    admitted = structs.replace(ledger.status, epoch=1, cordons={"n1": 1})
    body = {"metadata": ledger.metadata, "status": admitted}
    await here.client.replace(REPAIR_LEDGERS, body, name=keys.LEDGER_NAME, subresource="status")

    await here.admission().release("n1", one, frozenset({1}))

    with pytest.raises(SupersededError):
        await here.admission().hold(mended, one, Fence(epoch=1, hold=Hold.CORDONED))
    assert not (await seen(here)).spec.unschedulable
