"""The kinds that every cluster has, as far as this server keeps them."""

from collections.abc import Mapping
from typing import Final

from simulator.api.kinds import Generation, Kind

_EVENT_FIELDS: Final = {
    "involvedObject.kind": ("involvedObject", "kind"),
    "involvedObject.namespace": ("involvedObject", "namespace"),
    "involvedObject.name": ("involvedObject", "name"),
    "involvedObject.uid": ("involvedObject", "uid"),
    "involvedObject.apiVersion": ("involvedObject", "apiVersion"),
    "involvedObject.resourceVersion": ("involvedObject", "resourceVersion"),
    "involvedObject.fieldPath": ("involvedObject", "fieldPath"),
    "reason": ("reason",),
    "reportingComponent": ("reportingComponent",),
    "source": ("source", "component"),
    "type": ("type",),
}
_POD_FIELDS: Final = {
    "spec.nodeName": ("spec", "nodeName"),
    "spec.restartPolicy": ("spec", "restartPolicy"),
    "spec.schedulerName": ("spec", "schedulerName"),
    "spec.serviceAccountName": ("spec", "serviceAccountName"),
    "spec.hostNetwork": ("spec", "hostNetwork"),
    "status.phase": ("status", "phase"),
    "status.podIP": ("status", "podIP"),
    "status.nominatedNodeName": ("status", "nominatedNodeName"),
}
_STATUS: Final = frozenset({"status"})


def _core(plural: str, kind: str, *short: str, namespaced: bool = True, **more: object) -> Kind:
    return _kind("", "v1", plural, kind, *short, namespaced=namespaced, **more)


def _kind(
    group: str, version: str, plural: str, kind: str, *short: str, namespaced: bool, **more: object
) -> Kind:
    fixed = {"group": group, "version": version, "plural": plural, "kind": kind}
    names = {"singular": kind.lower(), "short_names": short, "namespaced": namespaced}
    return Kind(**fixed, **names, **more)  # type: ignore[arg-type] # rows of a table; Kind's fields


def _workload(plural: str, kind: str, *short: str) -> Kind:
    return _kind(
        "apps",
        "v1",
        plural,
        kind,
        *short,
        namespaced=True,
        subresources=_STATUS,
        generation=Generation.SPEC,
        categories=("all",),
    )


def _cluster(group: str, plural: str, kind: str, *short: str, **more: object) -> Kind:
    return _kind(group, "v1", plural, kind, *short, namespaced=False, **more)


_ADMISSION: Final = "admissionregistration.k8s.io"
_FLOW: Final = "flowcontrol.apiserver.k8s.io"
_RBAC: Final = "rbac.authorization.k8s.io"

_CORE: Final = (
    _core(
        "nodes",
        "Node",
        "no",
        namespaced=False,
        subresources=_STATUS,
        keeps_status=True,
        selectable={"spec.unschedulable": ("spec", "unschedulable")},
    ),
    _core(
        "pods",
        "Pod",
        "po",
        categories=("all",),
        subresources=frozenset({"status", "eviction", "binding"}),
        returns_deleted=True,
        selectable=_POD_FIELDS,
    ),
    _core(
        "namespaces",
        "Namespace",
        "ns",
        namespaced=False,
        subresources=frozenset({"status", "finalize"}),
        selectable={"status.phase": ("status", "phase")},
        verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    ),
    _core("events", "Event", "ev", creates_on_update=True, selectable=_EVENT_FIELDS),
    _core("configmaps", "ConfigMap", "cm"),
    _core("podtemplates", "PodTemplate", generation=Generation.SPEC),
    _core("resourcequotas", "ResourceQuota", "quota", subresources=_STATUS),
    _core("secrets", "Secret", selectable={"type": ("type",)}),
    _core("services", "Service", "svc", categories=("all",), subresources=_STATUS),
    _core(
        "serviceaccounts",
        "ServiceAccount",
        "sa",
        subresources=frozenset({"token"}),
        returns_deleted=True,
        unconditional=False,
    ),
    _core(
        "persistentvolumes",
        "PersistentVolume",
        "pv",
        namespaced=False,
        subresources=_STATUS,
        returns_deleted=True,
    ),
    _core(
        "persistentvolumeclaims",
        "PersistentVolumeClaim",
        "pvc",
        subresources=_STATUS,
        returns_deleted=True,
    ),
)

_OTHERS: Final = (
    _workload("daemonsets", "DaemonSet", "ds"),
    _workload("deployments", "Deployment", "deploy"),
    _workload("replicasets", "ReplicaSet", "rs"),
    _workload("statefulsets", "StatefulSet", "sts"),
    _kind(
        "batch",
        "v1",
        "jobs",
        "Job",
        namespaced=True,
        subresources=_STATUS,
        generation=Generation.SPEC,
        categories=("all",),
    ),
    _kind(
        "coordination.k8s.io",
        "v1",
        "leases",
        "Lease",
        namespaced=True,
        unconditional=False,
        creates_on_update=True,
    ),
    _kind(
        "policy",
        "v1",
        "poddisruptionbudgets",
        "PodDisruptionBudget",
        "pdb",
        namespaced=True,
        subresources=_STATUS,
        generation=Generation.SPEC,
        unconditional=False,
    ),
    _cluster(
        "scheduling.k8s.io", "priorityclasses", "PriorityClass", "pc", generation=Generation.SPEC
    ),
    _cluster(
        "storage.k8s.io",
        "volumeattachments",
        "VolumeAttachment",
        subresources=_STATUS,
        unconditional=False,
        returns_deleted=True,
    ),
    _cluster("storage.k8s.io", "storageclasses", "StorageClass", "sc", returns_deleted=True),
    _cluster(
        _ADMISSION,
        "validatingadmissionpolicies",
        "ValidatingAdmissionPolicy",
        subresources=_STATUS,
        generation=Generation.SPEC,
        categories=("api-extensions",),
    ),
    _cluster(
        _ADMISSION,
        "validatingadmissionpolicybindings",
        "ValidatingAdmissionPolicyBinding",
        generation=Generation.SPEC,
        categories=("api-extensions",),
    ),
    _cluster(_FLOW, "flowschemas", "FlowSchema", subresources=_STATUS, generation=Generation.SPEC),
    _cluster(
        _FLOW,
        "prioritylevelconfigurations",
        "PriorityLevelConfiguration",
        subresources=_STATUS,
        generation=Generation.SPEC,
    ),
    _cluster(_RBAC, "clusterroles", "ClusterRole"),
    _cluster(_RBAC, "clusterrolebindings", "ClusterRoleBinding"),
    _kind(_RBAC, "v1", "roles", "Role", namespaced=True),
    _kind(_RBAC, "v1", "rolebindings", "RoleBinding", namespaced=True),
    _cluster(
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        "crd",
        "crds",
        subresources=_STATUS,
        generation=Generation.SPEC,
        unconditional=False,
        categories=("api-extensions",),
    ),
)

KINDS: Final[Mapping[str, Kind]] = {kind.resource: kind for kind in (*_CORE, *_OTHERS)}
