"""The admission policies without which our objects could not be trusted.

Run as `python -m nodehealth.protections DIRECTORY` to write the manifests.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from nodehealth import keys
from nodehealth.health import NODE_HEALTHS
from nodehealth.kube.objects import Resource
from nodehealth.ledger import REPAIR_LEDGERS

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
    operations: tuple[str, ...]
    who: str = ""
    """The only user whose requests are looked at; empty means everybody's."""
    demands: tuple[Demand, ...]


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
)


def policy(protection: Protection) -> dict[str, Any]:
    """Return the ValidatingAdmissionPolicy of a protection."""
    plural = protection.resource.plural
    spec: dict[str, Any] = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": [protection.resource.group],
                    "apiVersions": ["*"],
                    "operations": list(protection.operations),
                    "resources": [f"{plural}/{part}".rstrip("/") for part in protection.parts],
                }
            ]
        },
        "validations": [
            {"expression": each.expression, "message": each.message, "reason": "Forbidden"}
            for each in protection.demands
        ],
    }
    if protection.who:
        expression = f'request.userInfo.username == "{protection.who}"'
        spec["matchConditions"] = [{"name": "who", "expression": expression}]
    return _object("ValidatingAdmissionPolicy", protection.name, spec)


def binding(protection: Protection) -> dict[str, Any]:
    """Return what puts the policy of a protection into force."""
    spec = {"policyName": protection.name, "validationActions": ["Deny"]}
    return _object("ValidatingAdmissionPolicyBinding", protection.name, spec)


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
