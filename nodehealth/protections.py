"""The admission policies without which our objects could not be trusted.

Run as `python -m nodehealth.protections DIRECTORY` to write the manifests.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from nodehealth import keys
from nodehealth.errand import BOOT_ID, ENTRY, HOST_MOUNT, HOST_ROOT, OPTIONS, Program
from nodehealth.health import NODE_HEALTHS
from nodehealth.kube.objects import PODS, Resource
from nodehealth.ledger import REPAIR_LEDGERS
from nodehealth.repair import NODE_REPAIRS

API_VERSION: Final = "admissionregistration.k8s.io/v1"
_EXTRA: Final = "request.userInfo.extra"
_OWN: Final = f'{_EXTRA}["{keys.BOUND_NODE}"]'
_EPOCH: Final = "status.epoch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """A CEL expression that must be true of a request."""

    expression: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What must be true of everybody's writes to one of our kinds; what fails is refused."""

    name: str
    resource: Resource[Any]
    parts: tuple[str, ...]
    """The object itself is the empty string; else a subresource."""
    also: tuple[str, ...] = ()
    """Other resources of the same group."""
    operations: tuple[str, ...]
    namespace: str = ""
    """The only namespace whose objects are looked at; empty means all."""
    params: str = ""
    """A PodTemplate in that namespace that demands know as `params`; without it all is refused."""
    who: str = ""
    """The only user whose requests are looked at; empty means everybody's."""
    demands: tuple[Demand, ...]


_REMEDIATOR: Final = f'request.userInfo.username == "{keys.REMEDIATOR_USER}"'
_OF_STATUS: Final = '(has(request.subResource) && request.subResource == "status")'
_SPEC: Final = "object.spec"
_ONLY: Final = f"{_SPEC}.containers[0]"
_AFFINITY: Final = f"{_SPEC}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
_TERM: Final = f"{_AFFINITY}.nodeSelectorTerms[0]"
_NO_HOOKS: Final = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
_LONGEST_ERRAND: Final = 3600


def _made(*terms: str) -> str:
    """Say what must be true of a Pod when it is made; nothing of it may be changed later."""
    return f'request.operation != "CREATE" || ({" && ".join(terms)})'


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(f'"{each}"' for each in words)


_REPAIR_PODS: Final = (
    Demand(
        expression=_made(_REMEDIATOR),
        message="only the remediator makes repair Pods",
    ),
    Demand(
        expression=f'request.operation == "CREATE" || {_SPEC} == oldObject.spec',
        message="nothing of a repair Pod is ever changed",
    ),
    Demand(
        expression=_made(
            f"{_SPEC}.containers.size() == 1",
            f"(!has({_SPEC}.initContainers) || {_SPEC}.initContainers.size() == 0)",
            f"{_ONLY}.image == params.template.spec.containers[0].image",
        ),
        message="a repair Pod has one container, of the image that the PodTemplate "
        f"{keys.REPAIR_NAMESPACE}/{keys.REPAIR_NAME} names",
    ),
    Demand(
        expression=_made(
            f"{_ONLY}.command.size() >= {len(ENTRY) + 3}",
            *(f'{_ONLY}.command[{n}] == "{word}"' for n, word in enumerate(ENTRY)),
            f"{_ONLY}.command[{len(ENTRY)}] in [{_listed(tuple(Program))}]",
            f'{_ONLY}.command[{len(ENTRY) + 1}] == "{BOOT_ID}"',
            f'{_ONLY}.command[{len(ENTRY) + 2}] != ""',
            f'{_ONLY}.command.all(w, !w.startsWith("-") || w in [{_listed(OPTIONS)}])',
            f"!has({_ONLY}.args)",
        ),
        message=f"a repair Pod runs `{' '.join(ENTRY)}` with one of its programs, for one boot",
    ),
    Demand(
        expression=_made(
            f"(!has({_ONLY}.env) || "
            f'{_ONLY}.env.all(e, e.name == "{HOST_ROOT}" && e.value == "{HOST_MOUNT}"))',
            *(f"!has({_ONLY}.{each})" for each in ("envFrom", "workingDir", *_NO_HOOKS)),
        ),
        message="a repair Pod runs nothing beside its program, and tells it nothing else",
    ),
    Demand(
        expression=_made(
            f"!has({_SPEC}.nodeName)",
            f'{_SPEC}.schedulerName == "{keys.REPAIR_SCHEDULER}"',
            f"{_AFFINITY}.nodeSelectorTerms.size() == 1",
            f"!has({_TERM}.matchExpressions)",
            f"{_TERM}.matchFields.size() == 1",
            f'{_TERM}.matchFields[0].key == "metadata.name"',
            f'{_TERM}.matchFields[0].operator == "In"',
            f"{_TERM}.matchFields[0].values.size() == 1",
        ),
        message="a repair Pod is for one node, and no scheduler sends it there",
    ),
    Demand(
        expression=_made(
            f'{_SPEC}.restartPolicy == "Never"',
            f"{_SPEC}.activeDeadlineSeconds <= {_LONGEST_ERRAND}",
        ),
        message="a repair Pod runs once, and not for ever",
    ),
    Demand(
        expression=_made(
            f"{_SPEC}.automountServiceAccountToken == false",
            f"(!has({_SPEC}.volumes) || "
            f'{_SPEC}.volumes.all(v, has(v.hostPath) && v.hostPath.path == "/"))',
            f"(!has({_ONLY}.volumeMounts) || {_ONLY}.volumeMounts.all(m, "
            f'm.mountPath == "{HOST_MOUNT}" && !has(m.subPath) && !has(m.subPathExpr)))',
        ),
        message="a repair Pod has no token and no volume but its node's root directory",
    ),
)

