"""Jobs of operators and burn-ins run once each, on nodes that take no work, whoever dies."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any, Final, TypeAlias

import pytest

from nodehealth.repair import Phase
from remediator.rules.policy import JOBS_NAMESPACE, BurnIn
from remediator.rules.rule import Rule, RuleSet
from simulator.api.direct import Direct
from simulator.cluster import Cluster
from tests.safety import sent, stage, trials
from tests.safety.jobs import controller
from tests.safety.peril import Crash
from tests.safety.sent import stuck
from tests.safety.stage import RULES, Case
from tests.safety.test_incidents import minor, put_together
from tests.safety.test_sent import assert_well, told
from tests.safety.trials import ONE

MOST_WRITES: Final = 70
Meddler: TypeAlias = Callable[[Cluster, Random], Coroutine[None, None, None]]


def case(*ladder: str, burn_in: str = "") -> Case:
    """Return nodes whose GPUs nobody holds, and a controller of Jobs."""
    plain = sent.case(*ladder, faults=[stuck("w-1")], plugins=False)
    rules = _burning(plain.rules, burn_in) if burn_in else plain.rules
    return replace(plain, rules=rules, meddler=controller(lambda each: each == "mends"))


def _burning(rules: RuleSet, template: str) -> RuleSet:
    return put_together(*(_with(each, template) for each in rules.rules))


def _with(rule: Rule, template: str) -> Rule:
    return replace(rule, burn_in=BurnIn(template=template, deadline=timedelta(minutes=5)))


def two_burn_ins() -> Case:
    """Return nodes with two faults that one Job mends, and that ask for a burn-in each."""
    plain = case("drain", "run-job: {template: mends}", "replace", burn_in="stress")
    full: dict[str, object] = {"disk-full": {"at": "3s", "node": "w-1", "mount": "/scratch"}}
    faults = [stuck("w-1"), full]
    scratch = _with(minor(RULES.by_name["scratch-full"]), "soak")
    both = put_together(*plain.rules.rules, scratch)
    return replace(plain, rules=both, plan=sent.case("drain", faults=faults, plugins=False).plan)


CASES: Final[Mapping[str, Case]] = {
    "a Job mends it": case("drain", "run-job: {template: mends}", "replace"),
    "a Job fails, and the successor burns in": case(
        "drain", "run-job: {template: fails}", "replace", burn_in="stress"
    ),
    "two faults, and a burn-in for each": two_burn_ins(),
}
untroubled: Final = trials.untroubled(CASES)


@pytest.mark.parametrize("story", CASES)
def test_without_a_crash_each_story_ends_well(story: str) -> None:
    ending = untroubled(story)

    assert_well(ending)
    assert ending.writes < MOST_WRITES


def test_a_diagnosis_mends_nothing_and_what_it_said_stands_in_the_log() -> None:
    ladder = ("drain", "run-job: {template: stress, purpose: diagnosis}", "replace")
    ending = stage.play(0, sick=ONE, case=case(*ladder))

    assert_well(ending)
    assert "the Job of stress passed; it is a diagnosis, and mends nothing" in told(ending)


def test_a_burn_in_that_passes_is_the_last_thing_before_the_node_takes_work() -> None:
    ending = untroubled("a Job fails, and the successor burns in")

    assert "the Job of fails failed (BackoffLimitExceeded)" in told(ending)
    assert "Verifying: the burn-in stress passed" in told(ending)


def test_every_fault_has_its_burn_in_one_after_the_other() -> None:
    ending = untroubled("two faults, and a burn-in for each")

    (repair,) = ending.repairs
    passed = [line.text for line in repair.status.log if "passed" in line.text]
    assert (repair.spec.rule, repair.status.faults[0].rule) == ("gpu-stuck", "scratch-full")
    assert passed == [
        "Verifying: the Job of mends passed",
        "Verifying: the burn-in stress passed",
        "Verifying: the burn-in soak passed",
    ]


def test_a_burn_in_that_fails_leads_on_and_in_the_end_to_a_person() -> None:
    ending = stage.play(0, sick=ONE, case=case("drain", "replace", burn_in="fails"))

    assert ending.breaches == ()
    assert ending.phases() == {Phase.NEEDS_HUMAN}
    assert "the burn-in fails failed (BackoffLimitExceeded)" in told(ending)
    assert all(each.spec.unschedulable for each in ending.nodes if each.metadata.name == "w-1")


def test_a_template_that_is_not_there_is_named() -> None:
    ending = stage.play(0, sick=ONE, case=case("drain", "run-job: {template: none}", "replace"))

    assert_well(ending)
    assert 'podtemplates "none" not found' in told(ending)


def lingering(seconds: int = 100_000) -> Meddler:
    """Run Jobs; a Pod of one that fails stays on its node for a while, whatever became of it."""

    async def linger(cluster: Cluster, random: Random) -> None:
        control = asyncio.create_task(controller(mends)(cluster, random))
        direct, left = cluster.direct(), dict[str, int]()
        try:
            while True:
                await asyncio.sleep(1)
                for job in direct.listed("jobs.batch", namespace=JOBS_NAMESPACE):
                    if not job["spec"]["suspend"] and _fails(job):
                        _stand_by(direct, job, left, seconds)
        finally:
            control.cancel()

    return linger


def mends(template: str) -> bool:
    return template == "mends"


def _fails(job: dict[str, Any]) -> bool:
    return bool(job["spec"]["template"]["spec"]["containers"][0]["name"] == "fails")


def _stand_by(direct: Direct, job: dict[str, Any], left: dict[str, int], seconds: int) -> None:
    uid, given = job["metadata"]["uid"], job["spec"]["template"]["metadata"]["labels"]
    if uid not in left:
        labels = {**given, "batch.kubernetes.io/controller-uid": uid}
        spec = {"nodeName": "w-1", "containers": [{"name": "c", "image": "registry.example/c:1"}]}
        value = {"metadata": {"name": "left", "labels": labels}, "spec": spec}
        direct.create("pods", value, namespace=JOBS_NAMESPACE)
    left[uid] = left.get(uid, 0) + 1
    if left[uid] == seconds:
        options = {"gracePeriodSeconds": 0}
        direct.delete("pods", "left", namespace=JOBS_NAMESPACE, options=options)


ONE_JOB_FAILS: Final = case("drain", "run-job: {template: fails}", "run-job: {template: mends}")


def test_no_node_is_given_back_while_a_pod_of_a_job_that_failed_may_run() -> None:
    ending = stage.play(0, sick=ONE, case=replace(ONE_JOB_FAILS, meddler=lingering()))

    (repair,) = ending.repairs
    assert ending.breaches == ()
    assert (repair.status.phase, repair.status.tried) == (Phase.NEEDS_HUMAN, (0, 1, 2))
    assert "waits until Pod left has ended" in told(ending)
    assert set(ending.ledger.status.slots) == {"w-1"}


def test_a_node_is_given_back_once_the_pod_of_a_job_that_failed_has_ended() -> None:
    ending = stage.play(0, sick=ONE, case=replace(ONE_JOB_FAILS, meddler=lingering(300)))

    assert_well(ending)
    assert "Verifying (JobLingers): waits until Pod left has ended" in told(ending)


def test_a_burn_in_of_which_a_pod_may_run_keeps_its_slot_when_a_person_is_called() -> None:
    burns = case("drain", "run-job: {template: mends}", burn_in="fails")
    ending = stage.play(0, sick=ONE, case=replace(burns, meddler=lingering()))

    assert ending.breaches == ()
    assert ending.phases() == {Phase.NEEDS_HUMAN}
    assert set(ending.ledger.status.slots) == {"w-1"}


@pytest.mark.parametrize(
    ("meddler", "held"), [(controller(), set()), (lingering(), {"w-1"})], ids=["gone", "lingering"]
)
def test_a_failed_job_keeps_its_slot_while_a_pod_of_it_may_run(
    meddler: Meddler, held: set[str]
) -> None:
    plain = case("drain", "run-job: {template: fails}")
    ending = stage.play(0, sick=ONE, case=replace(plain, meddler=meddler))

    assert ending.breaches == ()
    assert ending.phases() == {Phase.NEEDS_HUMAN}
    assert set(ending.ledger.status.slots) == held


@trials.at_any_write(MOST_WRITES)
@pytest.mark.parametrize("story", CASES)
def test_a_crash_at_any_write_is_made_good(story: str, crashes: Iterable[Crash]) -> None:
    for crash in crashes:
        assert_well(stage.play(0, sick=ONE, case=CASES[story], crash=crash))


@pytest.mark.parametrize("seed", range(3))
def test_two_remediators_in_bad_luck_run_nothing_twice(seed: int) -> None:
    assert_well(trials.unlucky(seed, CASES["a Job fails, and the successor burns in"]))
