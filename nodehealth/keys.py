"""Every label, annotation, taint and name that nodemend puts on a Kubernetes object."""

from typing import Final

GROUP: Final = "nodemend.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

FENCE_ANNOTATION: Final = f"{GROUP}/slot"
"""The fence on a Node: which admission to the ledger last changed it, and whether it is over."""

PRE_CORDONED_ANNOTATION: Final = f"{GROUP}/pre-cordoned"
"""Set to `true` when somebody else had cordoned the Node before we did: we never undo it."""

REPAIR_TAINT: Final = f"{GROUP}/repair"
"""Our mark of ownership on a cordon, with effect NoSchedule; its value is the repair's name."""

POOL_LABEL: Final = f"{GROUP}/pool"
"""The pool of a Node when the policy selects pools by this label."""

LEDGER_NAME: Final = "default"
LEADER_LEASE: Final = "nodemend-remediator"
NAMESPACE: Final = "nodemend"

AGENT_MANAGER: Final = "nodemend-agent"
REMEDIATOR_MANAGER: Final = "nodemend-remediator"

# Names that belong to Kubernetes (well-known labels, annotations and taints of its documentation).
UNSCHEDULABLE_TAINT: Final = "node.kubernetes.io/unschedulable"
MIRROR_POD_ANNOTATION: Final = "kubernetes.io/config.mirror"
CONTROL_PLANE_LABEL: Final = "node-role.kubernetes.io/control-plane"
ZONE_LABEL: Final = "topology.kubernetes.io/zone"
INSTANCE_TYPE_LABEL: Final = "node.kubernetes.io/instance-type"
HOSTNAME_LABEL: Final = "kubernetes.io/hostname"
GPU_RESOURCE: Final = "nvidia.com/gpu"
