"""Who else is at work on a node, by the marks that others leave on Nodes.

A mark counts while its owner takes the node away from its work, not when it only may. A node that
was merely cordoned is unavailable, but nothing says that anybody works on it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from nodehealth.kube.objects import Node
from remediator.decide.limits import Scope
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


def actor(node: Node) -> str:
    """Name who else is at work on a node; the empty string when nobody is known to be."""
    taints = (TAINTS.get(taint.key, "") for taint in node.spec.taints)
    annotations = (_annotator(key, value) for key, value in node.metadata.annotations.items())
    conditions = (
        CONDITIONS.get(each.type, "") for each in node.status.conditions if each.status == "True"
    )
    leaving = node.metadata.deletion_timestamp is not None
    known = (who for marks in (taints, annotations, conditions) for who in marks if who)
    return next(known, "whoever deletes it" if leaving else "")


def is_over(before: Node | None, after: Node | None) -> bool:
    """Say whether somebody else who was at work on a node no longer is."""
    return before is not None and actor(before) != "" and (after is None or actor(after) == "")


def counted(scopes: Iterable[Scope], nodes: Iterable[Node], policy: Policy) -> tuple[Scope, ...]:
    """Have scopes count exactly these nodes as those on which others are at work."""
    found = {each.metadata.name: (actor(each), policy.pool_of(each)) for each in nodes}
    return tuple(
        replace(
            scope,
            foreign={
                name: who for name, (who, pool) in found.items() if scope.name in {CLUSTER, pool}
            },
        )
        for scope in scopes
    )


def _annotator(key: str, value: str) -> str:
    who, values = ANNOTATIONS.get(key, ("", frozenset[str]()))
    return who if not values or value in values else ""
