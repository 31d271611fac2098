"""Carries out what `decide.fencing` says about a dead node's machine, one step at a time."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, TypeAlias

from msgspec import structs

from nodehealth.kube import errors
from nodehealth.kube.objects import NODES, PODS, Node
from nodehealth.kube.patches import Operation
from nodehealth.repair import Fencing, NodeRepair, Phase
from remediator.actions import SupersededError, Tools, claim, unclaim
from remediator.again import AT_ONCE
from remediator.decide import eviction, fencing, marks, obstacles, rungs
from remediator.decide.eviction import Patience
from remediator.decide.fencing import (
    Alive,
    GiveUp,
    Look,
    Note,
    Power,
    PutBack,
    PutOutOfService,
    Step,
    SwitchOff,
    Through,
    Wait,
)
from remediator.decide.moves import DrainAgain, NextRung, Reason, Surrender
from remediator.providers import ProviderError, UnableError
from remediator.scene import Scene

_AGAIN: Final = timedelta(seconds=5)
"""How soon to look again, unless the drain itself looks more often."""

Outcome: TypeAlias = NextRung | DrainAgain | Surrender | timedelta
"""What follows in the repair, or after how long to take the next step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    power: Power
    said: str


async def advance(scene: Scene, tools: Tools) -> Outcome:
    """Look at machine, Node and pods, and take one step.

    Raises:
        nodehealth.kube.errors.KubeError: the API server failed us; it is done again later.
        SupersededError: the step is not ours to take any more.
    """
    look = await _look(scene, tools)
    return await _take(fencing.next_step(look), look, scene, tools)


async def _look(scene: Scene, tools: Tools) -> Look:
    repair, heard = scene.record.repair, await _power(scene.record.repair, tools)
    return Look(
        repair=repair,
        fencing=repair.status.fencing or Fencing(since=tools.clock()),
        node=tools.node,
        power=heard.power,
        said=heard.said,
        by=scene.around.policy.provider,
        pods=await _pods(repair, tools),
        now=tools.clock(),
        manners=tools.manners,
    )


async def _power(repair: NodeRepair, tools: Tools) -> _Heard:
    if tools.provider is None:
        said = "the policy names no provider that could switch it off"
        return _Heard(power=Power.UNKNOWN, said=said)
    try:
        power = await tools.provider.power(repair.spec.target, tools.client)
    except ProviderError as unclear:
        return _Heard(power=Power.UNKNOWN, said=str(unclear))
    return _Heard(power=power, said=f"its owner says that it is {power}")


async def _pods(repair: NodeRepair, tools: Tools) -> tuple[str, ...]:
    """Name the pods that have to be let go of; what is kept only by a finalizer does not run."""
    listing = await tools.client.listing(PODS, fields=f"spec.nodeName={repair.spec.target.node}")
    pods = eviction.sort(listing.items, tools.manners, Patience(), tools.clock())
    return tuple(
        obstacles.name(each.pod)
        for each in pods.left()
        if each.pod.metadata.deletion_grace_period_seconds != 0
    )


async def _take(step: Step, look: Look, scene: Scene, tools: Tools) -> Outcome:
    match step:
        case Through():
            return rungs.climbed(replace(scene.view, repair=look.repair), step.message)
        case Alive():
            return DrainAgain(message="the kubelet is heard of again")
        case GiveUp():
            return rungs.surrender(Reason.NOT_FENCED, step.message)
        case _:
            return await _work(step, look, scene, tools)


async def _work(
    step: Wait | Note | SwitchOff | PutOutOfService | PutBack,
    look: Look,
    scene: Scene,
    tools: Tools,
) -> Outcome:
    match step:
        case Wait():
            await scene.record.enter(Phase.FENCING, "", step.message)
            return _again(tools)
        case Note():
            base = structs.replace(look.repair.status, fencing=step.fencing)
            await scene.record.enter(Phase.FENCING, "", step.message, base=base)
            return _again(tools) if step.fencing.method is None else AT_ONCE
        case SwitchOff():
            return await _switch_off(scene, tools)
        case PutOutOfService() | PutBack():
            return await _mark(step, look.node, tools)


async def _switch_off(scene: Scene, tools: Tools) -> Outcome:
    if tools.provider is None:
        message = "the policy names no provider that could switch the machine off"
        return rungs.surrender(Reason.NOT_FENCED, message)
    repair = scene.record.repair
    key = await claim(repair, fencing.ORDER, tools)
    try:
        await tools.provider.fence(repair.spec.target, key, tools.client)
    except UnableError as unable:
        await unclaim(repair, tools)
        return rungs.surrender(Reason.NOT_FENCED, str(unable))
    except ProviderError as unclear:
        await scene.record.enter(Phase.FENCING, "", str(unclear))
    return _again(tools)


def _again(tools: Tools) -> timedelta:
    return min(_AGAIN, tools.manners.again)


async def _mark(step: PutOutOfService | PutBack, node: Node | None, tools: Tools) -> timedelta:
    """Patch the Node as it was read; the guard comes after that reading, and before the patch."""
    if node is None:
        return _again(tools)
    if isinstance(step, PutOutOfService):
        await tools.guard()
        changes: list[Operation] = marks.out_of_service(node)
    else:
        changes = marks.into_service(node)
    try:
        await tools.client.json_patch(NODES, node.metadata.name, changes)
    except errors.TestFailedError as changed:
        raise SupersededError(f"{node.metadata.name} changed meanwhile") from changed
    return _again(tools) if isinstance(step, PutOutOfService) else AT_ONCE
