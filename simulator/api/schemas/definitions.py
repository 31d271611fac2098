"""CustomResourceDefinitions: checked when they are written, served from that moment on."""

from collections.abc import Iterator, MutableMapping
from typing import Final

from simulator.api import jsonpath, names, wire
from simulator.api.calls import Call
from simulator.api.kinds import Column, Custom, Generation, Kind
from simulator.api.schemas import validations
from simulator.api.schemas.custom import CustomStrategy
from simulator.api.status import Cause
from simulator.api.store import Change
from simulator.api.strategy import Strategy
from simulator.api.wire import JsonObject
from simulator.api.world import World

RESOURCE: Final = "customresourcedefinitions.apiextensions.k8s.io"
_SCOPES: Final = ("Cluster", "Namespaced")


class DefinitionStrategy(Strategy):
    """The rules of definitions. Of several versions the stored one is served."""

    def prepare(self, world: World, call: Call, new: JsonObject, old: JsonObject | None) -> None:
        """Fill in names, and accept them."""
        spec = wire.made(new, "spec")
        known = wire.made(spec, "names")
        if known.get("kind"):
            known.setdefault("singular", str(known["kind"]).lower())
            known.setdefault("listKind", f"{known['kind']}List")
        spec.setdefault("conversion", {"strategy": "None"})
        if old is None:
            new["status"] = _accepted(known, spec, wire.timestamp(world.clock()))
        elif not call.subresource:
            new["status"] = {**wire.section(new, "status"), "acceptedNames": wire.clone(known)}

    def validate(
        self, world: World, call: Call, new: JsonObject, old: JsonObject | None
    ) -> Iterator[Cause]:
        """Complain about what would not be servable."""
        del world, call, old
        spec = wire.section(new, "spec")
        name = f"{wire.text(spec, 'names', 'plural')}.{wire.text(spec, 'group')}"
        if wire.text(new, "metadata", "name") != name:
            rule = 'must be spec.names.plural+"."+spec.group'
            yield names.bad_value("metadata.name", wire.text(new, "metadata", "name"), rule)
        if spec.get("scope") not in _SCOPES:
            yield names.unsupported("spec.scope", spec.get("scope", ""), _SCOPES)
        stored = [one for one in wire.items(spec, "versions") if one.get("storage")]
        if len(stored) != 1:
            rule = "must have exactly one version marked as storage version"
            yield names.bad_value("spec.versions", len(stored), rule)
        for place, version in enumerate(wire.items(spec, "versions")):
            yield from _version(version, f"spec.versions[{place}]")


def _accepted(known: JsonObject, spec: JsonObject, since: str) -> JsonObject:
    told = (
        ("NamesAccepted", "NoConflicts", "no conflicts found"),
        ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    )
    conditions = [
        {
            "type": kind,
            "status": "True",
            "lastTransitionTime": since,
            "reason": reason,
            "message": message,
        }
        for kind, reason, message in told
    ]
    stored = [one.get("name") for one in wire.items(spec, "versions") if one.get("storage")]
    names = wire.clone(known)
    return {"conditions": conditions, "acceptedNames": names, "storedVersions": stored}


def _version(version: JsonObject, path: str) -> Iterator[Cause]:
    schema = wire.section(version, "schema", "openAPIV3Schema")
    place = f"{path}.schema.openAPIV3Schema"
    if not schema:
        yield names.required(place, "schemas are required")
        return
    yield from _untyped(schema, place)
    try:
        validations.compiled(schema)
    except validations.RuleError as problem:
        yield names.bad_value(f"{place}.x-kubernetes-validations", "", str(problem))
    for index, column in enumerate(wire.items(version, "additionalPrinterColumns")):
        try:
            jsonpath.parse(str(column.get("jsonPath", "")))
        except jsonpath.PathError as problem:
            where = f"{path}.additionalPrinterColumns[{index}].jsonPath"
            yield names.bad_value(where, column.get("jsonPath", ""), str(problem))


def _untyped(schema: JsonObject, path: str) -> Iterator[Cause]:
    """Complain about parts without a type: such a schema is not structural."""
    free = schema.get("x-kubernetes-int-or-string") or schema.get(
        "x-kubernetes-preserve-unknown-fields"
    )
    if not schema.get("type") and not free:
        yield names.required(f"{path}.type", "must not be empty for specified object fields")
    for key, inner in wire.section(schema, "properties").items():
        yield from _untyped(inner, f"{path}.properties[{key}]")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _untyped(schema[key], f"{path}.{key}")


class Definitions:
    """Serves the kinds that definitions define."""

    def __init__(self, world: World, strategies: MutableMapping[str, Strategy]) -> None:
        self._world = world
        self._strategies = strategies

    def notice(self, change: Change) -> None:
        """Serve what was defined, or serve it no longer."""
        if change.resource != RESOURCE:
            return
        definition = wire.load(change.new.body)
        if change.now is None:
            self._withdraw(definition)
            return
        kind = _kind(definition)
        if kind is not None and kind.custom is not None:
            self._strategies[kind.resource] = CustomStrategy(kind.custom.schema)
            self._world.kinds.add(kind)
            self._world.store.shelf(kind)

    def _withdraw(self, definition: JsonObject) -> None:
        kind = self._world.kinds.find(wire.text(definition, "metadata", "name"))
        if kind is None:
            return
        for key in list(self._world.store.shelf(kind).keys):
            self._world.store.delete(kind, key)
        self._world.kinds.drop(kind.resource)
        self._world.store.drop(kind)
        self._strategies.pop(kind.resource, None)


def _kind(definition: JsonObject) -> Kind | None:
    spec = definition["spec"]
    stored = next(one for one in wire.items(spec, "versions") if one.get("storage"))
    if not stored.get("served"):
        return None
    known = spec["names"]
    return Kind(
        group=spec["group"],
        version=stored["name"],
        plural=known["plural"],
        singular=known["singular"],
        kind=known["kind"],
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(known.get("shortNames", ())),
        categories=tuple(known.get("categories", ())),
        subresources=frozenset({"status"} & wire.section(stored, "subresources").keys()),
        generation=Generation.EVERYTHING,
        unconditional=False,
        selectable=_selectable(stored),
        custom=Custom(schema=stored["schema"]["openAPIV3Schema"], columns=_columns(stored)),
    )


def _selectable(version: JsonObject) -> dict[str, tuple[str, ...]]:
    paths = [
        wire.text(one, "jsonPath").lstrip(".") for one in wire.items(version, "selectableFields")
    ]
    return {path: tuple(path.split(".")) for path in paths}


def _columns(version: JsonObject) -> tuple[Column, ...]:
    return tuple(
        Column(
            name=one["name"],
            path=one["jsonPath"],
            type=one.get("type", "string"),
            format=one.get("format", ""),
            description=one.get("description", ""),
            priority=one.get("priority", 0),
        )
        for one in wire.items(version, "additionalPrinterColumns")
    )
