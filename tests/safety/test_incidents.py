"""Several faults of one node, faults that come back, and faults that go away: one incident each."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from nodehealth import keys
from nodehealth.kube.objects import NODES
from nodehealth.repair import NODE_REPAIRS, NodeRepair, Phase, Severity
from remediator.rules import compile as compiling
from remediator.rules.policy import Condemning
from remediator.rules.rule import Rule, RuleSet
from simulator import virtualtime
from tests.safety import sent, stage, trials
from tests.safety.peril import Crash, Luck
from tests.safety.sent import stuck
from tests.safety.stage import RULES, Case, policy
from tests.safety.test_crashes import assert_nothing_is_left
from tests.safety.test_stories import Scene, full, minutes, staged

ONE: Final = ("w-1",)
MOST_WRITES: Final = 60
GPU: Final = ("drain", "reset-gpu", "reboot")
HELD: Final = {"name": "held", "replicas": 4, "budget": {"max-unavailable": 0}}
FOREVER: Final = replace(policy(), condemned=Condemning(gpus=0, hosts=0))


def put_together(*rules: Rule) -> RuleSet:
    return compiling.rule_set(rules, [each.name for each in rules])


def minor(rule: Rule) -> Rule:
    return replace(rule, severity=Severity.WARNING)


def two_faults() -> Case:
    """A GPU that a reset mends, and a disk that is full: only another machine mends that."""
    faults: list[dict[str, object]] = [
        stuck("w-1"),
        {"disk-full": {"at": "3s", "node": "w-1", "mount": "/scratch"}},
    ]
    case = sent.case(*GPU, faults=faults)
    scratch = minor(RULES.by_name["scratch-full"])
    return replace(case, rules=put_together(*case.rules.rules, scratch))


def told(repair: NodeRepair) -> str:
    return "\n".join(line.text for line in repair.status.log)


def phases(repair: NodeRepair) -> list[Phase]:
    return [each.phase for each in repair.status.timeline]


def test_a_remedy_that_mends_one_fault_of_two_is_followed_by_that_of_the_other() -> None:
    ending = stage.play(0, sick=ONE, case=two_faults())

    (repair,) = ending.repairs
    assert_nothing_is_left(ending)
    assert (repair.spec.rule, repair.status.faults[0].rule) == ("gpu-stuck", "scratch-full")
    assert "gpu-stuck is over, but scratch-full still holds" in told(repair)
    assert repair.status.tried == (0, 1, 3)
    assert phases(repair).count(Phase.DRAINING) == 1


@trials.at_any_write(MOST_WRITES)
def test_a_crash_at_any_write_of_it_is_made_good(crashes: Iterable[Crash]) -> None:
    for crash in crashes:
        ending = stage.play(0, sick=ONE, case=two_faults(), crash=crash)

        assert len(ending.repairs) == 1
        assert_nothing_is_left(ending)


@pytest.mark.parametrize("seed", range(8))
def test_two_replicas_with_bad_luck_keep_it_one_incident(seed: int) -> None:
    luck = Luck(lost_before=0.05, lost_after=0.05, zombie=0.02, dawdle=timedelta(seconds=2))

    ending = stage.play(seed, replicas=2, sick=ONE, case=two_faults(), luck=luck)

    assert_nothing_is_left(ending)
    mended = [each for each in ending.repairs if each.status.reason != "FaultGone"]
    assert len(mended) == 1


async def repairs(scene: Scene) -> list[NodeRepair]:
    found = (await scene.client.listing(NODE_REPAIRS)).items
    return sorted(found, key=lambda each: str(each.metadata.creation_timestamp))


def one_gpu() -> Mapping[str, object]:
    return {"gpu-stuck": {}}


@virtualtime.played
async def test_a_fault_that_is_back_after_ten_minutes_goes_on_with_the_next_remedy() -> None:
    async with staged(gpus=2, reboot="20s") as scene:
        async with scene.remediator(rules=sent.rules(*GPU, "replace"), under=FOREVER):
            for pause in (10, 10, 80, 10):
                scene.cluster.inject("w-1", one_gpu())
                await minutes(pause)

        first, second, third, fourth = await repairs(scene)
        assert [each.status.phase for each in (first, second, third, fourth)] == (
            [Phase.RECOVERED] * 4
        )
        assert [rung.action for rung in second.spec.ladder] == ["drain", "reboot", "replace"]
        assert f"although reset-gpu seemed to mend it ({first.metadata.name}" in told(second)
        assert [rung.action for rung in third.spec.ladder] == ["drain", "replace"]
        assert fourth.spec.recurs is None


@virtualtime.played
async def test_a_machine_that_was_mended_twice_is_set_apart_the_third_time() -> None:
    hosts = replace(policy(), condemned=Condemning(gpus=0, hosts=3, within=timedelta(days=7)))
    async with staged(gpus=2) as scene:
        async with scene.remediator(rules=sent.rules(*GPU), under=hosts):
            for _ in range(3):
                scene.cluster.inject("w-1", one_gpu())
                await minutes(5)
                await minutes(90)
            lemon, apart = (await repairs(scene))[-1], await scene.node("w-1")
            await scene.client.merge_patch(NODES, "w-1", {"spec": {"unschedulable": None}})
            await minutes(2)

        given_up = await scene.node("w-1")
        assert (lemon.status.phase, lemon.status.reason) == (Phase.NEEDS_HUMAN, "CondemnedPart")
        assert lemon.status.disruption_epoch == 0
        assert apart.spec.unschedulable
        assert apart.metadata.labels[keys.QUARANTINE_LABEL] in {"host", "machine"}
        assert keys.QUARANTINE_LABEL not in given_up.metadata.labels


def not_ready(how: str = "abort") -> RuleSet:
    shipped = RULES.by_name["not-ready"]
    (question,) = shipped.questions
    hasty = replace(question, lasts=timedelta(seconds=20))
    rule = replace(shipped, questions=(hasty,), on_recovery=type(shipped.on_recovery)(how))
    return put_together(rule, minor(RULES.by_name["scratch-full"]))


@virtualtime.played
async def test_a_drain_stops_when_the_kubelet_is_back_and_the_node_is_given_back() -> None:
    async with staged(workloads=(HELD,)) as scene:
        scene.cluster.inject("w-1", {"kubelet-dead": {"lasts": "3m"}})
        async with scene.remediator(rules=not_ready()):
            await minutes(2.5)
            draining = await scene.repair("w-1")
            await minutes(2.5)
            resting = await scene.repair("w-1")
            await minutes(6)

        over, node = await scene.repair("w-1"), await scene.node("w-1")
        assert draining.status.phase is Phase.DRAINING
        assert (resting.status.phase, resting.status.reason) == (Phase.DRAINING, "Recovering")
        assert (over.status.phase, over.status.reason) == (Phase.RECOVERED, "FaultGone")
        assert over.status.evictions == ()
        assert not node.spec.unschedulable
        assert keys.REPAIR_TAINT not in {taint.key for taint in node.spec.taints}


@virtualtime.played
async def test_a_drain_goes_on_where_its_rule_wants_it_finished() -> None:
    async with staged(workloads=(HELD,)) as scene:
        scene.cluster.inject("w-1", {"kubelet-dead": {"lasts": "3m"}})
        async with scene.remediator(rules=not_ready("finish")):
            await minutes(12)

        going = await scene.repair("w-1")
        assert (going.status.phase, going.status.reason) == (Phase.DRAINING, "")


@virtualtime.played
async def test_a_drain_whose_fault_went_away_goes_on_for_the_one_that_joined() -> None:
    async with staged(workloads=(HELD,)) as scene:
        scene.cluster.inject("w-1", {"kubelet-dead": {"lasts": "3m"}})
        async with scene.remediator(rules=not_ready()):
            await minutes(2.5)
            scene.cluster.inject("w-1", full())
            await minutes(10)

        going = await scene.repair("w-1")
        assert going.spec.rule == "not-ready"
        assert [each.rule for each in going.status.faults] == ["scratch-full"]
        assert (going.status.phase, going.status.reason) == (Phase.DRAINING, "")
