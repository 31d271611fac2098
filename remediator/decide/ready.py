"""Whether a Node can take work, as its own conditions and marks say."""

from nodehealth.kube.objects import Node


def is_ready(node: Node) -> bool:
    """Say whether the Node's Ready condition is True."""
    return any(each.type == "Ready" and each.status == "True" for each in node.status.conditions)


def is_out(node: Node) -> bool:
    """Say whether a Node is unavailable for any reason: not ready, cordoned, or leaving."""
    leaving = node.metadata.deletion_timestamp is not None
    return node.spec.unschedulable or leaving or not is_ready(node)
