"""Every label, annotation, taint and name that nodemend puts on a Kubernetes object."""

from typing import Final

GROUP: Final = "nodemend.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

FENCE_ANNOTATION: Final = f"{GROUP}/slot"
"""The fence on a Node: which admission to the ledger last changed it, and whether it is over."""

PRE_CORDONED_ANNOTATION: Final = f"{GROUP}/pre-cordoned"
"""Set to `true` when somebody else had cordoned the Node before we did: we never undo it."""

SCALE_DOWN_ANNOTATION: Final = f"{GROUP}/scale-down-kept"
"""Set to `true` when we keep the cluster autoscaler off the Node that we hold: ours to take off."""

REPAIR_TAINT: Final = f"{GROUP}/repair"
"""Our mark of ownership on a cordon, with effect NoSchedule; its value is the repair's name."""

OUT_OF_SERVICE_VALUE: Final = "nodemend"
"""The value by which we know our own out-of-service taint; other people's say something else."""

CONDITION_VOICE: Final = "nodemend: "
"""What the message of every Node condition of ours begins with, whatever its type is called."""

POOL_LABEL: Final = f"{GROUP}/pool"
"""The pool of a Node when the policy selects pools by this label."""

SCHEMA_ANNOTATION: Final = f"{GROUP}/schema"
"""On our CustomResourceDefinitions: a digest of the schema, by which a program knows its own."""

TOLD: Final = "nodemend-told"
"""What the names of the ConfigMaps begin with that hold what people have been told."""

LEDGER_NAME: Final = "default"
LEDGER_IN_USE: Final = "nodemend-ledger"
"""The ConfigMap that says which ledger has admitted anything."""
LEADER_LEASE: Final = "nodemend-remediator"
RULES_CONFIG_MAP: Final = "nodemend-rules"
POLICY_CONFIG_MAP: Final = "nodemend-policy"
"""What the cluster's remediator judges by; their keys are names of files."""
NAMESPACE: Final = "nodemend"

REPAIR_NAMESPACE: Final = "nodemend-repair"
"""Where repair Pods are, and nothing else."""
REPAIR_NAME: Final = "nodemend-repair"
"""What NAME_LABEL says on repair Pods, and the name of the PodTemplate that names their image."""
REPAIR_LABEL: Final = f"{GROUP}/repair-uid"
"""On a repair Pod: the UID of the NodeRepair whose errand it runs."""
REPAIR_SCHEDULER: Final = "nodemend"
"""The scheduler that a repair Pod asks for: there is none, so that only we bind it to its node."""

CALLED_OFF_ANNOTATION: Final = f"{GROUP}/called-off"
"""On a Job or a Pod that was not let go after all: when that was. A late request that lets it go
fails."""

GPU_CLIENTS_LABEL: Final = f"{GROUP}/gpu-clients"
PAUSED: Final = "paused"
"""By this label of a Node, with this value, DaemonSets that hold GPUs give way to a reset."""
GPU_CLIENTS_ANNOTATION: Final = f"{GROUP}/gpu-clients-were"
"""What the labels were by which such DaemonSets were moved off a Node, and what we made of them."""

DRAIN: Final = f"{GROUP}/drain"
"""On a pod, as annotation or label: what its owner wants of a drain."""
GANG: Final = f"{GROUP}/gang"
"""On a pod, as label or annotation: the pods that lose their work with it, or `none`."""
SKIP: Final = f"{GROUP}/skip"
"""Label or annotation of a Node that people look after; its value says why, `false` says no."""
PAUSE: Final = f"{GROUP}/pause"
"""Label or annotation of a Node on which nothing is begun; its value says until when, or why."""

AGENT_MANAGER: Final = "nodemend-agent"
REMEDIATOR_MANAGER: Final = "nodemend-remediator"

AGENT_NAME: Final = "nodemend-agent"
"""The name of the agents' DaemonSet, of their account, and what NAME_LABEL says on their pods."""

QUARANTINE_LABEL: Final = f"{GROUP}/quarantine"
"""On a Node that gets no remedy any more: what of it failed too often (a `PartKind`)."""

GPUS_LABEL: Final = f"{GROUP}/gpus"
"""How many GPUs a Node ought to offer; without it, as many as its capacity says."""

AGENT_USER: Final = f"system:serviceaccount:{NAMESPACE}:{AGENT_NAME}"
REMEDIATOR_USER: Final = f"system:serviceaccount:{NAMESPACE}:{REMEDIATOR_MANAGER}"
"""Who the programs are to the API server: each has the service account of its name."""

GPU_AGENT_LABEL: Final = f"{GROUP}/gpu-agent"
"""On a Node, whether its agent is the privileged one that sees GPUs: `true`, or `false` to keep it
off; without it, what others say of the Node's GPUs counts."""

# Names that belong to Kubernetes (well-known labels, annotations and taints of its documentation).
UNSCHEDULABLE_TAINT: Final = "node.kubernetes.io/unschedulable"
OUT_OF_SERVICE_TAINT: Final = "node.kubernetes.io/out-of-service"
"""With effect NoExecute, Kubernetes lets go of pods and volumes: only for a machine that is off."""
SCALE_DOWN_DISABLED_ANNOTATION: Final = "cluster-autoscaler.kubernetes.io/scale-down-disabled"
"""With `true`, the cluster autoscaler does not take the Node away, however little it does."""
CLOUD_SHUTDOWN_TAINT: Final = "node.cloudprovider.kubernetes.io/shutdown"
CLOUD_UNINITIALIZED_TAINT: Final = "node.cloudprovider.kubernetes.io/uninitialized"
MIRROR_POD_ANNOTATION: Final = "kubernetes.io/config.mirror"
SAFE_TO_EVICT: Final = "cluster-autoscaler.kubernetes.io/safe-to-evict"
DO_NOT_DISRUPT: Final = "karpenter.sh/do-not-disrupt"
"""Annotations by which the owners of pods ask two autoscalers to leave them alone."""
CONTROL_PLANE_LABEL: Final = "node-role.kubernetes.io/control-plane"
ZONE_LABEL: Final = "topology.kubernetes.io/zone"
INSTANCE_TYPE_LABEL: Final = "node.kubernetes.io/instance-type"
NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"
"""On every namespace: its name; the API server puts it there, and nobody can change it."""
NAME_LABEL: Final = "app.kubernetes.io/name"
HOSTNAME_LABEL: Final = "kubernetes.io/hostname"
GPU_RESOURCE: Final = "nvidia.com/gpu"
GPU_RESOURCES: Final = (GPU_RESOURCE, "amd.com/gpu", "gpu.intel.com/i915", "gpu.intel.com/xe")
"""The names under which the vendors' device plugins offer whole GPUs."""
BOUND_NODE: Final = "authentication.kubernetes.io/node-name"
"""Which node a pod runs on, as its own token says: the API server signed it."""
