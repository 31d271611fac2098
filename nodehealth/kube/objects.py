"""The parts of Kubernetes' own objects that nodemend reads, and where each kind lives.

Partial on purpose: decoding only these fields is thirty times cheaper than the full models. What is
read here is never written back whole; writes are patches, so unknown fields are never lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar
from urllib.parse import quote

import msgspec


def micro_time(at: datetime) -> str:
    """Write a time as the API's MicroTime, which insists on six fractional digits."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def wire_name(name: str) -> str:
    """Spell a field as Kubernetes does: `provider_id` is `providerID`, `node_uid` is `nodeUID`."""
    first, *rest = name.split("_")
    return first + "".join(
        word.upper() if word in {"id", "uid", "uuid"} else word.title() for word in rest
    )


class Struct(msgspec.Struct, frozen=True, kw_only=True, rename=wire_name, omit_defaults=True):
    """A value on the wire: camelCase keys, defaults left out, unknown fields ignored."""


class OwnerReference(Struct, frozen=True, kw_only=True):
    """Who an object belongs to."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


class ManagedFields(Struct, frozen=True, kw_only=True):
    """Who wrote an object last, by the API server's clock."""

    manager: str = ""
    operation: str = ""
    subresource: str = ""
    time: datetime | None = None


class Metadata(Struct, frozen=True, kw_only=True):
    """An object's identity and marks."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    deletion_grace_period_seconds: int | None = None
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()
    managed_fields: tuple[ManagedFields, ...] = ()


class Object(Struct, frozen=True, kw_only=True):
    """Anything that lives in the API server."""

    api_version: str = ""
    kind: str = ""
    metadata: Metadata = Metadata()


class Condition(Struct, frozen=True, kw_only=True):
    """One aspect of a Node's or Pod's state."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None
    last_heartbeat_time: datetime | None = None


class Taint(Struct, frozen=True, kw_only=True):
    """A mark that repels pods which do not tolerate it."""

    key: str
    effect: str
    value: str = ""
    time_added: datetime | None = None


class NodeSpec(Struct, frozen=True, kw_only=True):
    """What is wanted of a Node."""

    provider_id: str = ""
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()


class NodeInfo(Struct, frozen=True, kw_only=True):
    """What the kubelet says of its machine."""

    boot_id: str = ""
    machine_id: str = ""
    system_uuid: str = ""
    """What the firmware of the host calls it: the same under every name that a node may get."""
    kubelet_version: str = ""
    kernel_version: str = ""


class AttachedVolume(Struct, frozen=True, kw_only=True):
    """A volume that is attached to a Node's machine."""

    name: str = ""


class NodeStatus(Struct, frozen=True, kw_only=True):
    """What is seen of a Node."""

    conditions: tuple[Condition, ...] = ()
    capacity: Mapping[str, str] = {}
    allocatable: Mapping[str, str] = {}
    node_info: NodeInfo = NodeInfo()
    volumes_attached: tuple[AttachedVolume, ...] = ()


class Node(Object, frozen=True, kw_only=True):
    """One machine of the cluster."""

    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class Toleration(Struct, frozen=True, kw_only=True):
    """A taint that a pod puts up with; an empty key with operator Exists is all of them."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


class Claimed(Struct, frozen=True, kw_only=True):
    """The claim by which a pod has a persistent volume."""

    claim_name: str = ""


class Ephemeral(Struct, frozen=True, kw_only=True):
    """A claim that is made for the pod, and named after pod and volume."""


class Volume(Struct, frozen=True, kw_only=True):
    """One of a pod's volumes, as far as it may be persistent."""

    name: str = ""
    persistent_volume_claim: Claimed | None = None
    ephemeral: Ephemeral | None = None


class SchedulingGroup(Struct, frozen=True, kw_only=True):
    """The group of pods that are placed together or not at all."""

    pod_group_name: str = ""


class Needs(Struct, frozen=True, kw_only=True):
    """What a container may use at most, by the name of the resource."""

    limits: Mapping[str, int | str] = {}


class Container(Struct, frozen=True, kw_only=True):
    """One program of a Pod, as far as it takes a part of the machine for itself."""

    resources: Needs = Needs()


class DeviceClaim(Struct, frozen=True, kw_only=True):
    """By which name a pod has devices that are its own."""

    name: str = ""


