"""One rung of a ladder a file; an action is found by its module's name.

An action is one frozen dataclass: its fields are the settings that a rule's ladder may give, its
parameters are what it works with. `run` is called again and again until it is done or has failed,
after a crash too, so doing it twice must be as good as doing it once.
"""

import abc
import dataclasses
import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Final, TypeAlias

from msgspec import structs

from nodehealth.kit.clocks import Clock
from nodehealth.kube.client import Client
from nodehealth.kube.objects import Node, Pod
from nodehealth.repair import BurnIn, Intent, NodeRepair, NodeRepairStatus, Phase
from remediator.asking import Service, Way
from remediator.decide import boots, fencing, joined, rungs, verifying
from remediator.decide.envoys import GiveUp, Outcome, Succeed, Wait
from remediator.decide.errands import Errand
from remediator.decide.jobs import Task
from remediator.decide.rungs import FENCING_ROUNDS
from remediator.errands import Sender
from remediator.pacing import Pacing
from remediator.providers import Provider
from remediator.rules.policy import JOBS_NAMESPACE, DrainManners, GpuClients, Hook

_ERRAND_AGAIN: Final = timedelta(seconds=3)
_ERRAND_LONG: Final = timedelta(minutes=1)
_ERRAND_AGAIN_LATER: Final = timedelta(seconds=10)
"""How often to look at an errand once it has taken long: a machine that boots takes minutes."""
_CLAIM_GOOD_FOR: Final = timedelta(seconds=20)
"""How old a claim may be when the order goes out; somebody else may claim the next attempt."""


class SupersededError(Exception):
    """Somebody else moved on: what we were about to do is not ours to do any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The rung did its work."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """The rung is under way; run it again after a while."""

    message: str
    again: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The rung can't do its work; the ladder goes on above it."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranded:
    """The rung can never do its work, because nothing answers on the node any more."""

    message: str


Progress: TypeAlias = Done | Going | Failed | Stranded


Find: TypeAlias = Callable[[str, Mapping[str, object]], "Action"]
"""Finds a remedy by its name and settings."""


async def _unlimited(_: Sequence[Pod]) -> str:
    """Let any pod be taken."""
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What an action works with."""

    client: Client
    clock: Clock
    node: Node | None
    """The Node as it was read for this run."""
    provider: Provider | None
    manners: DrainManners
    pacing: Pacing
    guard: Callable[[], Awaitable[None]]
    """Checks that this repair may disrupt its node at this moment; awaited right before a deed.

    What has been claimed since the repair was read is not under way: it has to be allowed."""
    record: Callable[[NodeRepairStatus], Awaitable[NodeRepair]]
    """Writes the repair's status, and returns the repair as written; fails if somebody else did."""
    claim: Callable[[Sequence[Pod]], Awaitable[str]] = _unlimited
    """Has the slot name the gangs of pods that are about to be taken; says why they may not be."""
    gpu_clients: GpuClients = field(default_factory=GpuClients)
    team: str = ""
    """The label that names whose a pod is."""
    webhooks: Mapping[str, Hook] = field(default_factory=dict)
    """Web services of the operator's own, by name."""
    ask: Way = Service.ask
    """How they are asked."""
    jobs: str = JOBS_NAMESPACE
    """The namespace of the operator's own Jobs, and of their templates."""
    permit: Callable[[], Awaitable[None]] | None = None
    """Checks the same for what may have been claimed long ago and was never let go."""

    def unsent(self) -> "Tools":
        """Return tools whose guard lets nothing be begun that was only claimed."""
        return dataclasses.replace(self, guard=self.permit or self.guard)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action(abc.ABC):
    """One remedy."""

    phase: ClassVar[Phase] = Phase.REPAIRING
    mends: ClassVar[bool] = True
    """Whether the node may be well afterwards; an action that only prepares says no."""

    @property
    @abc.abstractmethod
    def longest(self) -> timedelta:
        """After how long it has failed if it is not done."""

    @abc.abstractmethod
    async def run(self, repair: NodeRepair, since: datetime, tools: Tools) -> Progress:
        """Do what can be done now.

        Raises:
            nodehealth.kube.errors.KubeError: the API server failed us; it is run again later.
            SupersededError: the guard found that it is not ours to do.
        """

    def beside(self, _: "Action") -> "Action":
        """Return what does the same for another fault of the node as well, which asks for it too.

        Most remedies are carried out as who came first wants it.
        """
        return self

    def task(self) -> Task | None:
        """Return the Job that it runs on the node, if it runs one."""
        return None


def of(repair: NodeRepair, rung: int, find: Find) -> Action:
    """Return the remedy of a rung, as all faults of a repair that ask for it want it.

    Args:
        repair: Whose rung it is; what is done is told by its record alone.
        rung: Which one.
        find: Finds a remedy by its name and settings.
    """
    asked = [find(each.action, each.settings) for each in joined.alike(repair, rung)]
    return functools.reduce(lambda one, other: one.beside(other), asked)


