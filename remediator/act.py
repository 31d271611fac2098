"""Carries a repair on, one move at a time, each decided from fresh facts and written down."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from nodehealth.repair import NODE_REPAIRS, NodeRepair
from remediator import climbing, inquiring, permits, settling
from remediator.actions import SupersededError
from remediator.again import AT_ONCE, Again, span
from remediator.decide import ladder, rungs
from remediator.decide.moves import (
    Burn,
    Climb,
    Cordon,
    Disrupt,
    Greet,
    Inquire,
    Move,
    Prove,
    Rest,
    View,
)
from remediator.means import Means
from remediator.record import Record
from remediator.scene import Around, Scene
from remediator.trail import SILENT, Trail

logger = logging.getLogger(__name__)

_SUPERSEDED_AGAIN: Final = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Does what `decide` says, and nothing else.

    Fields:
        means: What every move works with.
        around: Looks up what a repair has to know of the rest of the fleet.
        entered: Is told of every repair whose phase or reason changed.
        trail: Where each decision is written down as well.
    """

    means: Means
    around: Callable[[NodeRepair], Around]
    entered: Callable[[NodeRepair], None]
    trail: Trail = SILENT

    async def advance(self, name: str, written: NodeRepair | None = None) -> datetime | None:
        """Carry a repair on as far as it goes now, and say when to look again.

        Args:
            name: The repair.
            written: The repair as the API server just said that we wrote it, if we did: what we
                wrote a moment ago need not be read again: every step checks that it still holds.

        Raises:
            nodehealth.kube.errors.KubeError: the API server failed us; try again later.
        """
        again: Again = AT_ONCE
        while again == AT_ONCE:
            try:
                again, written = await self._move(name, written)
            except SupersededError as superseded:
                logger.info("repair %s: looks again, for %s", name, superseded)
                again = _SUPERSEDED_AGAIN
        return None if again is None else self.means.clock() + again

    async def _move(self, name: str, written: NodeRepair | None) -> tuple[Again, NodeRepair | None]:
        """Do one thing, and return the repair too if that wrote it."""
        means = self.means
        repair = written or await means.client.get(NODE_REPAIRS, name)
        record = Record(
            repair, client=means.client, clock=means.clock, entered=self.entered, trail=self.trail
        )
        around = self.around(repair)
        scene = Scene(view=await self._view(repair, around), around=around, record=record)
        again = await self._carry_out(ladder.next_move(scene.view), scene)
        return again, record.repair if record.repair is not repair else None

    async def _view(self, repair: NodeRepair, around: Around) -> View:
        means = self.means
        node = await means.node(repair.spec.target.node)
        ledger = await means.admission.ledger()
        return View(
            repair=repair,
            node=node,
            ledger=ledger,
            well=around.wellness(node),
            now=means.clock(),
            allowed=around.allowed,
            ruled=around.ruled,
            eclipsed_by=around.eclipsed_by,
            shut=await means.shut(repair, node, ledger, around),
            others=around.others(node),
            joining=around.joining(node),
            held=await means.keeper(node),
            lingering=await means.lingering(repair, ledger, around),
        )

    async def _carry_out(self, move: Move, scene: Scene) -> Again:
        means = self.means
        carried: Awaitable[Again]
        match move:
            case Rest():
                carried = self._rest(move, scene)
            case Cordon():
                carried = permits.cordon(scene, means)
            case Disrupt():
                carried = permits.disrupt(scene, means)
            case Climb():
                carried = climbing.climb(scene, means)
            case Prove() | Burn():
                carried = climbing.prove(move, scene, means)
            case Greet():
                carried = inquiring.greet(scene, means)
            case Inquire():
                carried = inquiring.inquire(scene, means)
            case _:
                carried = settling.settle(move, scene, means)
        return await carried

    async def _rest(self, move: Rest, scene: Scene) -> Again:
        record, now = scene.record, self.means.clock()
        left = self.means.saying.left(record.repair, move, now)
        if left > timedelta():
            return span(left)
        status = record.repair.status
        base = rungs.held_up(status, now) if move.held else status
        await record.enter(move.phase, move.reason, move.message, base=base)
        return None if move.until is None else span(move.until - self.means.clock())
