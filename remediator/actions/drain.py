"""Drain: ask the node's pods to leave, by eviction, until none is left or the deadline comes."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final

from msgspec import structs

from nodehealth import quantities
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import BUDGETS, PODS, Pod
from nodehealth.repair import EVICTIONS_LENGTH, Evicted, NodeRepair, Phase
from remediator.actions import Action, Done, Failed, Going, Progress, Stranded, Tools
from remediator.decide import budgets, eviction, fencing
from remediator.decide.eviction import Sorted

_GUARDED_FOR: Final = timedelta(seconds=1)
"""How long the guard's word is good for; a process may stand still between two evictions."""


class _Outcome(StrEnum):
    ACCEPTED = "accepted"
    ABSENT = "absent"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    pod: Pod
    outcome: _Outcome
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain(Action):
    """Empties a node without breaking a disruption budget."""

    phase: ClassVar[Phase] = Phase.DRAINING
    mends: ClassVar[bool] = False

    deadline: timedelta = timedelta(minutes=30)
    """How long workloads may take to leave; after it the drain has failed."""

    @property
    def longest(self) -> timedelta:
        """Return the deadline."""
        return self.deadline

    async def run(self, repair: NodeRepair, since: datetime, tools: Tools) -> Progress:
        """Make one pass: list, evict what may go, and say what is left.

        Whom to ask is read from the server's cache: by UID, nobody is asked wrongly. What ends the
        drain, well or badly, is only ever concluded from a reading by quorum.
        """
        pods = await _pods_on(repair, tools, cached=True)
        if pods.empty() or self._ending(pods, repair, since, tools) is not None:
            pods = await _pods_on(repair, tools, cached=False)
        if pods.empty():
            return await self._empty(repair, since, tools)
        ending = self._ending(pods, repair, since, tools)
        if ending is not None:
            return ending
        # The guard comes after the list: pods of a node that was given back are never in it.
        await tools.guard()
        answers = await _evict(pods.leave, tools)
        message = _left(pods, answers)
        await _record(repair, answers, message, tools)
        return Going(message=message, again=tools.manners.again)

    def _ending(
        self, pods: Sorted, repair: NodeRepair, since: datetime, tools: Tools
    ) -> Stranded | Failed | None:
        late = tools.clock() >= since + self.deadline
        if pods.only_leaving() and fencing.is_stranded(
            pods.leaving, tools.node, tools.clock(), tools.manners, late=late
        ):
            left = _pods(len(pods.leaving))
            return Stranded(message=f"the kubelet is silent, so nothing ends what is left: {left}")
        if not late:
            return None
        waited = quantities.spoken(self.deadline)
        return Failed(message=f"after {waited}: {repair.status.message or _left(pods, ())}")

    async def _empty(self, repair: NodeRepair, since: datetime, tools: Tools) -> Progress:
        """Believe in an empty node when it was empty twice and nothing can still be on its way."""
        settled = since + tools.manners.settle
        if repair.status.empty_passes and tools.clock() >= settled:
            return Done(message=f"{_pods(len(repair.status.evictions))} left the node")
        await tools.record(structs.replace(repair.status, empty_passes=1))
        left = max(settled - tools.clock(), timedelta(seconds=1))
        return Going(message="no pod is left; looks once more", again=left)


async def _pods_on(repair: NodeRepair, tools: Tools, *, cached: bool) -> Sorted:
    where = f"spec.nodeName={repair.spec.target.node}"
    listing = await tools.client.listing(PODS, fields=where, cached=cached)
    return eviction.sort(listing.items, tools.manners)