PROTECTIONS: Final = (
    Protection(
        name=f"nodehealth-by-its-own-agent.{keys.GROUP}",
        resource=NODE_HEALTHS,
        parts=("", "status"),
        operations=("CREATE", "UPDATE"),
        who=keys.AGENT_USER,
        demands=(
            Demand(
                expression=f'has({_EXTRA}) && "{keys.BOUND_NODE}" in {_EXTRA} && '
                f"{_OWN}.size() == 1 && {_OWN}[0] == object.metadata.name",
                message="an agent writes only the NodeHealth that has the name of the node "
                "to which its token is bound",
            ),
        ),
    ),
    Protection(
        name=f"repairledger-by-the-remediator.{keys.GROUP}",
        resource=REPAIR_LEDGERS,
        parts=("status",),
        operations=("UPDATE",),
        demands=(
            Demand(
                expression=f'request.userInfo.username == "{keys.REMEDIATOR_USER}"',
                message="only the remediator writes what was admitted; "
                "to stop or to go on, set spec.disruption",
            ),
            Demand(
                expression=f"!has(oldObject.status) || !has(oldObject.{_EPOCH}) || "
                f"(has(object.status) && has(object.{_EPOCH}) && "
                f"object.{_EPOCH} >= oldObject.{_EPOCH})",
                message="the epoch never falls",
            ),
        ),
    ),
    Protection(
        name=f"noderepair-by-the-remediator-and-people.{keys.GROUP}",
        resource=NODE_REPAIRS,
        parts=("", "status"),
        operations=("CREATE", "UPDATE"),
        demands=(
            Demand(
                expression=f"!{_OF_STATUS} || {_REMEDIATOR}",
                message="only the remediator writes how a repair stands; "
                "to have it do something, write spec.request",
            ),
            Demand(
                expression=f"{_OF_STATUS} || !({_REMEDIATOR}) || "
                f"(!has({_SPEC}.approved) && !has({_SPEC}.request))",
                message="the remediator neither approves a repair nor asks anything of one",
            ),
        ),
    ),
    Protection(
        name=f"repair-pods-by-the-remediator.{keys.GROUP}",
        resource=PODS,
        parts=("",),
        operations=("CREATE", "UPDATE"),
        namespace=keys.REPAIR_NAMESPACE,
        params=keys.REPAIR_NAME,
        demands=_REPAIR_PODS,
    ),
    Protection(
        name=f"repair-pods-left-alone.{keys.GROUP}",
        resource=PODS,
        parts=(
            "binding",
            "exec",
            "attach",
            "portforward",
            "proxy",
            "ephemeralcontainers",
        ),
        also=("bindings",),
        operations=("CREATE", "UPDATE", "CONNECT"),
        namespace=keys.REPAIR_NAMESPACE,
        demands=(
            Demand(
                expression=f'{_REMEDIATOR} && request.operation == "CREATE"',
                message="only the remediator sends repair Pods to nodes, and nobody enters one",
            ),
        ),
    ),
)


def policy(protection: Protection) -> dict[str, Any]:
    """Return the ValidatingAdmissionPolicy of a protection."""
    spec: dict[str, Any] = {
        "failurePolicy": "Fail",
        "matchConstraints": _constraints(protection),
        "validations": [
            {"expression": each.expression, "message": each.message, "reason": "Forbidden"}
            for each in protection.demands
        ],
    }
    if protection.who:
        expression = f'request.userInfo.username == "{protection.who}"'
        spec["matchConditions"] = [{"name": "who", "expression": expression}]
    if protection.params:
        spec["paramKind"] = {"apiVersion": "v1", "kind": "PodTemplate"}
    return _object("ValidatingAdmissionPolicy", protection.name, spec)


def binding(protection: Protection) -> dict[str, Any]:
    """Return what puts the policy of a protection into force."""
    spec: dict[str, Any] = {"policyName": protection.name, "validationActions": ["Deny"]}
    if protection.params:
        spec["paramRef"] = {
            "name": protection.params,
            "namespace": protection.namespace,
            "parameterNotFoundAction": "Deny",
        }
    return _object("ValidatingAdmissionPolicyBinding", protection.name, spec)


def _constraints(protection: Protection) -> dict[str, Any]:
    """Return which requests are looked at: a namespace is known by the label that all have.

    A condition in CEL would not do: where `params` are missing, everything is refused before any
    condition is asked.
    """
    plural = protection.resource.plural
    parts = [f"{plural}/{part}".rstrip("/") for part in protection.parts]
    rule = {
        "apiGroups": [protection.resource.group],
        "apiVersions": ["*"],
        "operations": list(protection.operations),
        "resources": [*parts, *protection.also],
    }
    constraints: dict[str, Any] = {"resourceRules": [rule]}
    if protection.namespace:
        labels = {keys.NAMESPACE_LABEL: protection.namespace}
        constraints["namespaceSelector"] = {"matchLabels": labels}
    return constraints


def _object(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def written(protection: Protection) -> str:
    """Return the manifests as the YAML file that is kept in deploy/admission."""
    head = "# Made by `make crds` from nodehealth/protections.py; edit that.\n"
    both = (policy(protection), binding(protection))
    return head + yaml.safe_dump_all(both, sort_keys=False, width=100)


def main(directory: Path) -> None:
    """Write one file a protection."""
    directory.mkdir(parents=True, exist_ok=True)
    for protection in PROTECTIONS:
        name = f"{protection.name.partition('.')[0]}.yaml"
        (directory / name).write_text(written(protection), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
