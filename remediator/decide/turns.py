"""Whose turn it is to leave a node: low priorities first, and pods with volumes one by one.

Many volumes that come off a machine at the same time are more than storage systems bear, and
what the other pods need to leave in peace, as a network or a log shipper, leaves last.
"""

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from nodehealth.kube.objects import Node, Pod
from nodehealth.repair import Evicted
from remediator.decide import fencing
from remediator.decide.eviction import Kind, Sorted, Stay, Verdict
from remediator.rules.policy import DrainManners

_EMPTY_HANDED: Final = frozenset({Stay.FINISHED, Stay.KEPT})
"""Pods that stay and hold no volume any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Who is asked now."""

    together: tuple[Pod, ...] = ()
    one_of: tuple[Pod, ...] = ()
    """Pods with volumes: the first that may leave goes, and the others wait for it."""
    later: tuple[Pod, ...] = ()


def tier(pod: Pod, tiers: Sequence[int]) -> int:
    """Number the tier of a pod, the first to leave being 0."""
    return bisect.bisect_right(tiers, pod.spec.priority)


def claims(pod: Pod) -> frozenset[tuple[str, str]]:
    """Name the persistent volumes of a pod by namespace and claim."""
    meta, found = pod.metadata, set[tuple[str, str]]()
    for each in pod.spec.volumes:
        if each.persistent_volume_claim is not None:
            found.add((meta.namespace, each.persistent_volume_claim.claim_name))
        elif each.ephemeral is not None:
            found.add((meta.namespace, f"{meta.name}-{each.name}"))
    return frozenset(found)


def take(
    pods: Sorted,
    node: Node | None,
    evictions: Iterable[Evicted],
    manners: DrainManners,
    now: datetime,
) -> Turn:
    """Say whose turn it is; on a node whose kubelet is given up there is no order to keep."""
    asked = tuple(each.pod for each in pods.evict)
    if fencing.is_given_up(node, now, manners):
        return Turn(together=asked)
    staying = [each.pod for each in pods.left() if not _is_overdue(each, manners, now)]
    first = min((tier(each, manners.tiers) for each in staying), default=0)
    turn = [each for each in asked if tier(each, manners.tiers) == first]
    later = [each for each in asked if tier(each, manners.tiers) != first]
    bound = [each for each in turn if claims(each)]
    if bound and _volumes_move(pods, node, evictions, manners, now):
        later, bound = [*later, *bound], []
    return Turn(
        together=tuple(each for each in turn if not claims(each)),
        one_of=tuple(bound),
        later=tuple(later),
    )


def _is_overdue(verdict: Verdict, manners: DrainManners, now: datetime) -> bool:
    """Say whether a pod ought to be gone for so long that nobody waits for it."""
    ends = verdict.pod.metadata.deletion_timestamp
    return verdict.kind is Kind.LEAVING and ends is not None and now >= ends + manners.overdue


def _volumes_move(
    pods: Sorted,
    node: Node | None,
    evictions: Iterable[Evicted],
    manners: DrainManners,
    now: datetime,
) -> bool:
    """Say whether volumes of a pod that was evicted are still on their way off the machine."""
    leaving = (each for each in pods.leaving if not _is_overdue(each, manners, now))
    if any(claims(each.pod) for each in leaving):
        return True
    ends = [each.gone_by for each in evictions if each.claims and each.gone_by is not None]
    if node is None or not ends or now >= max(ends) + manners.detach:
        return False
    holding = (*pods.left(), *(each for each in pods.stay if each.why not in _EMPTY_HANDED))
    used = {claim for each in holding for claim in claims(each.pod)}
    return len(node.status.volumes_attached) > len(used)
