"""What policies may look into of kinds whose fields the server knows: as much as is asked for.

A real server knows every field; here an expression that names one that is missing is refused.
"""

from collections.abc import Mapping
from typing import Final

from nodehealth import cel

_TEXTS: Final = cel.List(cel.STRING)
_ENV: Final = cel.Record({"name": cel.STRING, "value": cel.STRING, "valueFrom": cel.DYN})
_MOUNT: Final = cel.Record(
    {
        "name": cel.STRING,
        "mountPath": cel.STRING,
        "subPath": cel.STRING,
        "subPathExpr": cel.STRING,
        "readOnly": cel.BOOL,
    }
)
_CONTAINER: Final = cel.Record(
    {
        "name": cel.STRING,
        "image": cel.STRING,
        "imagePullPolicy": cel.STRING,
        "command": _TEXTS,
        "args": _TEXTS,
        "env": cel.List(_ENV),
        "envFrom": cel.DYN,
        "workingDir": cel.STRING,
        "lifecycle": cel.DYN,
        "livenessProbe": cel.DYN,
        "readinessProbe": cel.DYN,
        "startupProbe": cel.DYN,
        "securityContext": cel.DYN,
        "volumeMounts": cel.List(_MOUNT),
    }
)
_REQUIREMENT: Final = cel.Record({"key": cel.STRING, "operator": cel.STRING, "values": _TEXTS})
_TERM: Final = cel.Record(
    {"matchExpressions": cel.List(_REQUIREMENT), "matchFields": cel.List(_REQUIREMENT)}
)
_REQUIRED: Final = cel.Record({"nodeSelectorTerms": cel.List(_TERM)})
_NODE_AFFINITY: Final = cel.Record({"requiredDuringSchedulingIgnoredDuringExecution": _REQUIRED})
_VOLUME: Final = cel.Record(
    {"name": cel.STRING, "hostPath": cel.Record({"path": cel.STRING, "type": cel.STRING})}
)
_POD: Final = cel.Record(
    {
        "activeDeadlineSeconds": cel.INT,
        "affinity": cel.Record({"nodeAffinity": _NODE_AFFINITY}),
        "automountServiceAccountToken": cel.BOOL,
        "containers": cel.List(_CONTAINER),
        "ephemeralContainers": cel.List(_CONTAINER),
        "hostNetwork": cel.BOOL,
        "hostPID": cel.BOOL,
        "initContainers": cel.List(_CONTAINER),
        "nodeName": cel.STRING,
        "restartPolicy": cel.STRING,
        "schedulerName": cel.STRING,
        "serviceAccountName": cel.STRING,
        "volumes": cel.List(_VOLUME),
    }
)
FIELDS: Final[Mapping[str, cel.Type]] = {
    "pods": cel.Record({"metadata": cel.DYN, "spec": _POD, "status": cel.DYN})
}
"""By resource, what an object of it has."""
