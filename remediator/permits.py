"""Asks for what a repair must be permitted: to cordon its node, and to disrupt what runs there."""

from datetime import timedelta
from typing import Final

from msgspec import structs

from nodehealth.kube.objects import Node
from nodehealth.repair import NodeRepair, Phase
from remediator import settling
from remediator.again import AT_ONCE, Again
from remediator.decide import admissions, joined, limits, marks, recurrence, waiting
from remediator.decide.gates import Deed
from remediator.decide.limits import Refused, Why
from remediator.decide.moves import Reason
from remediator.decide.rates import Kind
from remediator.means import Means
from remediator.queueing import QUEUE_AGAIN
from remediator.scene import Scene

_REASONS: Final = {Why.DISRUPTION_LIMIT: Reason.NO_SLOT}


async def cordon(scene: Scene, means: Means) -> Again:
    """Cordon the node, or write down why not.

    Raises:
        nodehealth.kube.errors.KubeError: the API server failed us; it is done again later.
        remediator.actions.SupersededError: it is not ours to do any more.
    """
    repair, node, policy = scene.view.repair, scene.view.node, scene.around.policy
    if node is None:
        return AT_ONCE
    left = means.queueing.left(repair)
    if left > timedelta():
        return left
    epoch = await means.admission.cordon(repair, node, scene.scopes(), policy)
    if isinstance(epoch, Refused):
        return await _refused(epoch, Phase.CONFIRMED, scene, means)
    message = "no new work comes to the node, what runs on it is left alone"
    foreign = marks.was_cordoned(node)
    base = structs.replace(repair.status, cordon_epoch=epoch, pre_cordoned=foreign)
    await scene.record.enter(Phase.CORDONED, "", message, base=base)
    return AT_ONCE


async def disrupt(scene: Scene, means: Means) -> Again:
    """Get a disruption slot and begin the first rung, or write down why not.

    Raises:
        nodehealth.kube.errors.KubeError: the API server failed us; it is done again later.
        remediator.actions.SupersededError: it is not ours to do any more.
    """
    view, policy = scene.view, scene.around.policy
    repair = view.repair
    if view.node is None:
        return AT_ONCE
    waits = await _in_line(view.node, scene, means)
    if waits > timedelta():
        return waits
    holding = joined.holding(view)
    epoch = await means.admission.disrupt(repair, view.node, scene.scopes(), policy, holding)
    if isinstance(epoch, Refused):
        return await _refused(epoch, Phase.WAITING, scene, means)
    base = structs.replace(repair.status, disruption_epoch=epoch)
    await settling.start_rung(joined.first(view), _admitted(repair), base, scene, means)
    return AT_ONCE


async def _in_line(node: Node, scene: Scene, means: Means) -> timedelta:
    """Say how long a repair need not even ask for a slot, and write down why."""
    view, around, admission = scene.view, scene.around, means.admission
    repair, ledger, policy = view.repair, view.ledger, around.policy
    if admissions.has_slot(repair, ledger):
        return timedelta()  # admitted already, which a crash kept out of the record
    scopes = scene.scopes()
    shut = admission.shut(
        repair, node, ledger, scopes, policy, deed=Deed.DISRUPT, holding=joined.holding(view)
    )
    if shut is not None:  # people need not wait for its turn to hear of it
        admission.tally[Kind.DISRUPTIONS, shut.why] += 1
        return await _refused(shut, Phase.WAITING, scene, means)
    turn = waiting.turn(repair, around.repairs, ledger, around.scopes, policy, admission.now())
    if not turn.granted:
        await scene.record.enter(Phase.WAITING, Reason.NO_SLOT, turn.message)
        return QUEUE_AGAIN
    full = limits.full(ledger, node.metadata.name, scopes, policy)
    if full is not None:
        admission.tally[Kind.DISRUPTIONS, full.why] += 1
        await scene.record.enter(Phase.WAITING, Reason.NO_SLOT, full.message)
        return QUEUE_AGAIN
    return means.queueing.left(repair)


async def _refused(refused: Refused, phase: Phase, scene: Scene, means: Means) -> timedelta:
    repair, around = scene.record.repair, scene.around
    message, again = means.queueing.refused(refused, repair, around.repairs, around.scopes)
    await scene.record.enter(phase, _REASONS.get(refused.why, refused.why), message)
    return QUEUE_AGAIN if refused.why is Why.BREAKER_OPEN else again  # the ledger tells sooner


def _admitted(repair: NodeRepair) -> str:
    recurs = repair.spec.recurs
    message = "got a disruption slot"
    return message if recurs is None else f"{message}; {recurrence.sentence(recurs)}"
