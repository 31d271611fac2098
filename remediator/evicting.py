"""Asks pods to leave, by UID and by eviction only, and finds out who keeps them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import BUDGETS, Pod, PodDisruptionBudget
from nodehealth.repair import Obstacle
from remediator.decide import budgets, obstacles
from remediator.decide.turns import Turn
from remediator.pacing import FIRST, LONGEST, Pacing
from remediator.rules.policy import DrainManners

_GUARDED_FOR: Final = timedelta(seconds=1)
"""How long the guard's word is good for; a process may stand still between two evictions."""


_LASTING: Final = 2
"""After how many refusals what may pass by itself, as a pod that starts anew, counts as lasting."""


class Outcome(StrEnum):
    """What became of a request."""

    ACCEPTED = "accepted"
    ABSENT = "absent"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server said of one pod."""

    pod: Pod
    outcome: Outcome
    message: str = ""
    obstacle: Obstacle | None = None
    """What a person has to change before the pod may leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a pod may not leave."""

    text: str
    obstacle: Obstacle | None = None
    certain: bool = True
    """Whether the obstacle cannot pass by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    pod: Pod
    error: errors.KubeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The disruption budgets of namespaces, each read once and only when somebody asks."""

    client: Client
    known: dict[str, Sequence[PodDisruptionBudget]] = field(default_factory=dict)

    async def of(self, namespace: str) -> Sequence[PodDisruptionBudget]:
        """Read the budgets of a namespace; where that fails, none is known."""
        if namespace not in self.known:
            try:
                listing = await self.client.listing(BUDGETS, namespace=namespace)
            except errors.KubeError:
                return ()
            self.known[namespace] = listing.items
        return self.known[namespace]


@dataclass(slots=True, kw_only=True)
class Evictor:
    """Makes the requests of one pass over one node."""

    client: Client
    clock: Clock
    manners: DrainManners
    pacing: Pacing
    guard: Callable[[], Awaitable[None]]
    _lanes: asyncio.Semaphore = field(init=False)
    _guarded_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self._lanes = asyncio.Semaphore(self.manners.concurrency)
        self._guarded_at = self.clock()

    async def ask(self, turn: Turn) -> list[Answer]:
        """Ask whom it is the turn of; all are heard out before a failure is told."""
        found = await asyncio.gather(*map(self._one, turn.together), return_exceptions=True)
        heard = list[Answer | _Refusal]()
        for each in found:
            if isinstance(each, BaseException):
                raise each
            heard.append(each)
        for pod in turn.one_of:
            heard.append(await self._one(pod))
            if isinstance(heard[-1], Answer) and heard[-1].outcome is not Outcome.BLOCKED:
                break
        shelf = Shelf(client=self.client)
        return [
            each if isinstance(each, Answer) else await self._explained(each, shelf)
            for each in heard
        ]

    async def _one(self, pod: Pod) -> Answer | _Refusal:
        held = self.pacing.held(pod.metadata.uid)
        if held:
            return Answer(pod=pod, outcome=Outcome.BLOCKED, message=held)
        async with self._lanes:
            await self.pacing.turn(self.manners.rate)
            if self.clock() - self._guarded_at > _GUARDED_FOR:
                await self.guard()
                self._guarded_at = self.clock()
            return await self._evict(pod)

    async def _evict(self, pod: Pod) -> Answer | _Refusal:
        meta = pod.metadata
        try:
            await self.client.evict(meta.name, namespace=meta.namespace, uid=meta.uid)
        except (errors.GoneError, errors.ConflictError):
            return Answer(pod=pod, outcome=Outcome.ABSENT)
        except errors.KubeError as refused:
            return _Refusal(pod=pod, error=refused)
        self.pacing.free(meta.uid)
        return Answer(pod=pod, outcome=Outcome.ACCEPTED)

    async def _explained(self, refusal: _Refusal, shelf: Shelf) -> Answer:
        pod, error = refusal.pod, refusal.error
        reason, uid = await explain(pod, error, shelf, self.clock), pod.metadata.uid
        lasts = reason.certain or self.pacing.refusals(uid) >= _LASTING
        obstacle = reason.obstacle if lasts else None
        asked = error.retry_after if isinstance(error, errors.BlockedError) else None
        first = FIRST if obstacle is None else LONGEST
        self.pacing.block(uid, reason.text, first=first, asked=asked)
        return Answer(pod=pod, outcome=Outcome.BLOCKED, message=reason.text, obstacle=obstacle)


async def explain(pod: Pod, error: errors.KubeError, shelf: Shelf, clock: Clock) -> Reason:
    """Say why a pod may not leave, and what a person has to change, if one has to.

    Args:
        pod: Who was asked.
        error: What the server answered.
        shelf: Where the budgets are looked up that the server does not name, or does not explain.
        clock: The present time.
    """
    budget = error.budget if isinstance(error, errors.BlockedError) else ""
    if budget or _is_budget_at_fault(error):
        found = budgets.diagnose(pod, await shelf.of(pod.metadata.namespace))
        if found is not None:
            obstacle = obstacles.of_budgets(pod, found, clock())
            return Reason(text=found.said(), obstacle=obstacle, certain=found.certain)
    text = budget or str(error)
    return Reason(text=text, obstacle=obstacles.of_refusal(pod, text, clock()))


def _is_budget_at_fault(error: errors.KubeError) -> bool:
    """Tell budgets that contradict each other, or are counted wrongly, from other refusals."""
    if isinstance(error, errors.ForbiddenError):
        return "poddisruptionbudget" in str(error)
    return isinstance(error, errors.BudgetConflictError)