async def _evict(pods: Sequence[Pod], tools: Tools) -> list[_Answer]:
    """Ask all pods that may be asked now; all are heard out before a failure is told."""
    lanes = asyncio.Semaphore(tools.manners.concurrency)
    guarded_at = tools.clock()

    async def one(pod: Pod) -> _Answer:
        nonlocal guarded_at
        held = tools.pacing.held(pod.metadata.uid)
        if held:
            return _Answer(pod=pod, outcome=_Outcome.BLOCKED, message=held)
        async with lanes:
            await tools.pacing.turn(tools.manners.rate)
            if tools.clock() - guarded_at > _GUARDED_FOR:
                await tools.guard()
                guarded_at = tools.clock()
            return await _evict_one(pod, tools)

    answers = await asyncio.gather(*(one(pod) for pod in pods), return_exceptions=True)
    for each in answers:
        if isinstance(each, BaseException):
            raise each
    return [each for each in answers if isinstance(each, _Answer)]


async def _evict_one(pod: Pod, tools: Tools) -> _Answer:
    meta = pod.metadata
    try:
        await tools.client.evict(meta.name, namespace=meta.namespace, uid=meta.uid)
    except (errors.GoneError, errors.ConflictError):
        return _Answer(pod=pod, outcome=_Outcome.ABSENT)
    except errors.BlockedError as blocked:
        return _refused(pod, blocked.budget or str(blocked), tools, blocked.retry_after)
    except errors.BudgetConflictError as conflict:
        return _refused(pod, await _contradiction(pod, conflict, tools.client), tools)
    except errors.KubeError as failed:
        return _refused(pod, str(failed), tools)
    tools.pacing.free(meta.uid)
    return _Answer(pod=pod, outcome=_Outcome.ACCEPTED)


def _refused(pod: Pod, why: str, tools: Tools, asked: timedelta | None = None) -> _Answer:
    tools.pacing.block(pod.metadata.uid, why, first=tools.manners.again, asked=asked)
    return _Answer(pod=pod, outcome=_Outcome.BLOCKED, message=why)


async def _contradiction(pod: Pod, conflict: errors.KubeError, client: Client) -> str:
    """Name the budgets that select one pod; the server only says that there are several."""
    try:
        listing = await client.listing(BUDGETS, namespace=pod.metadata.namespace)
    except errors.KubeError:
        return str(conflict)
    names = " and ".join(budgets.of(pod, listing.items))
    return f"more than one disruption budget selects it ({names}): their owner must leave one"


async def _record(
    repair: NodeRepair, answers: Sequence[_Answer], message: str, tools: Tools
) -> None:
    now = tools.clock()
    gone = tuple(_evicted(each.pod, now) for each in answers if each.outcome is _Outcome.ACCEPTED)
    evictions = (*repair.status.evictions, *gone)[:EVICTIONS_LENGTH]
    changed = structs.replace(
        repair.status, evictions=evictions, message=message[:1024], empty_passes=0
    )
    if changed != repair.status:
        await tools.record(changed)


def _evicted(pod: Pod, at: datetime) -> Evicted:
    owner = eviction.controller(pod)
    meta = pod.metadata
    return Evicted(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        at=at,
        owner=f"{owner.kind}/{owner.name}" if owner else "",
    )


def _left(pods: Sorted, answers: Sequence[_Answer]) -> str:
    """Say what the drain waits for."""
    blocked = [each for each in answers if each.outcome is _Outcome.BLOCKED]
    leaving = len(pods.leaving) + len(pods.leave) - len(blocked)
    parts = [f"{_pods(leaving)} leaving"] if leaving else []
    if blocked:
        first = blocked[0]
        held = f"{_pods(len(blocked))} may not leave"
        parts.append(f"{held}, {_name(first.pod)} because {first.message}")
    if pods.unreplicated:
        first_alone = _name(pods.unreplicated[0])
        alone = _pods(len(pods.unreplicated))
        parts.append(f"{alone} without a controller, such as {first_alone}")
    return "; ".join(parts)


def _pods(count: int) -> str:
    return "1 pod" if count == 1 else f"{count} pods"


def _name(pod: Pod) -> str:
    return f"{pod.metadata.namespace}/{pod.metadata.name}"
