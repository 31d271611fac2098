"""Does the work of a repair's present rung, each deed right after a last look at its slot."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from msgspec import structs

from nodehealth.kube.objects import Pod
from nodehealth.repair import NodeRepair, NodeRepairStatus
from remediator import burning, fencing, settling
from remediator.actions import Done, Failed, Going, Stranded, SupersededError, Tools
from remediator.again import Again, span
from remediator.decide import admissions, returning, rungs
from remediator.decide.moves import Burn, Onward, Prove
from remediator.means import Means
from remediator.scene import Scene


async def climb(scene: Scene, means: Means) -> Again:
    """Run the action of the present rung, unless it wants to be left alone.

    Raises:
        nodehealth.kube.errors.KubeError: the API server failed us; it is done again later.
        SupersededError: it is not ours to do any more.
    """
    record, status = scene.record, scene.record.repair.status
    left = means.resting.left(record.repair, means.clock())
    if left > timedelta():
        return span(left)
    action = means.action(record.repair, status.rung)
    since = status.rung_since or means.clock()
    progress = await action.run(record.repair, since, _tools(scene, means))
    view = replace(scene.view, repair=record.repair)
    following: Onward
    match progress:
        case Stranded():
            following = rungs.stranded(view, progress.message)
        case Done():
            following = rungs.done(view, progress.message, mends=action.mends)
        case Failed():
            following = rungs.after(view, progress.message, mends=action.mends)
        case Going():
            await record.enter(action.phase, "", progress.message)
            means.resting.rest(record.repair, means.clock() + progress.again)
            return span(progress.again)
    return await settling.settle(following, scene, means)


async def prove(move: Prove | Burn, scene: Scene, means: Means) -> Again:
    """Take a step towards the proof that the machine is off, or that the node is well.

    Raises:
        nodehealth.kube.errors.KubeError: the API server failed us; it is done again later.
        SupersededError: it is not ours to do any more.
    """
    tools = _tools(scene, means)
    if isinstance(move, Prove):
        following = await fencing.advance(scene, tools)
    else:
        following = await burning.advance(move.wanted, scene, tools)
    if isinstance(following, timedelta):
        return following
    return await settling.settle(following, scene, means)


async def _check(began: NodeRepair, scene: Scene, means: Means) -> None:
    """Check that a repair may do its next deed: begin a step only if nothing forbids that now.

    Args:
        began: The repair without what was only claimed since: nothing is under way by that.
        scene: What it works with.
        means: What is asked.

    Raises:
        SupersededError: it may not.
    """
    repair = scene.record.repair
    node = await means.node(repair.spec.target.node)
    ledger = await means.admission.ledger()
    refusal = admissions.disruption_refusal(repair, node, ledger)
    if not refusal and not rungs.is_under_way(began):
        shut = await means.shut(began, node, ledger, scene.around)
        refusal = shut.message if shut is not None else ""
    if refusal:
        raise SupersededError(refusal)


async def _write(scene: Scene, means: Means, status: NodeRepairStatus) -> NodeRepair:
    """Write a status down; before it claims an order, the slot says that there may be one."""
    repair, ledger = scene.record.repair, scene.view.ledger
    if status.intent is not None and returning.ordered(ledger, repair) is not ledger:
        await means.admission.settle(partial(returning.ordered, repair=repair))
    return await scene.record.note(status)


def _tools(scene: Scene, means: Means) -> Tools:
    began = scene.view.repair
    unsent = structs.replace(began, status=structs.replace(began.status, intent=None))
    policy = scene.around.policy

    async def claim(pods: Sequence[Pod]) -> str:
        repair, node = scene.record.repair, scene.view.node
        refused = await means.admission.claim(repair, node, pods, policy)
        return refused.message if refused is not None else ""

    return Tools(
        client=means.client,
        clock=means.clock,
        node=scene.view.node,
        provider=scene.around.provider,
        manners=policy.drain,
        gpu_clients=policy.gpu_clients,
        team=policy.alerts.team,
        webhooks=policy.webhooks,
        ask=means.ask,
        jobs=policy.jobs_namespace,
        pacing=means.pacing,
        guard=partial(_check, began, scene, means),
        permit=partial(_check, unsent, scene, means),
        claim=claim,
        record=partial(_write, scene, means),
    )
