"""Who else is at work on a node, by the marks that others leave on Nodes.

A mark counts while its owner takes the node away from its work, not when it only may. A node that
was merely cordoned is unavailable, but nothing says that anybody works on it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from nodehealth import keys
from nodehealth.fence import Hold
from nodehealth.kube.objects import Node, Taint
from remediator.decide import marks, own
from remediator.decide.counting import Scope
from remediator.rules.policy import CLUSTER, Policy

TAINTS: Final[Mapping[str, str]] = {
    # sigs.k8s.io/karpenter, pkg/apis/v1/taints.go
    "karpenter.sh/disrupted": "Karpenter",
    "karpenter.sh/rebooting": "Karpenter",
    # kubernetes/autoscaler, utils/taints; DeletionCandidateOfClusterAutoscaler is only a thought
    "ToBeDeletedByClusterAutoscaler": "the cluster autoscaler",
    # medik8s: node-maintenance-operator, self-node-remediation, fence-agents-remediation
    "medik8s.io/drain": "the node maintenance operator",
    "medik8s.io/remediation": "self node remediation",
    "medik8s.io/fence-agents-remediation": "fence agents remediation",
    "remediation.medik8s.io/fence-agents-remediation": "fence agents remediation",
    # GKE's handler of host maintenance and preemption; aws-node-termination-handler with taints
    "cloud.google.com/impending-node-termination": "Google Cloud",
    "aws-node-termination-handler/asg-lifecycle-termination": "AWS",
    "aws-node-termination-handler/rebalance-recommendation": "AWS",
    "aws-node-termination-handler/scheduled-maintenance": "AWS",
    "aws-node-termination-handler/spot-itn": "AWS",
}
"""By taint, who put it there."""

ANNOTATIONS: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    # kubereboot/kured with --annotate-nodes; the value is when it began
    "weave.works/kured-reboot-in-progress": ("kured", frozenset()),
    # openshift/machine-config-operator, pkg/daemon/constants
    "machineconfiguration.openshift.io/state": (
        "the machine config operator",
        frozenset({"Working", "Rebooting"}),
    ),
}
"""By annotation, who put it there, and which of its values count: any if none is named."""

CONDITIONS: Final[Mapping[str, str]] = {
    # KEP-5683, node lifecycle conditions
    "DrainInProgress": "somebody who drains it",
    "MaintenanceInProgress": "somebody who maintains it",
    # gardener/machine-controller-manager
    "Terminating": "the machine controller manager",
}
"""By condition that is True, who set it."""

_POWER_TAINTS: Final[Mapping[str, str]] = {
    # k8s.io/cloud-provider, node lifecycle: as long as the instance is off; node: until it is known
    keys.CLOUD_SHUTDOWN_TAINT: "whoever shut its machine down",
    keys.OUT_OF_SERVICE_TAINT: "whoever put it out of service",
    keys.CLOUD_UNINITIALIZED_TAINT: "the cloud controller manager, which has not initialised it,",
}
_POWER_CONDITIONS: Final[Mapping[str, str]] = {
    # KEP-5683 again, by the kubelet
    "GracefulNodeShutdownInProgress": "whoever shuts it down",
}
"""What our own remedies bring about as well: it tells of others only while we disrupt nothing."""

_SPARING_LABELS: Final[Mapping[str, str]] = {
    # medik8s/node-healthcheck-operator
    "remediation.medik8s.io/exclude-from-remediation": "that nobody remediates it",
}
_SPARING_ANNOTATIONS: Final[Mapping[str, str]] = {
    # gardener/machine-controller-manager since 0.62: kept as it is, to be looked into
    "node.machine.sapcloud.io/preserve": "that its machine is preserved",
}
"""By mark that is not `false`, what somebody asks of whoever repairs nodes."""


def actor(node: Node) -> str:
    """Name who else is at work on a node; the empty string when nobody is known to be."""
    leaving = node.metadata.deletion_timestamp is not None
    known = (who for who in _marked(node) if who)
    return next(known, "whoever deletes it" if leaving else "")


def keeper(node: Node, held: str = "") -> str:
    """Name who else is at work on a Node that our release would open to work under their hands.

    Args:
        node: The Node.
        held: Who holds it by a lock that does not lie on the Node.
    """
    return (actor(node) or held) if marks.is_opened_by_release(node) else ""


def spared(node: Node) -> str:
    """Say what somebody asks of whoever repairs nodes; nothing when nobody asks that.

    Nobody is at work on such a node: it takes no room from the others.
    """
    labels, annotations = node.metadata.labels, node.metadata.annotations
    found = (
        f"{key} asks {what}"
        for there, marks_ in ((labels, _SPARING_LABELS), (annotations, _SPARING_ANNOTATIONS))
        for key, what in marks_.items()
        if there.get(key, "false").lower() != "false"
    )
    return next(found, "")


def is_over(before: Node | None, after: Node | None) -> bool:
    """Say whether somebody else who was at work on a node no longer is."""
    return before is not None and actor(before) != "" and (after is None or actor(after) == "")


def counted(
    scopes: Iterable[Scope],
    nodes: Iterable[Node],
    policy: Policy,
    held: Mapping[str, str] | None = None,
) -> tuple[Scope, ...]:
    """Have scopes count exactly these nodes as those on which others are at work.

    Args:
        scopes: What counts them.
        nodes: The nodes.
        policy: To which scopes a node belongs.
        held: By node, who holds it by a lock that does not lie on the Node.
    """
    locked = held or {}
    found = {
        each.metadata.name: (
            actor(each) or locked.get(each.metadata.name, ""),
            {CLUSTER, *policy.scopes_of(each)},
        )
        for each in nodes
    }
    return tuple(
        replace(
            scope,
            foreign={name: who for name, (who, where) in found.items() if scope.name in where},
        )
        for scope in scopes
    )


def _marked(node: Node) -> Iterator[str]:
    """Yield who each mark names; nobody for one that names nobody."""
    fence = marks.fence_of(node)
    is_disrupted = fence is not None and fence.hold is Hold.DISRUPTED
    for taint in node.spec.taints:
        yield TAINTS.get(taint.key, "") or ("" if is_disrupted else _powerless(taint))
    for key, value in node.metadata.annotations.items():
        yield _annotator(key, value)
    for each in node.status.conditions:
        if each.status == "True" and not own.is_ours(each):
            known = CONDITIONS.get(each.type, "")
            yield known or ("" if is_disrupted else _POWER_CONDITIONS.get(each.type, ""))


def _powerless(taint: Taint) -> str:
    is_ours = taint.value == keys.OUT_OF_SERVICE_VALUE
    return "" if is_ours else _POWER_TAINTS.get(taint.key, "")


def _annotator(key: str, value: str) -> str:
    who, values = ANNOTATIONS.get(key, ("", frozenset[str]()))
    return who if not values or value in values else ""
