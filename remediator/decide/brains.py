"""Whether the cluster, and nodemend itself, can do without a node for a while."""

from typing import Final

from nodehealth.fence import Hold
from nodehealth.keys import CONTROL_PLANE_LABEL
from nodehealth.kube.objects import BarePod, Node
from nodehealth.ledger import RepairLedger
from remediator.decide import marks, ready
from remediator.decide.limits import Refused, Why
from remediator.decide.survey import Survey
from remediator.rules.policy import Policy

_FEWEST: Final = 3
"""Of so many members of etcd at least, one may be missing and most are left."""


def unwanted(node: Node, policy: Policy) -> Refused | None:
    """Leave the control plane to people unless the policy says otherwise, by now."""
    if CONTROL_PLANE_LABEL not in node.metadata.labels or policy.control_plane:
        return None
    name = node.metadata.name
    return _refused(f"{name} is of the control plane, and controlPlane.repair is false")


def quorum_lost(node: Node, survey: Survey) -> Refused | None:
    """Spare a node of the control plane unless all others are at work and a majority without it."""
    if CONTROL_PLANE_LABEL not in node.metadata.labels:
        return None
    name, others = node.metadata.name, survey.control_plane
    away = sorted(
        each.metadata.name
        for each in others
        if each.metadata.name != name and (_is_away(each) or each in survey.busy)
    )
    if away:
        return _refused(f"out of the control plane already: {', '.join(away)}")
    if len(others) < _FEWEST:
        few = f"{len(others)} node{'' if len(others) == 1 else 's'}"
        return _refused(f"the control plane has {few}, and needs {_FEWEST} to do without one")
    return None


def _is_away(node: Node) -> bool:
    """Say whether a node is out of service; one that we only cordon serves as before."""
    fence, leaving = marks.fence_of(node), node.metadata.deletion_timestamp is not None
    ours = fence is not None and fence.hold is Hold.DISRUPTED
    return ours or leaving or not ready.is_ready(node) or marks.was_cordoned(node)


def last_replica(node: Node, survey: Survey, ledger: RepairLedger) -> Refused | None:
    """Spare the node of a remediator unless another one is ready on a node that stays."""
    name, going = node.metadata.name, {"", node.metadata.name, *ledger.status.slots}
    if not any(each.spec.node_name == name for each in survey.replicas):
        return None
    if any(_is_ready(each) for each in survey.replicas if each.spec.node_name not in going):
        return None
    message = f"a remediator runs on {name}, and none is ready on a node that stays"
    return Refused(why=Why.LAST_REPLICA, message=message)


def _refused(message: str) -> Refused:
    return Refused(why=Why.CONTROL_PLANE, message=message)


def _is_ready(pod: BarePod) -> bool:
    leaving = pod.metadata.deletion_timestamp is not None
    conditions = pod.status.conditions
    return not leaving and any(
        each.type == "Ready" and each.status == "True" for each in conditions
    )
