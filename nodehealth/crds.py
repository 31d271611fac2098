"""The CustomResourceDefinitions, made from the typed values so that they cannot drift apart.

Run as `python -m nodehealth.crds DIRECTORY` to write the manifests.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from nodehealth import keys, schema
from nodehealth.health import NODE_HEALTHS, NodeHealthStatus
from nodehealth.kube.objects import Object, Resource, Struct
from nodehealth.ledger import REPAIR_LEDGERS, RepairLedgerSpec, RepairLedgerStatus
from nodehealth.repair import NODE_REPAIRS, NodeRepairSpec, NodeRepairStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of `kubectl get`."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A CEL expression that the API server holds true for a part of the object."""

    rule: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """Everything about one custom resource that its type does not say."""

    resource: Resource[Any]
    status: type[Struct]
    spec: type[Struct] | None = None
    short: str
    columns: tuple[Column, ...]
    guards: Mapping[str, tuple[Guard, ...]]
    """Part of the object (the empty string is the whole) to what must hold for it."""


def _frozen(kind: type[Struct], *, but: tuple[str, ...]) -> str:
    """Say in CEL that nothing of a part ever changes but these fields."""
    names = [each.encode_name for each in schema.fields(kind) if each.name not in but]
    return " && ".join(
        f"has(self.{name}) == has(oldSelf.{name}) && "
        f"(!has(self.{name}) || self.{name} == oldSelf.{name})"
        for name in names
    )


_AGE: Final = Column(name="Age", path=".metadata.creationTimestamp", type="date")

DEFINITIONS: Final = (
    Definition(
        resource=NODE_HEALTHS,
        status=NodeHealthStatus,
        short="nh",
        columns=(
            Column(name="Reported", path=".status.reportedAt", type="date"),
            Column(name="Boot", path=".status.bootID"),
            Column(name="Not OK", path='.status.probes[?(@.state!="OK")].name'),
            Column(name="Agent", path=".status.agentVersion", wide=True),
            Column(name="Driver", path=".status.driverVersion", wide=True),
            _AGE,
        ),
        guards={},
    ),
    Definition(
        resource=NODE_REPAIRS,
        spec=NodeRepairSpec,
        status=NodeRepairStatus,
        short="nr",
        columns=(
            Column(name="Node", path=".spec.target.node"),
            Column(name="Rule", path=".spec.rule"),
            Column(name="Mode", path=".spec.mode"),
            Column(name="Phase", path=".status.phase"),
            Column(name="Reason", path=".status.reason"),
            Column(name="Message", path=".status.message", wide=True),
            _AGE,
        ),
        guards={
            "spec": (
                Guard(
                    rule=_frozen(NodeRepairSpec, but=("approved", "request")),
                    message="the plan of a repair is frozen: people may only approve it, or "
                    "request something of it",
                ),
            ),
        },
    ),
    Definition(
        resource=REPAIR_LEDGERS,
        spec=RepairLedgerSpec,
        status=RepairLedgerStatus,
        short="rl",
        columns=(
            Column(name="Epoch", path=".status.epoch", type="integer"),
            Column(name="Disruption", path=".spec.disruption"),
            _AGE,
        ),
        guards={
            "": (
                Guard(
                    rule=f'self.metadata.name == "{keys.LEDGER_NAME}"',
                    message=f"there is one ledger and its name is {keys.LEDGER_NAME}",
                ),
                Guard(
                    rule="!has(oldSelf.status) || !has(oldSelf.status.epoch) || "
                    "(has(self.status) && has(self.status.epoch) && "
                    "self.status.epoch >= oldSelf.status.epoch)",
                    message="the epoch never falls",
                ),
            ),
        },
    ),
)


def manifest(definition: Definition) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a resource."""
    resource = definition.resource
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{resource.plural}.{resource.group}",
            "annotations": {keys.SCHEMA_ANNOTATION: digest(definition)},
        },
        "spec": {
            "group": resource.group,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.kind.lower(),
                "shortNames": [definition.short],
                "categories": ["nodemend"],
            },
            "versions": [
                {
                    "name": resource.version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": object_schema(definition)},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(each) for each in definition.columns],
                }
            ],
        },
    }


def digest(definition: Definition) -> str:
    """Return what tells a schema from an older or newer one: a server drops fields it lacks."""
    text = json.dumps(object_schema(definition), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def object_schema(definition: Definition) -> schema.Schema:
    """Return the schema of whole objects."""
    kind: type[Object] = definition.resource.type
    properties: schema.Schema = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
    }
    if definition.spec is not None:
        properties["spec"] = schema.structural(definition.spec)
    properties["status"] = schema.structural(definition.status)
    for part, guards in definition.guards.items():
        if part:
            properties[part]["x-kubernetes-validations"] = _validations(guards)
    whole: schema.Schema = {
        "description": (kind.__doc__ or "").split("\n", 1)[0],
        "type": "object",
        "properties": properties,
    }
    required = [field for field in ("spec",) if definition.spec and _is_required(kind, field)]
    if required:
        whole["required"] = required
    if "" in definition.guards:
        whole["x-kubernetes-validations"] = _validations(definition.guards[""])
    return whole


def _is_required(kind: type[Object], field: str) -> bool:
    return any(each.name == field and each.required for each in schema.fields(kind))


def _validations(guards: tuple[Guard, ...]) -> list[dict[str, str]]:
    return [{"rule": guard.rule, "message": guard.message} for guard in guards]


def _column(column: Column) -> dict[str, Any]:
    wide = {"priority": 1} if column.wide else {}
    return {"name": column.name, "type": column.type, "jsonPath": column.path} | wide


def written(definition: Definition) -> str:
    """Return the manifest as the YAML file that is kept in deploy/crds."""
    head = "# Made by `make crds` from the typed values; edit those.\n"
    return head + yaml.safe_dump(manifest(definition), sort_keys=False, width=100)


def main(directory: Path) -> None:
    """Write one file a definition."""
    directory.mkdir(parents=True, exist_ok=True)
    for definition in DEFINITIONS:
        name = f"{definition.resource.plural}.yaml"
        (directory / name).write_text(written(definition), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