async def claim(
    repair: NodeRepair, action: str, tools: Tools, *, pod: str = "", boot_id: str = ""
) -> str:
    """Claim an order to the machine's owner, and return its key; the order follows at once.

    The claim is written down first: of two replicas only one gets so far. A claim that grew old
    before its order went out is void, because somebody else may have claimed the next attempt. An
    order that may not be given after all is no attempt: its claim is taken back. That of a program
    is left to who sends it, for another replica may let it go.

    Args:
        repair: Who claims.
        action: What is ordered.
        tools: What it is claimed with.
        pod: The UID of the repair Pod that may do it, if a Pod does.
        boot_id: The boot for which that was made.

    Raises:
        nodehealth.kube.errors.ConflictError: somebody else wrote meanwhile.
        SupersededError: the order is not ours to give.
    """
    try:
        return await _claimed(repair, action, tools, pod=pod, boot_id=boot_id)
    except SupersededError:
        if not pod:
            await unclaim(repair, tools)
        raise


async def _claimed(repair: NodeRepair, action: str, tools: Tools, *, pod: str, boot_id: str) -> str:
    intent = structs.replace(_intent(repair, action, tools.clock()), pod=pod, boot_id=boot_id)
    ended = boots.ended(repair, intent, tools.node)
    await tools.record(structs.replace(repair.status, intent=intent, boots_ended=ended))
    await tools.guard()
    if tools.clock() > intent.issued_at + _CLAIM_GOOD_FOR:
        raise SupersededError("we stood still since the order was claimed; it is given anew")
    return intent.key


async def unclaim(repair: NodeRepair, tools: Tools) -> None:
    """Take back a claim whose order was not taken, so that nobody waits for what never comes.

    Only the first claim is taken back: whether an earlier order came through, nobody knows.

    Args:
        repair: The repair as it was before the claim.
        tools: What the order was claimed with.
    """
    if repair.status.intent is None:
        await tools.record(repair.status)


async def forget(repair: NodeRepair, tools: Tools) -> None:
    """Let go of the claim of what has ended: nobody has to wait for it any more."""
    await tools.record(structs.replace(repair.status, intent=None))


async def send(
    errand: Errand, repair: NodeRepair, since: datetime, patience: timedelta, tools: Tools
) -> Progress:
    """Send a program to the repair's node, or see how far it is.

    Raises:
        nodehealth.kube.errors.KubeError: the API server failed us; it is done again later.
        SupersededError: it is not ours to send.
    """

    async def withdraw() -> None:
        await tools.record(structs.replace(repair.status, intent=None))

    sender = Sender(
        client=tools.client,
        clock=tools.clock,
        repair=repair,
        node=tools.node,
        claim=claiming(repair, errand.program, tools.unsent()),
        start=guarding(tools.unsent()),
        errand=errand,
        withdraw=withdraw,
    )
    try:
        outcome = await sender.advance(since, patience)
    except SupersededError:
        await sender.take_back()
        raise
    is_young = tools.clock() < since + _ERRAND_LONG
    return progress(outcome, again=_ERRAND_AGAIN if is_young else _ERRAND_AGAIN_LATER)


def guarding(tools: Tools) -> Callable[[str], Awaitable[None]]:
    """Return what asks the guard before an envoy is let go, whichever it is."""

    async def guarded(_: str) -> None:
        await tools.guard()

    return guarded


def claiming(repair: NodeRepair, action: str, tools: Tools) -> Callable[[str], Awaitable[None]]:
    """Return what claims an envoy by its UID, for the boot that its node is in."""

    async def claimed(uid: str) -> None:
        boot = tools.node.status.node_info.boot_id if tools.node is not None else ""
        await claim(repair, action, tools, pod=uid, boot_id=boot)

    return claimed


def progress(outcome: Outcome, *, again: timedelta) -> Progress:
    """Return what a rung makes of where its deed stands."""
    match outcome:
        case Wait():
            return Going(message=outcome.message, again=again)
        case Succeed():
            return Done(message=outcome.message)
        case GiveUp():
            return Failed(message=outcome.message)


def _intent(repair: NodeRepair, action: str, now: datetime) -> Intent:
    before = repair.status.intent
    attempt = before.attempt + 1 if before is not None else 1
    key = rungs.key(repair, action, str(attempt))
    return Intent(action=action, key=key, issued_at=now, attempt=attempt)


def longest(
    ladder: Sequence[Action], verify: timedelta, burn_ins: Sequence[BurnIn] = ()
) -> timedelta:
    """Return after how long a ladder has mended a node or called a person, once it had its slot.

    Args:
        ladder: The remedies in the order in which they are tried.
        verify: How long a mended node must be well.
        burn_ins: What it has to pass besides.
    """
    proof = verifying.longest(verify, burn_ins)
    proofs = sum(each.mends or each is ladder[-1] for each in ladder)
    prepared = [each.longest for each in ladder[:-1] if not each.mends]
    given_up = max((_given_up(each) for each in prepared), default=timedelta())
    fenced = sum((_fenced(each) for each in prepared), timedelta())
    climbed = sum((each.longest for each in ladder), proofs * proof)
    return max(climbed + fenced, given_up)


def _fenced(drain: timedelta) -> timedelta:
    """Return how much longer a drain takes whose kubelet falls silent, comes back, and dies."""
    proofs = FENCING_ROUNDS * fencing.PROOF_PATIENCE
    return (FENCING_ROUNDS - 1) * drain + proofs + fencing.CLEAR_PATIENCE


def _given_up(drain: timedelta) -> timedelta:
    """Return how long a drain takes whose kubelet comes and goes until a person is called."""
    return (FENCING_ROUNDS + 1) * drain + FENCING_ROUNDS * fencing.PROOF_PATIENCE
