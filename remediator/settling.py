"""Writes down where a repair goes on, and gives back what it held where it ends."""

from msgspec import structs

from nodehealth.repair import Closing, Fencing, NodeRepairStatus, Phase
from remediator.again import AT_ONCE, Again
from remediator.decide import admissions, endings, errands, joined, requests, rungs
from remediator.decide.admissions import Held
from remediator.decide.moves import (
    DrainAgain,
    Finish,
    Join,
    Mended,
    NextRung,
    Onward,
    Release,
    Reply,
    Resume,
    Retake,
    Retry,
    Strand,
    Surrender,
    Trade,
)
from remediator.means import Means
from remediator.scene import Scene


async def settle(move: Onward, scene: Scene, means: Means) -> Again:
    """Do what needs nobody's answer, so that the next move follows at once.

    Raises:
        nodehealth.kube.errors.KubeError: the API server failed us; it is done again later.
        remediator.actions.SupersededError: it is not ours to do any more.
    """
    view, record = scene.view, scene.record
    match move:
        case Retake():
            if view.node is not None:
                await means.admission.hold(record.repair, view.node, move.fence)
        case Join():
            await record.note(joined.written(record.repair.status, move, means.clock()))
        case Reply() | Retry():
            await _answer(move, scene, means)
        case Release() | Surrender():
            await _close(move, scene, means)
        case Finish() | Trade():
            await _end(move, scene, means)
        case _:
            await _go_on(move, scene, means)
    return AT_ONCE


async def start_rung(
    rung: int, message: str, base: NodeRepairStatus, scene: Scene, means: Means
) -> None:
    """Write down that a rung begins.

    Raises:
        nodehealth.kube.errors.KubeError: the API server failed us; it is done again later.
    """
    record = scene.record
    started = structs.replace(
        base,
        rung=rung,
        tried=(*joined.tried(record.repair), rung),
        rung_since=means.clock(),
        empty_passes=0,
        intent=None,
        burn_in=None,
    )
    phase = means.action(record.repair, rung).phase
    await record.enter(phase, "", message, base=started, logged=True)


async def _go_on(
    move: Resume | Mended | NextRung | Strand | DrainAgain, scene: Scene, means: Means
) -> None:
    record, now = scene.record, means.clock()
    status = rungs.resumed(record.repair.status, now)
    match move:
        case Resume():
            await record.enter(status.phase, "", move.message, base=status)
        case NextRung():
            unseen = errands.unseen_boot(record.repair, scene.view.node, now)
            base = structs.replace(status, rebooting=unseen)
            await start_rung(move.rung, move.message, base, scene, means)
        case Mended():
            base = structs.replace(status, rung_since=now)
            await record.enter(Phase.VERIFYING, "", move.message, base=base)
        case Strand():
            base = structs.replace(status, fencing=Fencing(since=now))
            await record.enter(Phase.FENCING, "", move.message, base=base)
        case DrainAgain():
            base = structs.replace(status, fencing=None, rung_since=now, empty_passes=0)
            await record.enter(Phase.DRAINING, "", move.message, base=base)


async def _answer(move: Reply | Retry, scene: Scene, means: Means) -> None:
    record, now = scene.record, means.clock()
    if isinstance(move, Retry):
        base = requests.retried(scene.view, move, now)
        await record.enter(move.phase, "", move.message, base=base, logged=True)
        return
    await record.note(requests.replied(joined.dropped(record.repair.status, move.drops), move, now))


async def _close(move: Release | Surrender, scene: Scene, means: Means) -> None:
    """Claim the ending by writing it down: a replica with a stale record gets no further."""
    repair = scene.record.repair
    held = admissions.held(repair, scene.view.ledger)
    phase = move.phase if isinstance(move, Release) else Phase.NEEDS_HUMAN
    closing = Closing(phase=phase, reason=move.reason, message=move.message)
    changed = structs.replace(
        repair.status,
        closing=closing,
        cordon_epoch=held.cordon,
        disruption_epoch=held.disruption,
    )
    if isinstance(move, Release) and move.answers is not None:
        now = means.clock()
        changed = requests.answered(changed, move.answers, move.message, now, done=True)
    await scene.record.note(changed)


async def _end(move: Finish | Trade, scene: Scene, means: Means) -> None:
    repair, node = scene.record.repair, scene.view.node
    name = repair.spec.target.node
    if isinstance(move, Trade):
        held = admissions.held(repair, scene.view.ledger)
        await means.admission.surrender(repair, node, held)
        return
    status, closing = repair.status, move.closing
    held = Held(cordon=status.cordon_epoch, disruption=status.disruption_epoch)
    if closing.phase is not Phase.NEEDS_HUMAN:
        drained = status.phase is Phase.DRAINING
        await means.admission.release(name, node, held.epochs(), drained=drained)
    await means.neighbours.let_go(name)
    means.forget(repair)
    base = endings.closed(status, closing)
    await scene.record.enter(closing.phase, closing.reason, closing.message, base=base)
