"""What the caches say of the fleet as a whole, and what of it comes into the ledger."""

from datetime import datetime, timedelta

from msgspec import structs

from nodehealth import keys
from nodehealth.kube.client import Client
from nodehealth.kube.objects import Node
from nodehealth.ledger import EVER
from nodehealth.repair import Mode, NodeRepair, Phase
from remediator.breakers import Breakers
from remediator.decide.facts import Watches
from remediator.decide.gates import Deed
from remediator.observe import Fleet
from remediator.rules.breaking import Breaking
from remediator.rules.policy import POOL_LIMIT, Policy, Pool
from remediator.unplaced import Unplaced
from remediator.wire import Wire
from simulator import virtualtime
from simulator.api.local import LocalTransport
from simulator.api.server import ApiServer
from tests.builders import NOON, at, health, ledger, level, node, repair, rule, rules

POLICY = Policy(
    mode=Mode.ENFORCE,
    pools=(Pool(name="gpu", labels={"pool": "gpu"}, limit=POOL_LIMIT),),
    breaking=Breaking(),
)


def placed(
    name: str,
    zone: str = "a",
    *,
    made: datetime = EVER,
    ready: bool = True,
    unschedulable: bool = False,
) -> Node:
    labels = {keys.ZONE_LABEL: zone} if zone else {}
    found = node(name, labels=labels, ready=ready, unschedulable=unschedulable)
    return structs.replace(found, metadata=structs.replace(found.metadata, creation_timestamp=made))


def fleet(*nodes: Node, repairs: tuple[NodeRepair, ...] = ()) -> Fleet:
    watches = Watches(nodes=NOON, healths=NOON, agents=NOON)
    known = Fleet(POLICY, lambda: watches)
    for each in nodes:
        known.see_node(each.metadata.name, each)
    for repaired in repairs:
        known.see_repair(repaired.metadata.name, repaired)
    known.see_ledger(ledger())
    return known


def nobody_evicted() -> Unplaced:
    clock = virtualtime.clock()
    return Unplaced(Client(LocalTransport(ApiServer(clock=clock)), manager="test"), clock)


async def amiss(known: Fleet, now: datetime = NOON) -> set[str]:
    found = Breakers(
        fleet=known,
        rules=lambda: rules(rule()),
        policy=lambda: POLICY,
        wire=Wire(),
        unplaced=nobody_evicted(),
        clock=lambda: now,
    )
    await found.count()
    return set(found.seen(Deed.DISRUPT, now).trips)


@virtualtime.played
async def test_nodes_that_are_out_or_sick_are_counted_once_in_pool_and_zone() -> None:
    well = [placed(f"w{n}") for n in range(4)]
    out = [placed("o1", unschedulable=True), placed("o2", ready=False)]
    old = at(-7200)
    sick = [repair("o2", created=old), repair("w0", created=old), repair("w1", created=old)]
    parked = repair("w2", created=old, phase=Phase.PARKED)
    observed = repair("w3", created=old, mode=Mode.OBSERVE)

    three = await amiss(fleet(*well, *out, repairs=(sick[0], sick[1], parked, observed)))
    four = await amiss(fleet(*well, *out, repairs=tuple(sick)))

    assert three == {"unhealthy-pool/default"}
    assert four == {"unhealthy-pool/default", "unhealthy-zone/a"}


@virtualtime.played
async def test_nodes_that_only_just_came_are_no_outage() -> None:
    came = [placed(f"n{n}", made=at(-60), ready=False) for n in range(9)]

    assert await amiss(fleet(*came)) == set()
    assert "silent-nodes/cluster" in await amiss(fleet(*came), NOON + timedelta(minutes=10))


@virtualtime.played
async def test_nodes_of_no_zone_are_of_none() -> None:
    assert await amiss(fleet(*(placed(f"n{n}", "", ready=False) for n in range(9)))) == {
        "unhealthy-pool/default",
        "silent-nodes/cluster",
    }


@virtualtime.played
async def test_agents_that_fell_silent_on_nodes_that_are_ready_are_counted() -> None:
    known = fleet(*(placed(f"n{n}") for n in range(6)), placed("x", ready=False))
    for n in range(6):
        known.see_health(f"n{n}", health(level(0.5), name=f"n{n}"), now=at(-60), served=None)

    assert await amiss(known, at(60)) == set()

    for n in range(4):
        report = health(level(0.5), name=f"n{n}")
        known.see_health(f"n{n}", report, now=at(-3600), served=None)
    assert await amiss(known, at(60)) == {"silent-agents/cluster"}
    assert await amiss(known, NOON + timedelta(hours=1)) == set()  # our own watch is behind


@virtualtime.played
async def test_a_burst_is_seen_before_a_disruption_and_a_second_later_before_a_cordon() -> None:
    known, now = fleet(*(placed(f"n{n}") for n in range(30))), [NOON]
    found = Breakers(
        fleet=known,
        rules=lambda: rules(rule()),
        policy=lambda: POLICY,
        wire=Wire(),
        unplaced=nobody_evicted(),
        clock=lambda: now[0],
    )
    before = found.seen(Deed.CORDON, NOON).trips
    for n in range(5):
        known.see_repair(f"r{n}", repair(f"n{n}"))
    at_once, soon = found.seen(Deed.STEP, NOON).trips, found.seen(Deed.DISRUPT, NOON)

    assert (before, at_once) == ({}, {})
    assert set(soon.trips) == {"burst/default"}
    assert (soon.rule_of("n1"), soon.rule_of("n9")) == ("disk-full", "")
    assert found.seen(Deed.CORDON, NOON).trips == soon.trips