class PodSpec(Struct, frozen=True, kw_only=True):
    """What is wanted of a Pod."""

    node_name: str = ""
    scheduler_name: str = ""
    containers: tuple[Container, ...] = ()
    resource_claims: tuple[DeviceClaim, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    termination_grace_period_seconds: int = 30
    priority: int = 0
    priority_class_name: str = ""
    restart_policy: str = "Always"
    volumes: tuple[Volume, ...] = ()
    scheduling_group: SchedulingGroup | None = None


class Terminated(Struct, frozen=True, kw_only=True):
    """How a container ended."""

    exit_code: int = 0


class ContainerState(Struct, frozen=True, kw_only=True):
    """What a container does, as far as it may have ended."""

    terminated: Terminated | None = None


class ContainerStatus(Struct, frozen=True, kw_only=True):
    """What is seen of one container."""

    state: ContainerState = ContainerState()


class PodStatus(Struct, frozen=True, kw_only=True):
    """What is seen of a Pod."""

    phase: str = ""
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(Object, frozen=True, kw_only=True):
    """Some containers on one Node."""

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class BareCondition(Struct, frozen=True, kw_only=True):
    """One aspect of a state, and no more than whether it is so."""

    type: str
    status: str


class BarePodSpec(Struct, frozen=True, kw_only=True):
    """Where a pod belongs."""

    node_name: str = ""


class BarePodStatus(Struct, frozen=True, kw_only=True):
    """Whether a pod is ready."""

    conditions: tuple[BareCondition, ...] = ()


class BarePod(Object, frozen=True, kw_only=True):
    """A pod as those keep it who keep one of every node: where it is and whether it is ready."""

    spec: BarePodSpec = BarePodSpec()
    status: BarePodStatus = BarePodStatus()


class Requirement(Struct, frozen=True, kw_only=True):
    """What one label must be like."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class LabelSelector(Struct, frozen=True, kw_only=True):
    """Which labels are meant; all that it says must hold."""

    match_labels: Mapping[str, str] = {}
    match_expressions: tuple[Requirement, ...] = ()


class BudgetSpec(Struct, frozen=True, kw_only=True):
    """Whom a disruption budget protects, and how far."""

    selector: LabelSelector | None = None
    min_available: int | str | None = None
    max_unavailable: int | str | None = None
    unhealthy_pod_eviction_policy: str = ""


class BudgetStatus(Struct, frozen=True, kw_only=True):
    """What the disruption controller counted."""

    observed_generation: int = 0
    disruptions_allowed: int = 0
    current_healthy: int = 0
    desired_healthy: int = 0
    expected_pods: int = 0
    disrupted_pods: Mapping[str, datetime] = {}
    conditions: tuple[Condition, ...] = ()


class PodDisruptionBudget(Object, frozen=True, kw_only=True):
    """How many of some pods may be disrupted at once."""

    spec: BudgetSpec = BudgetSpec()
    status: BudgetStatus = BudgetStatus()


class LeaseSpec(Struct, frozen=True, kw_only=True):
    """Who holds a lease and since when; times carry six fractional digits on the wire."""

    holder_identity: str = ""
    lease_duration_seconds: int = 0
    acquire_time: datetime | None = None
    renew_time: datetime | None = None
    lease_transitions: int = 0


class Lease(Object, frozen=True, kw_only=True):
    """A promise to be alive, renewed by its holder."""

    spec: LeaseSpec = LeaseSpec()


class ConfigMap(Object, frozen=True, kw_only=True):
    """Texts by key."""

    data: Mapping[str, str] = {}


class OwnedFields(ManagedFields, frozen=True, kw_only=True):
    """Who wrote an object last, and which of its fields are theirs."""

    fields_v1: Mapping[str, object] = {}


class OwnedMetadata(Metadata, frozen=True, kw_only=True):
    """An object's identity and marks, and who wrote which of its fields."""

    managed_fields: tuple[OwnedFields, ...] = ()


class OwnedNode(Node, frozen=True, kw_only=True):
    """A Node as those read it who must know who wrote what: too large to be kept of every node."""

    metadata: OwnedMetadata = OwnedMetadata()


T = TypeVar("T", bound=Object)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource(Generic[T]):
    """Where objects of a kind live in the API, and the type that reads them."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    type: type[T]

    @property
    def api_version(self) -> str:
        """Return `v1` for the core group and `group/version` for every other."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the path of one object, or of all of them in a namespace or in the cluster."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        within = ("namespaces", namespace) if namespace else ()
        parts = (*within, self.plural, name, subresource)
        return "/".join((root, *(quote(part, safe="") for part in parts if part)))


NODES = Resource(group="", version="v1", plural="nodes", kind="Node", namespaced=False, type=Node)
OWNED_NODES = Resource(
    group="", version="v1", plural="nodes", kind="Node", namespaced=False, type=OwnedNode
)
PODS = Resource(group="", version="v1", plural="pods", kind="Pod", namespaced=True, type=Pod)
BARE_PODS = Resource(
    group="", version="v1", plural="pods", kind="Pod", namespaced=True, type=BarePod
)
LEASES = Resource(
    group="coordination.k8s.io",
    version="v1",
    plural="leases",
    kind="Lease",
    namespaced=True,
    type=Lease,
)
CONFIG_MAPS = Resource(
    group="", version="v1", plural="configmaps", kind="ConfigMap", namespaced=True, type=ConfigMap
)
BUDGETS = Resource(
    group="policy",
    version="v1",
    plural="poddisruptionbudgets",
    kind="PodDisruptionBudget",
    namespaced=True,
    type=PodDisruptionBudget,
)
