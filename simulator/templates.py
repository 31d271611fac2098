"""What Nodes, Leases and pods look like when they are new: complete, with all defaults."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from nodehealth import keys
from simulator.api import wire
from simulator.api.wire import JsonObject
from simulator.scenario import Pool

KUBELET: Final = "v1.32.0"
NOT_READY: Final = "node.kubernetes.io/not-ready"
UNREACHABLE: Final = "node.kubernetes.io/unreachable"
LEASE_NAMESPACE: Final = "kube-node-lease"
LEASE_SECONDS: Final = 40
IMAGE: Final = "registry.example/workload:1"
_PRESSURES: Final = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)
_TOLERATED: Final = 300


def node(pool: Pool, name: str, zone: str, *, provider_id: str) -> JsonObject:
    """Return a Node as a kubelet registers it: tainted until it is ready."""
    capacity = {"cpu": pool.cpu, "memory": pool.memory, "pods": str(pool.pods)}
    if pool.gpus:
        capacity[keys.GPU_RESOURCE] = str(pool.gpus)
    labels = {
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        keys.HOSTNAME_LABEL: name,
        keys.INSTANCE_TYPE_LABEL: pool.instance_type,
        keys.ZONE_LABEL: zone,
        keys.POOL_LABEL: pool.name,
        **pool.labels,
    }
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "providerID": provider_id,
            "taints": [{"key": NOT_READY, "effect": "NoSchedule"}],
        },
        "status": {"capacity": capacity, "allocatable": dict(capacity)},
    }


def conditions(ready: JsonObject, heard: datetime, since: datetime) -> list[JsonObject]:
    """Return a Node's conditions as its kubelet writes them."""
    calm = [
        {"type": kind, "status": "False", "reason": reason, "message": message}
        for kind, reason, message in _PRESSURES
    ]
    times = {
        "lastHeartbeatTime": wire.timestamp(heard),
        "lastTransitionTime": wire.timestamp(since),
    }
    return [{**each, **times} for each in (*calm, ready)]


def ready(*, yes: bool) -> JsonObject:
    """Return the condition Ready of a Node without its times."""
    if yes:
        return {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "kubelet is posting ready status",
        }
    return {
        "type": "Ready",
        "status": "False",
        "reason": "KubeletNotReady",
        "message": "container runtime network not ready",
    }


def node_info(name: str, machine: str, boot_id: str) -> JsonObject:
    """Return what a kubelet says of its machine."""
    return {
        "architecture": "amd64",
        "bootID": boot_id,
        "containerRuntimeVersion": "containerd://2.0.0",
        "kernelVersion": "6.8.0",
        "kubeProxyVersion": "",
        "kubeletVersion": KUBELET,
        "machineID": name,
        "operatingSystem": "linux",
        "osImage": "Simulated Linux",
        "systemUUID": machine,
    }


def lease(name: str, node_uid: str, renewed: datetime) -> JsonObject:
    """Return the Lease by which a kubelet says that it lives."""
    return {
        "metadata": {
            "name": name,
            "namespace": LEASE_NAMESPACE,
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Node", "name": name, "uid": node_uid},
            ],
        },
        "spec": {
            "holderIdentity": name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": wire.micro(renewed),
        },
    }


def owner(kind: str, value: JsonObject, *, group: str = "apps/v1") -> JsonObject:
    """Return the reference by which an object names its controller."""
    return {
        "apiVersion": group,
        "kind": kind,
        "name": value["metadata"]["name"],
        "uid": value["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def pod(
    template: JsonObject, *, name: str, namespace: str, owners: Sequence[JsonObject]
) -> JsonObject:
    """Return a new pod of a template."""
    metadata = {**wire.clone(template["metadata"]), "name": name, "namespace": namespace}
    if owners:
        metadata["ownerReferences"] = list(owners)
    spec = wire.clone(template["spec"])
    asks = any(container["resources"] for container in spec["containers"])
    quality = "Burstable" if asks else "BestEffort"
    status = {"phase": "Pending", "qosClass": quality}
    return {"metadata": metadata, "spec": spec, "status": status}


def pod_template(
    *,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    selector: Mapping[str, str],
    tolerations: Sequence[JsonObject],
    grace: int,
    gpus: int,
    restart: str,
    account: str = "default",
) -> JsonObject:
    """Return a pod's template with everything that the API server's defaults would add."""
    container: JsonObject = {
        "name": "main",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }
    if gpus:
        share = {keys.GPU_RESOURCE: str(gpus)}
        container["resources"] = {"limits": share, "requests": dict(share)}
    spec: JsonObject = {
        "containers": [container],
        "dnsPolicy": "ClusterFirst",
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
        "priority": 0,
        "restartPolicy": restart,
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "serviceAccount": account,
        "serviceAccountName": account,
        "terminationGracePeriodSeconds": grace,
        "tolerations": [*tolerations, *_default_tolerations(tolerations)],
    }
    if selector:
        spec["nodeSelector"] = dict(selector)
    metadata: JsonObject = {"labels": dict(labels)}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"metadata": metadata, "spec": spec}


def _default_tolerations(given: Sequence[JsonObject]) -> list[JsonObject]:
    everything = any(not each.get("key") and each["operator"] == "Exists" for each in given)
    return [
        {
            "key": key,
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": _TOLERATED,
        }
        for key in (NOT_READY, UNREACHABLE)
        if not everything and not any(each.get("key") == key for each in given)
    ]
