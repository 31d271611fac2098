"""Finds out what only a look at the world says: what runs on a node, what came of an order."""

import logging
from datetime import timedelta
from typing import Final

from msgspec import structs

from nodehealth.kube.objects import PODS
from nodehealth.repair import Intent
from remediator import bodies, jobs, settling
from remediator import errands as sending
from remediator.again import AT_ONCE, Again
from remediator.decide import arrivals, boots, errands, orders
from remediator.decide.moves import Mended, Reason
from remediator.means import Means
from remediator.providers import MachineState, ProviderError
from remediator.scene import Scene

logger = logging.getLogger(__name__)

_INQUIRE_AGAIN: Final = timedelta(minutes=1)


async def greet(scene: Scene, means: Means) -> Again:
    """List the pods after the mark is on the Node: none comes any more.

    Raises:
        nodehealth.kube.errors.KubeError: the API server failed us; it is done again later.
    """
    repair, node = scene.view.repair, scene.view.node
    if node is None:
        return AT_ONCE
    listing = await means.client.listing(PODS, fields=f"spec.nodeName={node.metadata.name}")
    arrival = arrivals.of(node, listing.items, repair.metadata.name, means.admission.now())
    base = arrivals.written(repair.status, arrival)
    if arrivals.is_worth_telling(arrival):
        message = arrivals.sentence(arrival)
        await scene.record.enter(base.phase, Reason.ARRIVED, message, base=base)
    else:
        await scene.record.note(base)
    return AT_ONCE


async def inquire(scene: Scene, means: Means) -> Again:
    """Go on by ourselves when the owner was only late; a person was called already.

    Raises:
        nodehealth.kube.errors.KubeError: the API server failed us; it is done again later.
        remediator.actions.SupersededError: it is not ours to do any more.
    """
    repair, node = scene.view.repair, scene.view.node
    intent = errands.claimed(repair) or boots.ordered(repair.status.intent)
    if intent is not None and await _settled(intent, scene, means):
        await scene.record.note(structs.replace(repair.status, intent=None))
        return AT_ONCE
    lost = orders.may_be_lost(repair, node, scene.view.now)
    state = await _became(scene, means) if node is None or lost else None
    if lost and state is MachineState.PRESENT:
        await scene.record.note(structs.replace(repair.status, intent=None))
        return AT_ONCE
    if node is not None or state is not MachineState.REPLACED:
        return _INQUIRE_AGAIN
    mended = Mended(message="the machine was replaced after all")
    return await settling.settle(mended, scene, means)


async def _settled(intent: Intent, scene: Scene, means: Means) -> bool:
    repair, node = scene.view.repair, scene.view.node
    task = means.action(repair, repair.status.rung).task()
    if task is not None:
        name, where = bodies.job_name(repair, task), scene.around.policy.jobs_namespace
        now = means.clock()
        return await jobs.is_settled(means.client, name, intent, namespace=where, now=now)
    return await sending.is_settled(means.client, repair, intent, node, means.clock())


async def _became(scene: Scene, means: Means) -> MachineState | None:
    """Ask the owner what became of the machine."""
    provider, target = scene.around.provider, scene.view.repair.spec.target
    try:
        return await provider.state(target, means.client) if provider is not None else None
    except ProviderError as unclear:
        logger.info("%s: asks its owner again: %s", target.node, unclear)
        return None
