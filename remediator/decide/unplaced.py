"""Which pods wait for a node in place of those that we evicted: what our drains cost is not over.

A pod stands in another one's place if the same controller made it after we evicted one of its pods.
What waits for reasons of its own, as a new job for room, is not counted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from nodehealth.kube.objects import Pod
from nodehealth.repair import NodeRepair
from remediator.decide import eviction
from remediator.decide.trips import Crowd

FIELDS: Final = "spec.nodeName=,status.phase=Pending"
"""Selects what no scheduler has placed yet; the API server has an index of it."""
_WRITTEN: Final = timedelta(minutes=1)
"""How long it may take until it is written down that a pod was evicted."""
_Owner: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evictions:
    """What was evicted of one controller's pods."""

    since: datetime
    count: int


def evicted(
    repairs: Iterable[NodeRepair], within: timedelta, now: datetime
) -> Mapping[_Owner, Evictions]:
    """Count by controller the pods that were evicted lately; those of nobody never come back."""
    found = dict[_Owner, Evictions]()
    for repair in repairs:
        for pod in repair.status.evictions:
            if pod.owner and pod.at > now - within:
                owner = pod.namespace, pod.owner
                known = found.get(owner, Evictions(since=pod.at, count=0))
                since = min(known.since, pod.at)
                found[owner] = Evictions(since=since, count=known.count + 1)
    return found


def waiting(pods: Iterable[Pod], of: Mapping[_Owner, Evictions]) -> Crowd:
    """Count the pods that were evicted, and those that wait in their place and fit nowhere."""
    return Crowd(
        all=sum(each.count for each in of.values()),
        amiss=sum(_is_in_place(pod, of) for pod in pods if _fits_nowhere(pod)),
    )


def _fits_nowhere(pod: Pod) -> bool:
    return any(
        (each.type, each.status, each.reason) == ("PodScheduled", "False", "Unschedulable")
        for each in pod.status.conditions
    )


def _is_in_place(pod: Pod, of: Mapping[_Owner, Evictions]) -> bool:
    owner, made = eviction.controller(pod), pod.metadata.creation_timestamp
    if owner is None or made is None:
        return False
    evictions = of.get((pod.metadata.namespace, f"{owner.kind}/{owner.name}"))
    return evictions is not None and made > evictions.since - _WRITTEN
