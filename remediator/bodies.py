"""What is made to do a deed on a node: the Pod of an errand, and a Job of an operator's own."""

from collections.abc import Mapping
from typing import Any, Final

from nodehealth import keys
from nodehealth.errand import CONTAINER, HOST_MOUNT, HOST_ROOT, command
from nodehealth.repair import NODE_REPAIRS, NodeRepair
from remediator.decide import rungs
from remediator.decide.errands import Errand
from remediator.decide.jobs import Task

BOOT_ANNOTATION: Final = f"{keys.GROUP}/boot-id"
"""On a repair Pod: the boot for which it was made."""
NODE_ANNOTATION: Final = f"{keys.GROUP}/node"
"""On a repair Pod: the node for which it was made."""
_HOST: Final = "host"
_GRACE_SECONDS: Final = 10
_KEPT_SECONDS: Final = 24 * 3600
"""How long a Job that has ended stays to be looked at."""
_TOLERATED: Final = (
    {"key": keys.REPAIR_TAINT, "operator": "Exists"},
    {"key": "node.kubernetes.io/unschedulable", "operator": "Exists"},
)


def pod_name(repair: NodeRepair, program: str) -> str:
    """Return what the Pod of an errand is called: one for each rung of each repair."""
    return f"{program}-{rungs.key(repair, program)}"


def job_name(repair: NodeRepair, task: Task) -> str:
    """Return what a Job is called: one for each rung of each repair, and for its burn-in."""
    return f"nodemend-{rungs.key(repair, task.what)}"


def pod(errand: Errand, repair: NodeRepair, boot_id: str, image: str) -> dict[str, Any]:
    """Return the Pod of an errand, as the admission policy wants it."""
    words = command(errand.program, boot_id, gpus=errand.gpus, service=errand.service)
    labels = {keys.NAME_LABEL: keys.REPAIR_NAME, keys.REPAIR_LABEL: repair.metadata.uid}
    target = repair.spec.target.node
    return {
        "metadata": {
            "name": pod_name(repair, errand.program),
            "labels": labels,
            "annotations": {BOOT_ANNOTATION: boot_id, NODE_ANNOTATION: target},
            "ownerReferences": [_owner(repair)],
        },
        "spec": _spec(errand, target) | {"containers": [_container(words, image)]},
    }


def job(task: Task, repair: NodeRepair, template: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Job that nothing comes of until it is let run: the template, on this node, once."""
    target, labels = repair.spec.target.node, {keys.REPAIR_LABEL: repair.metadata.uid}
    given = dict(template.get("metadata", {}))
    return {
        "metadata": {
            "name": job_name(repair, task),
            "labels": labels,
            "ownerReferences": [_owner(repair)],
        },
        "spec": {
            "suspend": True,
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "activeDeadlineSeconds": round(task.deadline.total_seconds()),
            "ttlSecondsAfterFinished": _KEPT_SECONDS,
            "template": {
                "metadata": {**given, "labels": {**given.get("labels", {}), **labels}},
                "spec": _pinned(template.get("spec", {}), target, repair),
            },
        },
    }


def _spec(errand: Errand, target: str) -> dict[str, Any]:
    return {
        "schedulerName": keys.REPAIR_SCHEDULER,
        "affinity": _only(target),
        "restartPolicy": "Never",
        "activeDeadlineSeconds": round(errand.lasts.total_seconds()),
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "hostPID": True,
        "hostNetwork": True,
        "dnsPolicy": "Default",
        "priorityClassName": "system-node-critical",
        "tolerations": [{"operator": "Exists"}],
        "volumes": [{"name": _HOST, "hostPath": {"path": "/"}}],
    }


def _container(words: tuple[str, ...], image: str) -> dict[str, Any]:
    mount = {"name": _HOST, "mountPath": HOST_MOUNT, "mountPropagation": "HostToContainer"}
    return {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(words),
        "env": [{"name": HOST_ROOT, "value": HOST_MOUNT}],
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {"privileged": True, "runAsUser": 0, "runAsNonRoot": False},
        "volumeMounts": [mount],
    }


def _pinned(spec: Mapping[str, Any], node: str, repair: NodeRepair) -> dict[str, Any]:
    """Return a Pod's spec for one node, whatever the template says of nodes."""
    kept = {key: each for key, each in spec.items() if key not in {"nodeName", "nodeSelector"}}
    return {
        **kept,
        "restartPolicy": "Never",
        "affinity": {**spec.get("affinity", {}), **_only(node)},
        "tolerations": [*spec.get("tolerations", []), *_TOLERATED],
        "containers": [_told(each, repair) for each in spec.get("containers", [])],
    }


def _told(container: Mapping[str, Any], repair: NodeRepair) -> dict[str, Any]:
    """Tell a container what it is for, and have its last lines heard if it fails."""
    facts = {
        "NODEMEND_NODE": repair.spec.target.node,
        "NODEMEND_REPAIR": repair.metadata.name,
        "NODEMEND_RULE": repair.spec.rule,
    }
    env = [{"name": key, "value": value} for key, value in facts.items()]
    last = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    return {**last, **container, "env": [*container.get("env", []), *env]}


def _owner(repair: NodeRepair) -> dict[str, Any]:
    return {
        "apiVersion": NODE_REPAIRS.api_version,
        "kind": NODE_REPAIRS.kind,
        "name": repair.metadata.name,
        "uid": repair.metadata.uid,
    }


def _only(node: str) -> dict[str, Any]:
    """Return the affinity to one node, by its name and not by a label that may be wrong."""
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
