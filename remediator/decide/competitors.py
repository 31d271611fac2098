"""Who else repairs nodes here, by what is to be seen of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from nodehealth.kube.objects import Node
from nodehealth.repair import Mode
from remediator.decide import own
from remediator.decide.conditions import ACTED_ON
from remediator.rules.policy import Beside, Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Competitor:
    """Somebody else who repairs nodes, or may."""

    name: str
    certain: bool
    """Whether it surely acts; else it can't be told from within the cluster."""
    evidence: str
    """What was seen of it."""
    off: str
    """How it is switched off."""
    stays: bool = False
    """Whether it can't be switched off: people are told, and not again and again."""

    def is_loud(self, policy: Policy) -> bool:
        """Say whether a person should do something about it."""
        refused = policy.competitors is Beside.REFUSE
        return policy.mode is Mode.ENFORCE and self.certain and (refused or not self.stays)


_LABELS: Final[Mapping[str, Competitor]] = {
    each.evidence: each
    for each in (
        Competitor(
            name="AKS auto-repair",
            certain=True,
            evidence="kubernetes.azure.com/agentpool",
            off="it cannot be; it acts on nodes that are not Ready for ten minutes",
            stays=True,
        ),
        Competitor(
            name="EKS node repair",
            certain=False,
            evidence="eks.amazonaws.com/nodegroup",
            off="aws eks update-nodegroup-config --node-repair-config enabled=false",
        ),
        Competitor(
            name="GKE auto-repair",
            certain=False,
            evidence="cloud.google.com/gke-nodepool",
            off="gcloud container node-pools update --no-enable-autorepair",
        ),
        Competitor(
            name="Karpenter node repair",
            certain=False,
            evidence="karpenter.sh/nodepool",
            off="the feature gate NodeRepair=false of Karpenter's controller",
        ),
    )
}
"""By the label of a Node that shows whose it is."""

_EKS_AUTO: Final = ("eks.amazonaws.com/compute-type", "auto")
_DRAINO: Final = "DrainScheduled"

_CHECKS: Final[Mapping[str, tuple[str, str]]] = {
    "nodehealthchecks.remediation.medik8s.io": (
        "medik8s NodeHealthCheck",
        "spec.pauseRequests of the object, or delete it",
    ),
    "machinehealthchecks.cluster.x-k8s.io": (
        "Cluster API MachineHealthCheck",
        "the annotation cluster.x-k8s.io/paused of the object, or delete it",
    ),
    "machinehealthchecks.machine.openshift.io": (
        "OpenShift MachineHealthCheck",
        "the annotation cluster.x-k8s.io/paused of the object, or delete it",
    ),
}
"""By resource, who acts on such objects, and how it is kept from that."""
KINDS: Final = tuple(_CHECKS)


def found(nodes: Iterable[Node], checks: Mapping[str, tuple[str, ...]]) -> tuple[Competitor, ...]:
    """Say who else repairs nodes, by name.

    Args:
        nodes: All nodes.
        checks: By resource, the names of the objects that switch a repairer on.
    """
    seen = {each.name: each for node in nodes for each in _on(node)}
    for resource, names in checks.items():
        if names:
            name, off = _CHECKS[resource]
            evidence = f"{resource} {', '.join(sorted(names)[:3])}"
            seen[name] = Competitor(name=name, certain=True, evidence=evidence, off=off)
    return tuple(seen[name] for name in sorted(seen))


def _on(node: Node) -> Iterable[Competitor]:
    labels = node.metadata.labels
    for label, known in _LABELS.items():
        if label in labels:
            yield known
    key, value = _EKS_AUTO
    if labels.get(key) == value:
        evidence, off = f"{key}={value}", "it cannot be; it acts on the five conditions"
        yield Competitor(name="EKS Auto Mode", certain=True, evidence=evidence, off=off, stays=True)
    foreign = {each.type for each in node.status.conditions if not own.is_ours(each)}
    if _DRAINO in foreign:
        yield Competitor(
            name="draino", certain=True, evidence=f"the condition {_DRAINO}", off="uninstall it"
        )
    if foreign & ACTED_ON:
        yield Competitor(
            name="whoever acts on the EKS node monitoring agent",
            certain=False,
            evidence="a condition of its names that is not ours",
            off="node repair of EKS and of Karpenter goes by these conditions",
        )


def sentence(one: Competitor) -> str:
    """Say who else repairs nodes, for people."""
    acts = "repairs nodes here too" if one.certain else "may repair nodes here too"
    return f"{one.name} {acts} (seen: {one.evidence}). To switch it off: {one.off}"
