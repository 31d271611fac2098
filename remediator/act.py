"""Carries a repair on, one move at a time, each decided from fresh facts and written down."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from msgspec import structs

from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, PODS, Node
from nodehealth.ledger import RepairLedger
from nodehealth.repair import (
    NODE_REPAIRS,
    Closing,
    Fencing,
    Intent,
    NodeRepair,
    NodeRepairStatus,
    Phase,
)
from remediator import burning, fencing
from remediator import errands as sending
from remediator.actions import Action, Done, Failed, Going, Stranded, SupersededError, Tools
from remediator.admission import Admission
from remediator.asking import Service, Way
from remediator.decide import (
    arrivals,
    boots,
    errands,
    joined,
    ladder,
    limits,
    marks,
    orders,
    plan,
    recurrence,
    requests,
    rungs,
)
from remediator.decide.gates import Deed
from remediator.decide.ladder import Held
from remediator.decide.limits import Refused, Why
from remediator.decide.moves import (
    Burn,
    Climb,
    Cordon,
    Disrupt,
    DrainAgain,
    Finish,
    Greet,
    Inquire,
    Join,
    Mended,
    Move,
    NextRung,
    Onward,
    Prove,
    Reason,
    Release,
    Reply,
    Rest,
    Resume,
    Retake,
    Retry,
    Strand,
    Surrender,
    Trade,
    View,
)
from remediator.decide.rates import Kind
from remediator.neighbours import Neighbours
from remediator.pacing import Pacing
from remediator.providers import MachineState, ProviderError
from remediator.queueing import QUEUE_AGAIN, Queueing
from remediator.record import Record
from remediator.saying import Saying
from remediator.scene import Around, Scene
from remediator.trail import SILENT, Trail

logger = logging.getLogger(__name__)

_REASONS: Final = {Why.DISRUPTION_LIMIT: Reason.NO_SLOT}
_SUPERSEDED_AGAIN: Final = timedelta(seconds=2)
_INQUIRE_AGAIN: Final = timedelta(minutes=1)

_AT_ONCE: Final = timedelta()
Again: TypeAlias = timedelta | None
"""After how long to look again: at once when zero, only when something changes when nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Does what `decide` says, and nothing else.

    Fields:
        client: The door to the API server.
        admission: The way to the ledger and to Nodes.
        clock: The present time.
        around: Looks up what a repair has to know of the rest of the fleet.
        actions: Finds the remedy of a rung by its name and settings.
        queueing: When who was refused asks again.
        pacing: How fast pods are asked to leave.
        neighbours: The locks of others on nodes.
        tell: Is told of every repair whose phase changed.
        trail: Where each decision is written down as well.
        ask: How web services of the operator's own are asked.
    """

    client: Client
    admission: Admission
    clock: Clock
    around: Callable[[NodeRepair], Around]
    actions: Callable[[str, Mapping[str, object]], Action]
    queueing: Queueing
    pacing: Pacing
    neighbours: Neighbours
    tell: Callable[[NodeRepair], Awaitable[None]]
    saying: Saying = field(default_factory=Saying)
    trail: Trail = SILENT
    ask: Way = Service.ask
    resting: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    """By repair, on which rung its action asked for a pause, and until when: no change of the node
    shortens it. Losing this costs a pass."""

    async def advance(self, name: str, written: NodeRepair | None = None) -> datetime | None:
        """Carry a repair on as far as it goes now, and say when to look again.

        Args:
            name: The repair.
            written: The repair as the API server just said that we wrote it, if we did: what we
                wrote a moment ago need not be read again: every step checks that it still holds.

        Raises:
            nodehealth.kube.errors.KubeError: the API server failed us; try again later.
        """
        again: Again = _AT_ONCE
        while again == _AT_ONCE:
            try:
                again, written = await self._move(name, written)
            except SupersededError as superseded:
                logger.info("repair %s: looks again, for %s", name, superseded)
                again = _SUPERSEDED_AGAIN
        return None if again is None else self.clock() + again

    async def _move(self, name: str, written: NodeRepair | None) -> tuple[Again, NodeRepair | None]:
        """Do one thing, and return the repair too if that wrote it."""
        repair = written or await self.client.get(NODE_REPAIRS, name)
        around = self.around(repair)
        node = await self._node(repair.spec.target.node)
        ledger = await self.admission.ledger()
        view = View(
            repair=repair,
            node=node,
            ledger=ledger,
            well=around.wellness(node),
            now=self.clock(),
            allowed=around.allowed,
            ruled=around.ruled,
            eclipsed_by=around.eclipsed_by,
            shut=await self._shut(repair, node, ledger, around),
            others=around.others(node),
            joining=around.joining(node),
        )
        record = Record(
            repair, client=self.client, clock=self.clock, tell=self.tell, trail=self.trail
        )
        scene = Scene(view=view, around=around, record=record)
        again = await self._carry_out(ladder.next_move(view), scene)
        return again, record.repair if record.repair is not repair else None

    async def _carry_out(self, move: Move, scene: Scene) -> Again:
        match move:
            case Rest():
                return await self._rest(move, scene)
            case Cordon():
                return await self._cordon(scene)
            case Disrupt():
                return await self._disrupt(scene)
            case Climb():
                return await self._climb(scene)
            case Prove() | Burn() | Greet() | Inquire():
                return await self._look_into(move, scene)
            case _:
                await self._settle(move, scene)
                return _AT_ONCE

    async def _rest(self, move: Rest, scene: Scene) -> Again:
        left = self.saying.left(scene.record.repair, move, self.clock())
        if left > timedelta():
            return _span(left)
        status = scene.record.repair.status
        base = rungs.held_up(status, self.clock()) if move.held else status
        await scene.record.enter(move.phase, move.reason, move.message, base=base)
        return None if move.until is None else _span(move.until - self.clock())

    async def _settle(self, move: Onward, scene: Scene) -> None:
        view, repair = scene.view, scene.record.repair
        match move:
            case Retake():
                if view.node is not None:
                    await self.admission.hold(repair, view.node, move.fence)
            case Join():
                now = self.clock()
                await scene.record.note(joined.written(repair.status, move, now))
            case Reply() | Retry():
                await self._answer(scene, move)
            case Release() | Surrender():
                await self._close(scene, move)
            case Finish() | Trade():
                await self._end(scene, move)
            case _:
                await self._go_on(scene, move)

    async def _go_on(
        self, scene: Scene, move: Resume | Mended | NextRung | Strand | DrainAgain
    ) -> None:
        record, now = scene.record, self.clock()
        status = rungs.resumed(record.repair.status, now)
        match move:
            case Resume():
                message = "goes on: the next step is allowed again"
                await record.enter(status.phase, "", message, base=status)
            case NextRung():
                unseen = errands.unseen_boot(record.repair, scene.view.node, now)
                base = structs.replace(status, rebooting=unseen)
                await self._start_rung(record, base, move.rung, move.message)
            case Mended():
                base = structs.replace(status, rung_since=now)
                await record.enter(Phase.VERIFYING, "", move.message, base=base)
            case Strand():
                base = structs.replace(status, fencing=Fencing(since=now))
                await record.enter(Phase.FENCING, "", move.message, base=base)
            case DrainAgain():
                base = structs.replace(status, fencing=None, rung_since=now, empty_passes=0)
                await record.enter(Phase.DRAINING, "", move.message, base=base)

    async def _answer(self, scene: Scene, move: Reply | Retry) -> None:
        record, now = scene.record, self.clock()
        if isinstance(move, Retry):
            base = requests.retried(scene.view, move, now)
            await record.enter(move.phase, "", move.message, base=base, logged=True)
            return
        status = record.repair.status
        await record.note(
            requests.answered(status, move.request, move.message, now, done=move.done)
        )

    async def _close(self, scene: Scene, move: Release | Surrender) -> None:
        """Claim the ending by writing it down: a replica with a stale record gets no further."""
        repair = scene.record.repair
        held = ladder.held(repair, scene.view.ledger)
        phase = move.phase if isinstance(move, Release) else Phase.NEEDS_HUMAN
        closing = Closing(phase=phase, reason=move.reason, message=move.message)
        changed = structs.replace(
            repair.status,
            closing=closing,
            cordon_epoch=held.cordon,
            disruption_epoch=held.disruption,
        )
        if isinstance(move, Release) and move.answers is not None:
            now = self.clock()
            changed = requests.answered(changed, move.answers, move.message, now, done=True)
        await scene.record.note(changed)

    async def _end(self, scene: Scene, move: Finish | Trade) -> None:
        repair, node = scene.record.repair, scene.view.node
        if isinstance(move, Trade):
            held = ladder.held(repair, scene.view.ledger)
            await self.admission.surrender(repair, node, held)
            return
        status, closing = repair.status, move.closing
        held = Held(cordon=status.cordon_epoch, disruption=status.disruption_epoch)
        if closing.phase is not Phase.NEEDS_HUMAN:
            await self.admission.release(repair.spec.target.node, node, held.epochs())
        await self.neighbours.let_go(repair.spec.target.node)
        self.resting.pop(repair.metadata.name, None)
        self.queueing.forget(repair)
        self.saying.forget(repair)
        base = ladder.closed(status, closing)
        await scene.record.enter(closing.phase, closing.reason, closing.message, base=base)

    async def _cordon(self, scene: Scene) -> Again:
        repair, node, policy = scene.view.repair, scene.view.node, scene.around.policy
        if node is None:
            return _AT_ONCE
        left = self.queueing.left(repair)
        if left > timedelta():
            return left
        epoch = await self.admission.cordon(repair, node, scene.scopes(), policy)
        if isinstance(epoch, Refused):
            return await self._refused(epoch, scene, Phase.CONFIRMED)
        message = "no new work comes to the node, what runs on it is left alone"
        foreign = marks.was_cordoned(node)
        base = structs.replace(repair.status, cordon_epoch=epoch, pre_cordoned=foreign)
        await scene.record.enter(Phase.CORDONED, "", message, base=base)
        return _AT_ONCE

    async def _disrupt(self, scene: Scene) -> Again:
        view, record = scene.view, scene.record
        repair, policy = view.repair, scene.around.policy
        if view.node is None:
            return _AT_ONCE
        waits = await self._in_line(scene, view.node)
        if waits > timedelta():
            return waits
        epoch = await self.admission.disrupt(repair, view.node, scene.scopes(), policy)
        if isinstance(epoch, Refused):
            return await self._refused(epoch, scene, Phase.WAITING)
        base = structs.replace(repair.status, disruption_epoch=epoch)
        await self._start_rung(record, base, joined.first(view), _admitted(repair))
        return _AT_ONCE

    async def _in_line(self, scene: Scene, node: Node) -> timedelta:
        """Say how long a repair need not even ask for a slot, and write down why."""
        view, around = scene.view, scene.around
        repair, ledger, policy = view.repair, view.ledger, around.policy
        if ladder.has_slot(repair, ledger):
            return timedelta()  # admitted already, which a crash kept out of the record
        scopes = scene.scopes()
        shut = self.admission.shut(repair, node, ledger, scopes, policy, deed=Deed.DISRUPT)
        if shut is not None:  # people need not wait for its turn to hear of it
            self.admission.tally[Kind.DISRUPTIONS, shut.why] += 1
            return await self._refused(shut, scene, Phase.WAITING)
        turn = plan.turn(repair, around.repairs, ledger, around.scopes, policy)
        if not turn.granted:
            await scene.record.enter(Phase.WAITING, Reason.NO_SLOT, turn.message)
            return QUEUE_AGAIN
        full = limits.full(ledger, node.metadata.name, scopes, policy)
        if full is not None:
            self.admission.tally[Kind.DISRUPTIONS, full.why] += 1
            await scene.record.enter(Phase.WAITING, Reason.NO_SLOT, full.message)
            return QUEUE_AGAIN
        return self.queueing.left(repair)

    async def _refused(self, refused: Refused, scene: Scene, phase: Phase) -> timedelta:
        repair, around = scene.record.repair, scene.around
        message, again = self.queueing.refused(refused, repair, around.repairs, around.scopes)
        await scene.record.enter(phase, _REASONS.get(refused.why, refused.why), message)
        return QUEUE_AGAIN if refused.why is Why.BREAKER_OPEN else again  # the ledger tells sooner

    async def _start_rung(
        self, record: Record, base: NodeRepairStatus, rung: int, message: str
    ) -> None:
        action = self._action(record.repair, rung)
        started = structs.replace(
            base,
            rung=rung,
            tried=(*joined.tried(record.repair), rung),
            rung_since=self.clock(),
            empty_passes=0,
            intent=None,
            burn_in=None,
        )
        await record.enter(action.phase, "", message, base=started, logged=True)

    async def _climb(self, scene: Scene) -> Again:
        record, status = scene.record, scene.record.repair.status
        left = self._rest_left(record.repair)
        if left > timedelta():
            return _span(left)
        action = self._action(record.repair, status.rung)
        since = status.rung_since or self.clock()
        progress = await action.run(record.repair, since, self._tools(scene))
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
                until = self.clock() + progress.again
                self.resting[record.repair.metadata.name] = (status.rung, until)
                return _span(progress.again)
        await self._settle(following, scene)
        return _AT_ONCE

    async def _look_into(self, move: Prove | Burn | Greet | Inquire, scene: Scene) -> Again:
        if isinstance(move, Greet):
            return await self._greet(scene)
        if isinstance(move, Inquire):
            return await self._inquire(scene)
        advance = fencing.advance if isinstance(move, Prove) else burning.advance
        following = await advance(scene, self._tools(scene))
        if isinstance(following, timedelta):
            return following
        await self._settle(following, scene)
        return _AT_ONCE

    async def _greet(self, scene: Scene) -> Again:
        """List the pods after the mark is on the Node: none comes any more."""
        repair, node = scene.view.repair, scene.view.node
        if node is None:
            return _AT_ONCE
        listing = await self.client.listing(PODS, fields=f"spec.nodeName={node.metadata.name}")
        arrival = arrivals.of(node, listing.items, repair.metadata.name, self.admission.now())
        base = arrivals.written(repair.status, arrival)
        if arrivals.is_worth_telling(arrival):
            message = arrivals.sentence(arrival)
            await scene.record.enter(base.phase, Reason.ARRIVED, message, base=base)
        else:
            await scene.record.note(base)
        return _AT_ONCE

    async def _inquire(self, scene: Scene) -> Again:
        """Go on by ourselves when the owner was only late; a person was called already."""
        repair = scene.view.repair
        intent = errands.claimed(repair) or boots.ordered(repair.status.intent)
        if intent is not None and await self._settled(scene, intent):
            await scene.record.note(structs.replace(repair.status, intent=None))
            return _AT_ONCE
        node = scene.view.node
        lost = orders.may_be_lost(repair, node, scene.view.now)
        state = await self._became(scene) if node is None or lost else None
        if lost and state is MachineState.PRESENT:
            await scene.record.note(structs.replace(repair.status, intent=None))
            return _AT_ONCE
        if node is not None or state is not MachineState.REPLACED:
            return _INQUIRE_AGAIN
        await self._settle(Mended(message="the machine was replaced after all"), scene)
        return _AT_ONCE

    async def _became(self, scene: Scene) -> MachineState | None:
        """Ask the owner what became of the machine."""
        provider, target = scene.around.provider, scene.view.repair.spec.target
        try:
            return await provider.state(target, self.client) if provider is not None else None
        except ProviderError as unclear:
            logger.info("%s: asks its owner again: %s", target.node, unclear)
            return None

    async def _settled(self, scene: Scene, intent: Intent) -> bool:
        repair, node = scene.view.repair, scene.view.node
        return await sending.is_settled(self.client, repair, intent, node, self.clock())

    def _rest_left(self, repair: NodeRepair) -> timedelta:
        """Return how long the action of the present rung still wants to be left alone."""
        rung, until = self.resting.pop(repair.metadata.name, (-1, self.clock()))
        if rung != repair.status.rung or until <= self.clock():
            return timedelta()
        self.resting[repair.metadata.name] = (rung, until)
        return until - self.clock()

    def _action(self, repair: NodeRepair, rung: int) -> Action:
        chosen = joined.ladder(repair)[rung]
        return self.actions(chosen.action, chosen.settings)

    def _tools(self, scene: Scene) -> Tools:
        async def guard() -> None:
            repair = scene.record.repair
            node = await self._node(repair.spec.target.node)
            ledger = await self.admission.ledger()
            refusal = ladder.disruption_refusal(repair, node, ledger)
            if not refusal and not rungs.is_under_way(repair):
                shut = await self._shut(repair, node, ledger, scene.around)
                refusal = shut.message if shut is not None else ""
            if refusal:
                raise SupersededError(refusal)

        return Tools(
            client=self.client,
            clock=self.clock,
            node=scene.view.node,
            provider=scene.around.provider,
            manners=scene.around.policy.drain,
            gpu_clients=scene.around.policy.gpu_clients,
            team=scene.around.policy.alerts.team,
            webhooks=scene.around.policy.webhooks,
            ask=self.ask,
            jobs=scene.around.policy.jobs_namespace,
            pacing=self.pacing,
            guard=guard,
            record=scene.record.note,
        )

    async def _shut(
        self, repair: NodeRepair, node: Node | None, ledger: RepairLedger, around: Around
    ) -> Refused | None:
        scopes, name = around.above(repair, node), repair.spec.target.node
        held = await self.neighbours.held(name, node) if ladder.has_slot(repair, ledger) else ""
        return self.admission.shut(repair, node, ledger, scopes, around.policy, held=held)

    async def _node(self, name: str) -> Node | None:
        try:
            return await self.client.get(NODES, name)
        except errors.GoneError:
            return None


def _admitted(repair: NodeRepair) -> str:
    recurs = repair.spec.recurs
    message = "got a disruption slot"
    return message if recurs is None else f"{message}; {recurrence.sentence(recurs)}"


def _span(again: timedelta) -> timedelta:
    """Never look again at once by accident: that would be a hot loop."""
    return max(again, timedelta(milliseconds=10))
