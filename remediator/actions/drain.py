"""Drain: ask the node's pods to leave, by eviction, until none is left or the deadline comes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final

from msgspec import structs

from nodehealth import quantities
from nodehealth.kube.objects import PODS, Pod
from nodehealth.repair import EVICTIONS_LENGTH, Evicted, NodeRepair, Phase
from remediator.actions import Action, Done, Failed, Going, Progress, Stranded, Tools
from remediator.decide import eviction, fencing, gangs, obstacles, turns
from remediator.decide.eviction import Patience, Sorted, Stay
from remediator.decide.obstacles import name
from remediator.decide.turns import Turn
from remediator.evicting import Answer, Evictor, Outcome

_SOON: Final = timedelta(seconds=1)


class OnDeadline(StrEnum):
    """What becomes of pods that were given time to finish and did not."""

    HOLD = "hold"
    EVICT = "evict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain(Action):
    """Empties a node without breaking a disruption budget."""

    phase: ClassVar[Phase] = Phase.DRAINING
    mends: ClassVar[bool] = False

    deadline: timedelta = timedelta(minutes=30)
    """How long workloads may take to leave; after it the drain has failed."""
    wait_completed: timedelta = timedelta()
    """How long pods that run to completion, or whose owners ask for it, may take to finish."""
    on_deadline: OnDeadline = OnDeadline.HOLD
    """What becomes of them when that is over: a person decides, or they are evicted."""

    def __post_init__(self) -> None:
        if self.wait_completed > self.deadline:
            raise ValueError("waitCompleted is longer than deadline")
        if self.on_deadline is OnDeadline.EVICT and not (
            timedelta() < self.wait_completed < self.deadline
        ):
            raise ValueError("onDeadline: evict needs a waitCompleted that is over before deadline")

    @property
    def longest(self) -> timedelta:
        """Return the deadline, and for how long a kubelet may hold it up."""
        return self.deadline + fencing.RETURN_PATIENCE

    def beside(self, other: Action) -> Action:
        """Return a drain that is as patient as the more patient one of two."""
        if not isinstance(other, Drain):
            return self
        agreed = self.on_deadline is other.on_deadline
        return Drain(
            deadline=max(self.deadline, other.deadline),
            wait_completed=max(self.wait_completed, other.wait_completed),
            on_deadline=self.on_deadline if agreed else OnDeadline.HOLD,
        )

    async def run(self, repair: NodeRepair, since: datetime, tools: Tools) -> Progress:
        """Make one pass: list, evict what may go, and say what is left.

        Whom to ask is read from the server's cache: by UID, nobody is asked wrongly. What ends the
        drain, well or badly, is only ever concluded from a reading by quorum.
        """
        pods = await self._pods_on(repair, since, tools, cached=True)
        if not pods.left() or self._ending(pods, repair, since, tools) is not None:
            pods = await self._pods_on(repair, since, tools, cached=False)
        if not pods.left():
            return await self._empty(pods, repair, since, tools)
        ending = self._ending(pods, repair, since, tools)
        if ending is not None:
            return ending
        turn = turns.take(pods, tools.node, repair.status.evictions, tools.manners, tools.clock())
        held = await tools.claim((*turn.together, *turn.one_of))
        # The guard comes after the list: pods of a node that was given back are never in it.
        await tools.guard()
        answers = await _evictor(tools).ask(Turn() if held else turn)
        message = held or _left(pods, answers, tools.clock())
        await _record(repair, pods, answers, message, tools)
        return Going(message=message, again=_again(answers, tools))

    async def _pods_on(
        self, repair: NodeRepair, since: datetime, tools: Tools, *, cached: bool
    ) -> Sorted:
        where = f"spec.nodeName={repair.spec.target.node}"
        listing = await tools.client.listing(PODS, fields=where, cached=cached)
        now = tools.clock()
        return eviction.sort(listing.items, tools.manners, self._patience(since, now, tools), now)

    def _patience(self, since: datetime, now: datetime, tools: Tools) -> Patience:
        """Say how long pods may take to finish; where the kubelet is gone, none is seen to."""
        if fencing.is_given_up(tools.node, now, tools.manners):
            return Patience(until=now, evicts=True)
        until = since + self.wait_completed if self.wait_completed else None
        return Patience(until=until, evicts=self.on_deadline is OnDeadline.EVICT)

    def _ending(
        self, pods: Sorted, repair: NodeRepair, since: datetime, tools: Tools
    ) -> Stranded | Failed | None:
        over = since + self.deadline
        late = tools.clock() >= over
        leaving = [each.pod for each in pods.leaving]
        going = pods.only_leaving() or (late and _is_moot(pods, repair))
        if going and fencing.is_stranded(
            leaving, tools.node, tools.clock(), tools.manners, late=late
        ):
            left = _pods(len(pods.left()))
            return Stranded(message=f"the kubelet is silent, so nothing ends what is left: {left}")
        if not late or (
            pods.only_leaving()
            and fencing.may_yet_end(tools.node, over, tools.clock(), tools.manners)
        ):
            return None
        waited = quantities.spoken(self.deadline)
        return Failed(
            message=f"after {waited}: {repair.status.message or _left(pods, (), tools.clock())}"
        )

    async def _empty(
        self, pods: Sorted, repair: NodeRepair, since: datetime, tools: Tools
    ) -> Progress:
        """Believe in an empty node when it was empty twice and nothing can still be on its way."""
        settled = since + tools.manners.settle
        if repair.status.empty_passes and tools.clock() >= settled:
            kept = "; ".join(_kept(each.pod) for each in pods.stay if each.why is Stay.KEPT)
            gone = f"{_pods(len(repair.status.evictions))} left the node"
            return Done(message=f"{gone}; {kept}" if kept else gone)
        await tools.record(structs.replace(repair.status, empty_passes=1))
        left = max(settled - tools.clock(), _SOON)
        return Going(message="no pod is left; looks once more", again=left)


def _is_moot(pods: Sorted, repair: NodeRepair) -> bool:
    """Say whether budgets alone keep what is left, none of which counts for them as healthy."""
    return pods.only_dead() and not any(map(obstacles.is_webhook, repair.status.obstacles))


def _evictor(tools: Tools) -> Evictor:
    return Evictor(
        client=tools.client,
        clock=tools.clock,
        manners=tools.manners,
        pacing=tools.pacing,
        guard=tools.guard,
    )


def _again(answers: Sequence[Answer], tools: Tools) -> timedelta:
    """Look again as soon as somebody who was refused may be asked anew."""
    blocked = [each for each in answers if each.outcome is Outcome.BLOCKED]
    pauses = [tools.pacing.left(each.pod.metadata.uid) for each in blocked]
    return min(tools.manners.again, max(_SOON, min(pauses, default=tools.manners.again)))


async def _record(
    repair: NodeRepair, pods: Sorted, answers: Sequence[Answer], message: str, tools: Tools
) -> None:
    now, status = tools.clock(), repair.status
    gone = [each.pod for each in answers if each.outcome is Outcome.ACCEPTED]
    # what a replica that crashed had evicted before it could write that down
    gone += [each.pod for each in pods.leaving if eviction.is_evicted(each.pod)]
    known = {each.uid for each in status.evictions}
    asked = [_evicted(each, now, tools.team) for each in gone if each.metadata.uid not in known]
    found = [each.obstacle for each in answers if each.obstacle is not None]
    found += [obstacles.of_held(each, now) for each in pods.held]
    changed = structs.replace(
        status,
        evictions=(*status.evictions, *asked)[:EVICTIONS_LENGTH],
        obstacles=obstacles.with_those(status.obstacles, found),
        message=message[:1024],
        empty_passes=0,
    )
    if changed != status:
        await tools.record(changed)


def _evicted(pod: Pod, at: datetime, team: str) -> Evicted:
    owner, meta = eviction.controller(pod), pod.metadata
    grace = timedelta(seconds=pod.spec.termination_grace_period_seconds)
    return Evicted(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        at=at,
        owner=f"{owner.kind}/{owner.name}" if owner else "",
        gang=gangs.of(pod),
        team=gangs.team(pod, team),
        gone_by=meta.deletion_timestamp or at + grace,
        claims=len(turns.claims(pod)),
    )


def _left(pods: Sorted, answers: Sequence[Answer], now: datetime) -> str:
    """Say what the drain waits for."""
    blocked = [each for each in answers if each.outcome is Outcome.BLOCKED]
    accepted = len(answers) - len(blocked)
    leaving, later = len(pods.leaving) + accepted, len(pods.evict) - len(answers)
    parts = [f"{_pods(leaving)} leaving"] if leaving else []
    parts += [_overdue(each.pod) for each in pods.leaving if _is_late(each.pod, now)][:1]
    if later:
        parts.append(f"{_pods(later)} to follow")
    if blocked:
        first = blocked[0]
        held = f"{_pods(len(blocked))} may not leave"
        parts.append(f"{held}, {name(first.pod)} because {first.message}")
    if pods.held:
        alone = pods.held[0]
        parts.append(f"{_pods(len(pods.held))} held, {name(alone.pod)} because {alone.why}")
    if pods.waiting:
        one, until = pods.waiting[0], pods.waiting[0].until
        bound = f" until {until:%H:%M}" if until is not None else ""
        parts.append(f"{_pods(len(pods.waiting))} left to finish{bound}, such as {name(one.pod)}")
    return "; ".join(parts)


def _pods(count: int) -> str:
    return "1 pod" if count == 1 else f"{count} pods"


def _is_late(pod: Pod, now: datetime) -> bool:
    ends = pod.metadata.deletion_timestamp
    return bool(pod.metadata.finalizers) and ends is not None and now >= ends


def _overdue(pod: Pod) -> str:
    finalizers = ", ".join(pod.metadata.finalizers)
    return f"{name(pod)} is late: not all of it ended, and finalizers keep it ({finalizers})"


def _kept(pod: Pod) -> str:
    return f"only {', '.join(pod.metadata.finalizers)} keeps the record of {name(pod)}"
