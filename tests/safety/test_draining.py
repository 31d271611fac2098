"""Drains of a whole cluster: work that is left to finish, tiers, and budgets that people mend."""

from dataclasses import replace
from typing import Final

from nodehealth.kube.events import EVENTS
from nodehealth.kube.objects import BUDGETS, PODS
from nodehealth.repair import Phase, Rung
from remediator.rules.rule import RuleSet
from simulator import virtualtime
from tests.safety import sent
from tests.safety.stage import RULES
from tests.safety.test_incidents import minor, put_together
from tests.safety.test_stories import full, minutes, staged

_RULE: Final = "scratch-full"


def draining(**settings: str) -> RuleSet:
    """Let the drain of the rule have other settings."""
    rule = RULES.by_name[_RULE]
    drained = tuple(
        Rung(action="drain", settings=settings) if each.action == "drain" else each
        for each in rule.ladder
    )
    changed = replace(rule, ladder=drained)
    rules = tuple(changed if each is rule else each for each in RULES.rules)
    return replace(RULES, rules=rules, by_name={each.name: each for each in rules})


@virtualtime.played
async def test_work_is_left_to_finish_however_often_the_remediator_is_started_anew() -> None:
    job = {"name": "train", "kind": "Job", "replicas": 4, "runs-for": "10m"}
    patient = draining(deadline="30m", waitCompleted="20m")
    async with staged(workloads=(job,)) as scene:
        scene.cluster.inject("w-1", full())
        for _ in range(8):
            async with scene.remediator(rules=patient):
                await minutes(1)
        waiting, pods = await scene.repair("w-1"), (await scene.client.listing(PODS)).items
        async with scene.remediator(rules=patient):
            await minutes(10)
        repair = await scene.repair("w-1")

        assert waiting.status.phase is Phase.DRAINING
        assert "1 pod left to finish until" in waiting.status.message
        assert {each.metadata.deletion_timestamp for each in pods} == {None}
        assert repair.status.phase is Phase.RECOVERED
        assert repair.status.evictions == ()


@virtualtime.played
async def test_a_budget_that_somebody_mends_lets_the_drain_go_on() -> None:
    database = {
        "name": "db",
        "kind": "StatefulSet",
        "replicas": 4,
        "budget": {"max-unavailable": 0},
    }
    async with staged(workloads=(database,)) as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator():
            await minutes(5)
            stuck = await scene.repair("w-1")
            mended = {"spec": {"maxUnavailable": 1}}
            await scene.client.merge_patch(BUDGETS, "db", mended, namespace="default")
            await minutes(10)
        repair = await scene.repair("w-1")
        told = (await scene.client.listing(EVENTS, namespace="default")).items

        assert stuck.status.phase is Phase.DRAINING
        assert [(each.what, each.owner) for each in repair.status.obstacles] == [
            ("PodDisruptionBudget/default/db", "StatefulSet/db")
        ]
        assert repair.status.phase is Phase.RECOVERED
        (event,) = (each for each in told if each.reason == "DrainObstructed")
        assert (event.type, event.involved_object.name) == ("Warning", "w-1")
        assert "raise maxUnavailable, or lower minAvailable" in event.message


@virtualtime.played
async def test_work_that_does_not_finish_in_time_is_evicted_only_where_the_rule_says_so() -> None:
    job = {"name": "train", "kind": "Job", "replicas": 4}
    for then, ended in (("hold", Phase.NEEDS_HUMAN), ("evict", Phase.RECOVERED)):
        rules = draining(deadline="10m", waitCompleted="5m", onDeadline=then)
        async with staged(workloads=(job,)) as scene:
            scene.cluster.inject("w-1", full())
            async with scene.remediator(rules=rules):
                await minutes(20)
            repair = await scene.repair("w-1")

        assert (then, repair.status.phase) == (then, ended)


JOB: Final = {"name": "train", "kind": "Job", "replicas": 4, "runs-for": "10m"}


@virtualtime.played
async def test_work_that_a_second_fault_lets_finish_survives_the_drain_of_the_first() -> None:
    patient = sent.rules("drain: {deadline: 1h, waitCompleted: 20m, onDeadline: evict}", "replace")
    rules = put_together(RULES.by_name[_RULE], *map(minor, patient.rules))
    async with staged(workloads=(JOB,), gpus=2) as scene:
        scene.cluster.inject("w-1", full())
        scene.cluster.inject("w-1", {"gpu-stuck": {}})
        await minutes(1)
        async with scene.remediator(rules=rules):
            await minutes(5)
            waiting = await scene.repair("w-1")
            await minutes(15)
        repair = await scene.repair("w-1")

        assert (waiting.spec.rule, waiting.status.faults[0].rule) == (_RULE, "gpu-stuck")
        assert "1 pod left to finish until" in waiting.status.message
        assert repair.status.phase is Phase.RECOVERED
        assert repair.status.evictions == ()
        drained = [each for each in repair.status.timeline if each.phase is Phase.DRAINING]
        assert len(drained) == 1
