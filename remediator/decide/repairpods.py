"""A repair Pod as the API server has it: where it stands, how it ended, what its program said."""

from typing import Final

import msgspec

from nodehealth import keys
from nodehealth.kube.objects import Object, Resource, Struct
from nodehealth.outcome import Outcome

FINISHED: Final = frozenset({"Succeeded", "Failed"})
_LONGEST: Final = 512


class Terminated(Struct, frozen=True, kw_only=True):
    """How a container ended."""

    exit_code: int = 0
    reason: str = ""
    message: str = ""
    """Its last words."""


class Waiting(Struct, frozen=True, kw_only=True):
    """Why a container does not run yet."""

    reason: str = ""
    message: str = ""


class ContainerState(Struct, frozen=True, kw_only=True):
    """Where a container stands; one of them, if anything is known."""

    waiting: Waiting | None = None
    running: Struct | None = None
    terminated: Terminated | None = None


class ContainerStatus(Struct, frozen=True, kw_only=True):
    """What the kubelet says of a container."""

    state: ContainerState = ContainerState()


class RepairPodSpec(Struct, frozen=True, kw_only=True):
    """Where a repair Pod is."""

    node_name: str = ""


class RepairPodStatus(Struct, frozen=True, kw_only=True):
    """What became of it."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    container_statuses: tuple[ContainerStatus, ...] = ()


class RepairPod(Object, frozen=True, kw_only=True):
    """A Pod that runs one errand."""

    spec: RepairPodSpec = RepairPodSpec()
    status: RepairPodStatus = RepairPodStatus()


REPAIR_PODS: Final = Resource(
    group="", version="v1", plural="pods", kind="Pod", namespaced=True, type=RepairPod
)


def is_bound(pod: RepairPod) -> bool:
    """Say whether a Pod was given to a node."""
    return bool(pod.spec.node_name)


def is_finished(pod: RepairPod) -> bool:
    """Say whether a Pod runs no longer, and never will."""
    return pod.status.phase in FINISHED


def is_called_off(pod: RepairPod) -> bool:
    """Say whether a Pod was called off before it was given to a node: it never is any more."""
    return not is_bound(pod) and keys.CALLED_OFF_ANNOTATION in pod.metadata.annotations


def may_run(pod: RepairPod) -> bool:
    """Say whether a Pod runs or may be started yet: what is being deleted can't be bound."""
    leaves = pod.metadata.deletion_timestamp is not None
    return not is_finished(pod) and (is_bound(pod) or not leaves)


def heard(pod: RepairPod) -> Outcome | None:
    """Return the last words of the program, if it has ended and left any."""
    for each in pod.status.container_statuses:
        if each.state.terminated is not None:
            try:
                return msgspec.json.decode(each.state.terminated.message, type=Outcome)
            except msgspec.DecodeError:
                return None
    return None


def standing(pod: RepairPod) -> str:
    """Say where a Pod stands that has not ended."""
    for each in pod.status.container_statuses:
        waiting = each.state.waiting
        if waiting is not None:
            more = f": {waiting.message}" if waiting.message else ""
            return f"its Pod waits ({waiting.reason or 'no reason is given'}{more})"[:_LONGEST]
        return "its Pod runs"
    return "its Pod is not started yet"


def has_started(pod: RepairPod) -> bool:
    """Say whether its program runs, or ran."""
    return any(each.state.waiting is None for each in pod.status.container_statuses)


def why(pod: RepairPod) -> str:
    """Say how a Pod ended that left no words."""
    status = pod.status
    if status.reason or status.message:
        return f"its Pod failed ({status.reason}): {status.message}"[:_LONGEST]
    ends = (each.state.terminated for each in status.container_statuses)
    end = next((each for each in ends if each is not None), Terminated())
    return f"its program ended with {end.exit_code} ({end.reason}), without a word"[:_LONGEST]
