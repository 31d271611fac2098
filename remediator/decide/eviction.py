"""Which pods of a node a drain asks to leave, and why the others stay."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from nodehealth import keys
from nodehealth.kube.objects import OwnerReference, Pod, Toleration
from remediator.rules.policy import DrainManners

_NO_SCHEDULE = "NoSchedule"
_FINISHED = frozenset({"Succeeded", "Failed"})


class Stay(StrEnum):
    """Why a pod is not asked to leave."""

    DAEMON_SET = "its DaemonSet would bring it back at once"
    MIRROR = "it is static: its node's kubelet runs it from a file"
    FINISHED = "it has finished"
    TOLERATES = "it tolerates our taint and would come back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """The pods of a node by what the drain does with them."""

    leave: tuple[Pod, ...]
    """To be evicted now."""
    leaving: tuple[Pod, ...]
    """Already terminating; to be waited for."""
    unreplicated: tuple[Pod, ...]
    """No controller would bring them back; they need a person or a policy."""

    def empty(self) -> bool:
        """Say whether nothing is left to wait for."""
        return not (self.leave or self.leaving or self.unreplicated)

    def only_leaving(self) -> bool:
        """Say whether all that is left has been told to go already."""
        return bool(self.leaving) and not (self.leave or self.unreplicated)


def sort(pods: Iterable[Pod], manners: DrainManners) -> Sorted:
    """Sort the pods of a node, each group in a stable order."""
    leave, leaving, unreplicated = [], [], []
    for pod in sorted(pods, key=lambda each: (each.metadata.namespace, each.metadata.name)):
        if stays(pod) is not None:
            continue
        if pod.metadata.deletion_timestamp is not None:
            leaving.append(pod)
        elif controller(pod) is None and not manners.unreplicated:
            unreplicated.append(pod)
        else:
            leave.append(pod)
    return Sorted(leave=tuple(leave), leaving=tuple(leaving), unreplicated=tuple(unreplicated))


def stays(pod: Pod) -> Stay | None:
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
    return None


def controller(pod: Pod) -> OwnerReference | None:
    """Return the owner that would bring the pod back."""
    return next((each for each in pod.metadata.owner_references if each.controller), None)


def _tolerates_repair(toleration: Toleration) -> bool:
    """Say whether a toleration covers our taint, whatever the taint's value is."""
    if toleration.effect not in {"", _NO_SCHEDULE} or toleration.operator != "Exists":
        return False
    return toleration.key in {"", keys.REPAIR_TAINT}
