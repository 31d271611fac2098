"""Which pods of a node a drain asks to leave, and why the others stay."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from nodehealth import keys
from nodehealth.kube.objects import OwnerReference, Pod, Toleration
from remediator.decide import budgets, wishes
from remediator.decide.wishes import Wish
from remediator.rules.policy import DrainManners

_NO_SCHEDULE: Final = "NoSchedule"
_FINISHED: Final = frozenset({"Succeeded", "Failed"})
_COMPLETING: Final = frozenset({"Never", "OnFailure"})
_EXPENDABLE: Final = ("spark-role", "executor")
"""Executors of Spark run until their driver ends, and each of them is replaced when it is lost."""
ALONE: Final = "no controller would bring it back"


class Kind(StrEnum):
    """What a drain does with a pod."""

    STAY = "stay"
    LEAVING = "leaving"
    """It is terminating already; to be waited for."""
    WAIT = "wait"
    """It is left to finish by itself."""
    HELD = "held"
    """It is not evicted before a person, a mark or the policy says so."""
    EVICT = "evict"


class Stay(StrEnum):
    """Why a pod is not asked to leave."""

    DAEMON_SET = "its DaemonSet would bring it back at once"
    MIRROR = "it is static: its node's kubelet runs it from a file"
    FINISHED = "it has finished"
    TOLERATES = "it tolerates our taint and would come back"
    SKIPPED = "its owner says that it need not leave"
    KEPT = "it has ended, and only a finalizer keeps its record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a drain lets pods finish by themselves, and what becomes of them then."""

    until: datetime | None = None
    """Until when; where nothing is said, pods that run to completion are evicted like others, and
    those whose owners ask for it have all the time there is."""
    evicts: bool = False
    """Whether they are evicted then; else a person has to decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a drain does with a pod, and why."""

    pod: Pod
    kind: Kind
    why: str = ""
    """Part of a sentence about the pod; nothing where it goes like any other."""
    until: datetime | None = None
    """Until when it is left to finish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """The pods of a node that a drain has to do with, each group in a stable order."""

    evict: tuple[Verdict, ...] = ()
    leaving: tuple[Verdict, ...] = ()
    waiting: tuple[Verdict, ...] = ()
    held: tuple[Verdict, ...] = ()
    stay: tuple[Verdict, ...] = ()
    """Those that it has nothing to do with."""

    def left(self) -> tuple[Verdict, ...]:
        """Return all that are still to go."""
        return (*self.evict, *self.leaving, *self.waiting, *self.held)

    def only_leaving(self) -> bool:
        """Say whether all that is left has been told to go already."""
        return bool(self.leaving) and len(self.left()) == len(self.leaving)

    def only_dead(self) -> bool:
        """Say whether nothing that is left counts as healthy, waits for its end or for a person."""
        evict = (each.pod for each in self.evict)
        return not (self.waiting or self.held) and not any(map(budgets.is_ready, evict))


def sort(pods: Iterable[Pod], manners: DrainManners, patience: Patience, now: datetime) -> Sorted:
    """Sort the pods of a node."""
    groups: dict[Kind, list[Verdict]] = {kind: [] for kind in Kind}
    for pod in sorted(pods, key=lambda each: (each.metadata.namespace, each.metadata.name)):
        verdict = judge(pod, manners, patience, now)
        groups[verdict.kind].append(verdict)
    return Sorted(
        evict=tuple(groups[Kind.EVICT]),
        leaving=tuple(groups[Kind.LEAVING]),
        waiting=tuple(groups[Kind.WAIT]),
        held=tuple(groups[Kind.HELD]),
        stay=tuple(groups[Kind.STAY]),
    )


def judge(pod: Pod, manners: DrainManners, patience: Patience, now: datetime) -> Verdict:
    """Say what a drain does with a pod."""
    stay = stays(pod, now)
    if stay is not None:
        return Verdict(pod=pod, kind=Kind.STAY, why=stay)
    if pod.metadata.deletion_timestamp is not None:
        return Verdict(pod=pod, kind=Kind.LEAVING)
    wished = wishes.of(pod)
    wish = wished.wish if wished is not None else None
    if wished is not None and wish is Wish.BLOCK:
        return Verdict(pod=pod, kind=Kind.HELD, why=wished.why)
    if wish is not Wish.EVICT:
        waits = _wait(pod, wished.why if wished is not None else "", patience, now)
        if waits is not None:
            return waits
        if controller(pod) is None and not manners.unreplicated:
            return Verdict(pod=pod, kind=Kind.HELD, why=ALONE)
    return Verdict(pod=pod, kind=Kind.EVICT)


def _wait(pod: Pod, marked: str, patience: Patience, now: datetime) -> Verdict | None:
    """Say whether a pod is left to finish, or was and has not."""
    until = patience.until
    if not marked and (until is None or not _completes(pod)):
        return None
    why = marked or "it runs to completion"
    if until is None or now < until:
        return Verdict(pod=pod, kind=Kind.WAIT, why=why, until=until)
    if patience.evicts:
        return None
    return Verdict(pod=pod, kind=Kind.HELD, why=f"{why} and did not finish in time")


def stays(pod: Pod, now: datetime) -> Stay | None:
    """Say why a pod is not asked to leave, or nothing if it is."""
    owner = controller(pod)
    if owner is not None and owner.kind == "DaemonSet":
        return Stay.DAEMON_SET
    if keys.MIRROR_POD_ANNOTATION in pod.metadata.annotations:
        return Stay.MIRROR
    if pod.status.phase in _FINISHED:
        return Stay.FINISHED
    if any(_tolerates_repair(each) for each in pod.spec.tolerations):
        return Stay.TOLERATES
    if _is_kept(pod, now):
        return Stay.KEPT
    wished = wishes.of(pod)
    return Stay.SKIPPED if wished is not None and wished.wish is Wish.SKIP else None


def controller(pod: Pod) -> OwnerReference | None:
    """Return the owner that would bring the pod back."""
    return next((each for each in pod.metadata.owner_references if each.controller), None)


def is_evicted(pod: Pod) -> bool:
    """Say whether a pod that leaves was asked to by an eviction, as the API server notes."""
    noted = (each for each in pod.status.conditions if each.type == "DisruptionTarget")
    return any(each.reason == "EvictionByEvictionAPI" for each in noted)


def workload(pod: Pod) -> str:
    """Name what people call the pod's owner, as `Kind/name`; a pod of nobody's has none.

    A ReplicaSet of a Deployment is named after it and the hash that its pods carry.
    """
    owner = controller(pod)
    if owner is None:
        return ""
    suffix = f"-{pod.metadata.labels.get('pod-template-hash', '')}"
    if owner.kind == "ReplicaSet" and len(suffix) > 1 and owner.name.endswith(suffix):
        return f"Deployment/{owner.name.removesuffix(suffix)}"
    return f"{owner.kind}/{owner.name}"


def _completes(pod: Pod) -> bool:
    """Say whether a pod ends by itself, and its work would be lost with it."""
    key, value = _EXPENDABLE
    return pod.spec.restart_policy in _COMPLETING and pod.metadata.labels.get(key) != value


def _is_kept(pod: Pod, now: datetime) -> bool:
    """Say whether nothing of a pod runs any more, and finalizers keep its record all the same."""
    ended = pod.metadata.deletion_timestamp
    if ended is None or now < ended or not pod.metadata.finalizers:
        return False
    containers = pod.status.container_statuses
    return bool(containers) and all(each.state.terminated is not None for each in containers)


def _tolerates_repair(toleration: Toleration) -> bool:
    """Say whether a toleration covers our taint, whatever the taint's value is."""
    if toleration.effect not in {"", _NO_SCHEDULE} or toleration.operator != "Exists":
        return False
    return toleration.key in {"", keys.REPAIR_TAINT}
