"""Which columns built-in kinds have, as the real server prints them."""

from collections.abc import Mapping
from typing import Final

from simulator.api import cells
from simulator.api.columns import AGE, CREATED, NAME, Layout, at, column, layout, number, since

_NONE: Final = "<none>"
_UNKNOWN: Final = "<unknown>"

_NODES: Final = layout(
    NAME,
    column("Status", cells.node_status),
    column("Roles", cells.roles),
    AGE,
    column("Version", at("status", "nodeInfo", "kubeletVersion")),
    column("Internal-IP", cells.address("InternalIP"), priority=1),
    column("External-IP", cells.address("ExternalIP"), priority=1),
    column("OS-Image", at("status", "nodeInfo", "osImage", missing=_UNKNOWN), priority=1),
    column(
        "Kernel-Version", at("status", "nodeInfo", "kernelVersion", missing=_UNKNOWN), priority=1
    ),
    column(
        "Container-Runtime",
        at("status", "nodeInfo", "containerRuntimeVersion", missing=_UNKNOWN),
        priority=1,
    ),
)
_PODS: Final = layout(
    NAME,
    column("Ready", cells.pod_ready),
    column("Status", cells.pod_status),
    column("Restarts", cells.restarts),
    AGE,
    column("IP", at("status", "podIP", missing=_NONE), priority=1),
    column("Node", at("spec", "nodeName", missing=_NONE), priority=1),
    column("Nominated Node", at("status", "nominatedNodeName", missing=_NONE), priority=1),
    column("Readiness Gates", cells.readiness_gates, priority=1),
)
_EVENTS: Final = layout(
    column("Last Seen", cells.last_seen),
    column("Type", at("type")),
    column("Reason", at("reason")),
    column("Object", cells.event_object),
    column("Subobject", at("involvedObject", "fieldPath"), priority=1),
    column("Source", cells.event_source, priority=1),
    column("Message", cells.event_message),
    column("First Seen", cells.first_seen, priority=1),
    column("Count", cells.event_count, kind="integer", priority=1),
    column("Name", at("metadata", "name"), priority=1),
)

LAYOUTS: Final[Mapping[str, Layout]] = {
    "nodes": _NODES,
    "pods": _PODS,
    "events": _EVENTS,
    "namespaces": layout(NAME, column("Status", at("status", "phase")), AGE),
    "configmaps": layout(
        NAME, column("Data", cells.size("data", "binaryData"), kind="integer"), AGE
    ),
    "secrets": layout(
        NAME, column("Type", at("type")), column("Data", cells.size("data"), kind="integer"), AGE
    ),
    "serviceaccounts": layout(NAME, column("Secrets", cells.size("secrets"), kind="integer"), AGE),
    "leases.coordination.k8s.io": layout(NAME, column("Holder", at("spec", "holderIdentity")), AGE),
    "poddisruptionbudgets.policy": layout(
        NAME,
        column("Min Available", cells.limit("minAvailable")),
        column("Max Unavailable", cells.limit("maxUnavailable")),
        column("Allowed Disruptions", number("status", "disruptionsAllowed"), kind="integer"),
        AGE,
    ),
    "daemonsets.apps": layout(
        NAME,
        column("Desired", number("status", "desiredNumberScheduled"), kind="integer"),
        column("Current", number("status", "currentNumberScheduled"), kind="integer"),
        column("Ready", number("status", "numberReady"), kind="integer"),
        column("Up-to-date", number("status", "updatedNumberScheduled"), kind="integer"),
        column("Available", number("status", "numberAvailable"), kind="integer"),
        column("Node Selector", cells.selector("spec", "template", "spec", "nodeSelector")),
        AGE,
    ),
    "deployments.apps": layout(
        NAME,
        column("Ready", cells.pods_ready),
        column("Up-to-date", number("status", "updatedReplicas"), kind="integer"),
        column("Available", number("status", "availableReplicas"), kind="integer"),
        AGE,
    ),
    "replicasets.apps": layout(
        NAME,
        column("Desired", number("spec", "replicas"), kind="integer"),
        column("Current", number("status", "replicas"), kind="integer"),
        column("Ready", number("status", "readyReplicas"), kind="integer"),
        AGE,
    ),
    "statefulsets.apps": layout(NAME, column("Ready", cells.pods_ready), AGE),
    "jobs.batch": layout(
        NAME,
        column("Status", cells.job_status),
        column("Completions", cells.completions),
        column("Duration", since("status", "startTime")),
        AGE,
    ),
    "priorityclasses.scheduling.k8s.io": layout(
        NAME,
        column("Value", number("value"), kind="integer"),
        column("Global-Default", cells.flag("globalDefault"), kind="boolean"),
        AGE,
        column("PreemptionPolicy", at("preemptionPolicy", missing="PreemptLowerPriority")),
    ),
    "volumeattachments.storage.k8s.io": layout(
        NAME,
        column("Attacher", at("spec", "attacher")),
        column("PV", at("spec", "source", "persistentVolumeName")),
        column("Node", at("spec", "nodeName")),
        column("Attached", cells.flag("status", "attached"), kind="boolean"),
        AGE,
    ),
    "persistentvolumeclaims": layout(
        NAME,
        column("Status", at("status", "phase")),
        column("Volume", at("spec", "volumeName")),
        column("StorageClass", at("spec", "storageClassName")),
        AGE,
    ),
    "persistentvolumes": layout(
        NAME,
        column("Capacity", at("spec", "capacity", "storage")),
        column("Status", at("status", "phase")),
        column("Claim", at("spec", "claimRef", "name")),
        AGE,
    ),
    "customresourcedefinitions.apiextensions.k8s.io": layout(NAME, CREATED),
    "clusterroles.rbac.authorization.k8s.io": layout(NAME, CREATED),
    "roles.rbac.authorization.k8s.io": layout(NAME, CREATED),
    "clusterrolebindings.rbac.authorization.k8s.io": layout(NAME, column("Role", cells.role), AGE),
    "rolebindings.rbac.authorization.k8s.io": layout(NAME, column("Role", cells.role), AGE),
}
