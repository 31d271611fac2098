"""Has a Job of the operator's own pass on a mended node before the node takes work again."""

from dataclasses import replace
from datetime import timedelta
from typing import Final, TypeAlias

from msgspec import structs

from nodehealth.repair import BurnIn, BurningIn, Phase
from remediator.actions import Tools, guarding
from remediator.again import AT_ONCE
from remediator.decide import burnins, rungs
from remediator.decide.envoys import Succeed, Wait
from remediator.decide.jobs import Claimed
from remediator.decide.moves import NextRung, Reason, Surrender
from remediator.jobs import Runner
from remediator.scene import Scene

_AGAIN: Final = timedelta(seconds=5)

Outcome: TypeAlias = NextRung | Surrender | timedelta
"""What follows in the repair, or after how long to take the next step."""


async def advance(wanted: BurnIn, scene: Scene, tools: Tools) -> Outcome:
    """Take one step of a burn-in, or begin it.

    Raises:
        nodehealth.kube.errors.KubeError: the API server failed us; it is done again later.
        SupersededError: the step is not ours to take any more.
    """
    repair, record = scene.record.repair, scene.record
    begun = repair.status.burn_in
    if begun is None or begun.passed_at is not None:
        done = burnins.passed(repair)
        begins = BurningIn(since=tools.clock(), wanted=wanted, passed=done)
        base = structs.replace(repair.status, burn_in=begins)
        message = (
            f"the node is well; the burn-in {wanted.template} has to pass before it takes work"
        )
        await record.enter(Phase.VERIFYING, Reason.BURN_IN, message, base=base)
        return AT_ONCE
    step = await _runner(wanted, begun, scene, tools).advance(begun.since, _claimed(begun))
    match step:
        case Wait():
            await record.enter(Phase.VERIFYING, Reason.BURN_IN, step.message)
            return _AGAIN
        case Succeed():
            passed = structs.replace(begun, passed_at=tools.clock())
            base = structs.replace(record.repair.status, burn_in=passed)
            await record.enter(Phase.VERIFYING, "", step.message, base=base, logged=True)
            return AT_ONCE
        case _:
            return rungs.after(replace(scene.view, repair=record.repair), step.message)


def _runner(wanted: BurnIn, begun: BurningIn, scene: Scene, tools: Tools) -> Runner:
    async def claim(job: str) -> None:
        claimed = structs.replace(begun, job=job, claimed_at=tools.clock())
        await scene.record.note(structs.replace(scene.record.repair.status, burn_in=claimed))
        await tools.guard()

    return Runner(
        client=tools.client,
        clock=tools.clock,
        namespace=tools.jobs,
        repair=scene.record.repair,
        node=tools.node,
        claim=claim,
        start=guarding(tools),
        task=burnins.task(wanted),
    )


def _claimed(begun: BurningIn) -> Claimed | None:
    at = begun.claimed_at
    return Claimed(job=begun.job, at=at) if begun.job and at is not None else None
