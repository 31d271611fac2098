"""Too much at once: a zone that dies, rules that are wrong, pools so small that one is a third."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from nodehealth import keys
from nodehealth.kube.objects import NODES
from nodehealth.ledger import REPAIR_LEDGERS, BreakerState, Handling
from nodehealth.repair import NODE_REPAIRS, NodeRepair, Phase
from remediator.decide import trips
from remediator.files import Loaded
from remediator.rules.breaking import Breaking, PendingPods
from remediator.rules.policy import Limit, Policy, Pool
from remediator.rules.rule import RuleSet
from simulator import virtualtime
from tests.builders import question, rule, rules
from tests.safety.stage import PROVIDER, policy
from tests.safety.test_stories import Scene, full, minutes, staged

NOT_SICK = frozenset({"S6"})
"""The promise that a rule breaks that is wrong: it says of nodes that they are sick."""
WEB = {"name": "web", "replicas": 10}


def careful(disrupted: int = 1, **changed: object) -> Policy:
    """Let many be cordoned and disrupted at once: breakers alone hold back."""
    limit = Limit(cordoned=(100,), disrupted=(disrupted,))
    pools = (Pool(name="w", labels={keys.POOL_LABEL: "w"}, limit=limit),)
    breaking = replace(Breaking(), **changed)  # type: ignore[arg-type]  # its own fields
    return replace(policy(), limit=limit, pools=pools, breaking=breaking)


async def repairs(scene: Scene) -> Mapping[str, NodeRepair]:
    found = (await scene.client.listing(NODE_REPAIRS)).items
    return {each.spec.target.node: each for each in found}


async def uids(scene: Scene) -> set[str]:
    return {each.metadata.uid for each in (await scene.client.listing(NODES)).items}


async def open_(scene: Scene) -> set[str]:
    return set((await scene.ledger()).status.breakers)


async def cordoned(scene: Scene) -> set[str]:
    nodes = (await scene.client.listing(NODES)).items
    return {each.metadata.name for each in nodes if each.spec.unschedulable}


def names(count: int, *, of: int = 10) -> list[str]:
    return [f"w-{n:0{len(str(of))}d}" for n in range(1, count + 1)]


@virtualtime.played
async def test_half_a_pool_that_falls_sick_at_once_is_cordoned_and_not_drained() -> None:
    async with staged(nodes=10, workloads=(WEB,)) as scene:
        before = await uids(scene)
        async with scene.remediator(under=careful(after_change=None)):
            for name in names(5):
                scene.cluster.inject(name, full(lasts="8m" if name != "w-01" else "1000h"))
            await minutes(7)
            opened, sick, taken = await open_(scene), await repairs(scene), await cordoned(scene)
            still = await uids(scene)
            await minutes(30)

        assert {"unhealthy-pool/w", "burst/w"} <= opened
        assert {each.status.reason for each in sick.values()} == {"BreakerOpen"}
        assert taken == set(names(5))
        assert still == before
        assert await open_(scene) == set()
        assert await cordoned(scene) == set()
        after = await repairs(scene)
        assert {each.status.reason for name, each in after.items() if name != "w-01"} == {
            "FaultGone"
        }
        assert after["w-01"].status.reason == "Repaired"


@virtualtime.played
async def test_an_outage_that_lasts_is_tried_on_one_node_at_a_time() -> None:
    async with staged(nodes=10, workloads=(WEB,)) as scene:
        async with scene.remediator(under=careful(after_change=None)):
            for name in names(5):
                scene.cluster.inject(name, full())
            await minutes(14)
            before = {each.status.phase for each in (await repairs(scene)).values()}
            await minutes(120)

        assert before == {Phase.WAITING}
        assert {each.status.phase for each in (await repairs(scene)).values()} == {Phase.RECOVERED}
        assert await open_(scene) == set()


@pytest.mark.parametrize(("nodes", "sick"), [(5, 5), (10, 9)])
@virtualtime.played
async def test_pool_and_zone_that_are_half_open_over_the_same_nodes_both_close(
    nodes: int, sick: int
) -> None:
    fallen = names(sick, of=nodes)
    under = careful(2, after_change=None, burst=None)
    async with staged(nodes=nodes, most=2, provision="2m") as scene:
        async with scene.remediator(under=under):
            for name in fallen[:2]:  # both have their slots when the others fall sick
                scene.cluster.inject(name, full())
            await minutes(1)
            begun = set((await scene.ledger()).status.slots)
            for name in fallen[2:]:
                scene.cluster.inject(name, full())
            await minutes(2)
            opened = await open_(scene)
            tried = set[str]()
            for _ in range(240):
                await minutes(0.5)
                now = (await scene.ledger()).status.breakers.items()
                tried |= {key for key, each in now if each.state is BreakerState.HALF_OPEN}

        assert begun == set(fallen[:2])
        assert {"unhealthy-pool/w", "unhealthy-zone/a"} <= opened
        assert {"unhealthy-pool/w", "unhealthy-zone/a"} <= tried
        assert {each.status.phase for each in (await repairs(scene)).values()} == {Phase.RECOVERED}
        assert await open_(scene) == set()
        assert await cordoned(scene) == set()


@virtualtime.played
async def test_a_zone_that_is_not_heard_of_is_left_alone_until_it_is_back() -> None:
    async with staged(nodes=10, workloads=(WEB,), reboot="5s") as scene:
        before = await uids(scene)
        async with scene.remediator(under=careful()):
            await minutes(1)
            for name in names(7):
                scene.cluster.inject(name, {"kubelet-dead": {"lasts": "13m"}})
            await minutes(12)
            opened, still = await open_(scene), await uids(scene)
            await minutes(20)

        assert {"unhealthy-pool/w", "unhealthy-zone/a", "silent-nodes/cluster"} <= opened
        assert still == before == await uids(scene)
        assert await open_(scene) == set()
        assert await cordoned(scene) == set()


def judging(where: str) -> RuleSet:
    """Make a rule set of one rule; another question makes it another set."""
    made = rules(rule(question(where), name="wrong", ladder=("drain", "replace"), verify=30))
    return replace(made, digest=where.replace(" ", ""))


@virtualtime.played
async def test_a_rule_that_is_wrong_stops_at_its_share_and_is_undone_when_it_is_put_right() -> None:
    right = Loaded(rules=judging("value < 0.001"), policy=careful(), provider=PROVIDER)
    wrong = replace(right, rules=judging("value < 2.0"))
    async with staged(nodes=40, workloads=(WEB,), pardoned=NOT_SICK) as scene:
        before = await uids(scene)
        async with scene.remediator(under=careful()) as one:
            one.use(right)
            await minutes(60)
            one.use(wrong)
            await minutes(10)
            taken, opened = await cordoned(scene), (await scene.ledger()).status.breakers
            one.use(right)
            await minutes(10)

        assert len(taken) <= 4
        assert opened["after-change/w/wrong"].state is BreakerState.OPEN
        assert await uids(scene) == before
        assert await cordoned(scene) == set()
        assert await open_(scene) == set()


@virtualtime.played
async def test_a_rule_that_is_taken_away_leaves_no_node_cordoned() -> None:
    under = careful(after_change=None)
    wrong = Loaded(rules=judging("value < 2.0"), policy=under, provider=PROVIDER)
    async with staged(nodes=10, pardoned=NOT_SICK) as scene:
        async with scene.remediator(under=under) as one:
            one.use(wrong)
            await minutes(5)
            taken = await cordoned(scene)
            one.use(replace(wrong, rules=rules()))
            await minutes(10)

        assert taken == set(names(10))
        assert await cordoned(scene) == set()
        assert await open_(scene) == set()


@virtualtime.played
async def test_a_driver_under_which_nodes_fall_sick_cordons_no_more_of_them() -> None:
    changed = names(12)
    async with staged(nodes=20, gpus=1, workloads=(WEB,)) as scene:
        before = await uids(scene)
        async with scene.remediator(under=careful(burst=None)):
            await minutes(30)
            for name in changed:
                scene.cluster.inject(name, {"driver-changed": {"version": "580.1"}})
            await minutes(3)
            for name in changed[:3]:
                scene.cluster.inject(name, full())
            await minutes(10)

        opened = (await scene.ledger()).status.breakers
        assert opened.keys() == {"after-change/w/scratch-full"}
        assert "since driver/580.1 was first seen" in opened["after-change/w/scratch-full"].reason
        assert await cordoned(scene) == set()
        assert await uids(scene) == before


@virtualtime.played
async def test_while_evicted_pods_fit_nowhere_no_other_node_is_drained() -> None:
    crowded = {"name": "train", "replicas": 16, "gpus": 1}
    under = careful(2, pending_pods=PendingPods(pods=3))
    async with staged(nodes=4, gpus=4, workloads=(crowded,), most=2, provision="10m") as scene:
        before = (await scene.node("w-2")).metadata.uid
        async with scene.remediator(under=under):
            scene.cluster.inject("w-1", full())
            await minutes(3)
            scene.cluster.inject("w-2", full())
            await minutes(5)
            opened, waits = await open_(scene), await scene.repair("w-2")
            still = (await scene.node("w-2")).metadata.uid
            await minutes(60)

        assert opened == {"pending-pods/cluster"}
        assert (waits.status.reason, still) == ("BreakerOpen", before)
        assert "pods fit nowhere that came in place of the 4" in waits.status.message
        assert {each.status.phase for each in (await repairs(scene)).values()} == {Phase.RECOVERED}
        assert await open_(scene) == set()


@pytest.mark.parametrize("nodes", [1, 2, 3])
@virtualtime.played
async def test_a_small_pool_is_repaired_though_a_node_is_all_or_a_third_of_it(nodes: int) -> None:
    async with staged(nodes=nodes) as scene:
        async with scene.remediator(under=careful()):
            for name in names(min(nodes, 2), of=nodes):
                scene.cluster.inject(name, full())
            await minutes(30)

        ended = {each.status.phase for each in (await repairs(scene)).values()}
        assert ended == {Phase.RECOVERED}
        assert await open_(scene) == set()


@virtualtime.played
async def test_two_replicas_let_nobody_slip_through_a_breaker_that_is_not_written_yet() -> None:
    async with staged(nodes=10, workloads=(WEB,)) as scene:
        before = await uids(scene)
        for name in names(6):
            scene.cluster.inject(name, full())
        under = careful(cool_down=timedelta(hours=9))
        async with scene.remediator(under=under), scene.remediator(under=under):
            await minutes(20)

        assert await uids(scene) == before
        assert (await scene.ledger()).status.slots == {}


@virtualtime.played
async def test_a_person_lets_a_breaker_be_ignored() -> None:
    key = trips.name(trips.Kind.UNHEALTHY_POOL, "w")
    async with staged(nodes=10) as scene:
        async with scene.remediator(under=careful(burst=None, after_change=None)):
            for name in names(5):
                scene.cluster.inject(name, full())
            await minutes(5)
            stopped = {each.status.reason for each in (await repairs(scene)).values()}
            said = {"spec": {"breakers": {key: Handling.IGNORE, "unhealthy-zone/a": "Ignore"}}}
            await scene.client.merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, said)
            await minutes(9)
            phases = {each.status.phase for each in (await repairs(scene)).values()}

        assert stopped == {"BreakerOpen"}
        assert Phase.RECOVERED in phases
