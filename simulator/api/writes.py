"""Creating and changing objects, by the rules that every kind shares."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from simulator.api import managed, names, status, wire
from simulator.api.calls import Call
from simulator.api.kinds import Generation
from simulator.api.status import Cause, StatusError
from simulator.api.strategy import PLAIN, Strategy
from simulator.api.wire import JsonObject
from simulator.api.world import World

Mutation: TypeAlias = Callable[[JsonObject], JsonObject]
"""Makes the wanted state out of the present one, which it may consume."""

Admit: TypeAlias = Callable[[Call, JsonObject, JsonObject | None], None]
"""Refuses a new state that some policy of the cluster forbids; no old one is a creation."""

_NAME_TRIES: Final = 8
_SERVERS: Final = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "name",
    "namespace",
    "selfLink",
    "uid",
)
"""Metadata that only the server writes."""

_LEFT_OUT: Final = ("labels", "annotations", "finalizers", "ownerReferences", "generateName")
"""Metadata that is not there when it is empty."""


class Writes:
    """Writes objects of every kind, each by its strategy."""

    def __init__(self, world: World, strategies: Mapping[str, Strategy], admit: Admit) -> None:
        self._world = world
        self._strategies = strategies
        self._admit = admit

    def create(self, call: Call, value: JsonObject) -> bytes:
        """Make an object.

        Raises:
            StatusError: it exists, is invalid, or its namespace takes no new ones.
        """
        kind, metadata = call.kind, wire.made(value, "metadata")
        _check_face(call, value)
        if metadata.get("resourceVersion"):
            raise status.internal("resourceVersion should not be set on objects to be created")
        self._name(call, metadata)
        key = kind.key(call.namespace, metadata.get("name", ""))
        self._check_room(call, metadata.get("name", ""))
        self._start(call, value)
        self._finish(call, value, None)
        if self._world.store.get(kind, key) is not None:
            raise status.already_exists(kind.resource, metadata["name"])
        return self._keep(call, key, value)

    def change(self, call: Call, mutate: Mutation) -> bytes:
        """Bring an object from its present state to another.

        Raises:
            StatusError: it is not there, has changed meanwhile, or the new state is invalid.
        """
        kind, entry = call.kind, self._world.store.get(call.kind, call.key)
        if entry is None:
            raise status.not_found(kind.resource, call.name)
        old, new = wire.load(entry.body), mutate(wire.load(entry.body))
        _check_face(call, new)
        _check_version(call, new, old)
        _restore(call, new, old)
        self._finish(call, new, old)
        if _same(new, old):
            return entry.body
        if not call.dry_run and _is_over(new):
            self._world.store.delete(kind, call.key)
            return wire.encode(new)
        return self._keep(call, call.key, new)

    def _keep(self, call: Call, key: str, value: JsonObject) -> bytes:
        if call.dry_run:
            face = {"apiVersion": call.kind.api_version, "kind": call.kind.kind}
            return wire.encode({**face, **value})
        return self._world.store.put(call.kind, key, value).body

    def _name(self, call: Call, metadata: JsonObject) -> None:
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = self._fresh_name(call, metadata["generateName"][:58])
        if call.kind.namespaced:
            metadata["namespace"] = call.namespace
        else:
            metadata.pop("namespace", None)

    def _fresh_name(self, call: Call, prefix: str) -> str:
        for _ in range(_NAME_TRIES):
            name = prefix + self._world.suffix()
            if self._world.store.get(call.kind, call.kind.key(call.namespace, name)) is None:
                break
        return name

    def _check_room(self, call: Call, name: str) -> None:
        if not call.kind.namespaced:
            return
        namespaces = self._world.kinds.named("namespaces")
        found = self._world.find(namespaces, "", call.namespace)
        if found is None:
            raise status.not_found("namespaces", call.namespace)
        if wire.text(found, "metadata", "deletionTimestamp"):
            raise terminating(call.kind.resource, name, call.namespace)

    def _start(self, call: Call, value: JsonObject) -> None:
        metadata = value["metadata"]
        for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"):
            metadata.pop(field, None)
        metadata["uid"] = self._world.uid()
        metadata["creationTimestamp"] = wire.timestamp(call.at)
        if call.kind.generation is not Generation.NEVER:
            metadata["generation"] = 1
        if call.kind.status_apart and not call.kind.keeps_status:
            value.pop("status", None)

    def _finish(self, call: Call, new: JsonObject, old: JsonObject | None) -> None:
        for field in _LEFT_OUT:
            if not new["metadata"].get(field):
                new["metadata"].pop(field, None)
        strategy = self._strategies.get(call.kind.resource, PLAIN)
        strategy.prepare(self._world, call, new, old)
        causes: list[Cause] = list(names.metadata(call.kind.resource, new))
        causes += _finalizers(new, old)
        causes += strategy.validate(self._world, call, new, old)
        if causes:
            name = str(new["metadata"].get("name", ""))
            raise status.invalid(call.kind.group_kind, name, causes)
        self._admit(call, new, old)
        if old is not None:
            _raise_generation(call, new, old)
        managed.track(
            old,
            new,
            manager=call.manager,
            api_version=call.kind.api_version,
            subresource=call.subresource if old is not None else "",
            time=wire.timestamp(call.at),
        )


def terminating(resource: str, name: str, namespace: str) -> StatusError:
    """403: the namespace is going away and takes nothing new."""
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    message = f"namespace {namespace} is being terminated"
    cause = Cause(reason="NamespaceTerminating", message=message, field="metadata.namespace")
    return status.forbidden(resource, name, why, causes=(cause,))


def _check_face(call: Call, value: JsonObject) -> None:
    kind, metadata = call.kind, wire.made(value, "metadata")
    version, name = value.get("apiVersion") or kind.api_version, metadata.get("name")
    if version != kind.api_version:
        raise status.bad_request(
            f"the API version in the data ({version}) does not match the expected API version "
            f"({kind.api_version})"
        )
    if (value.get("kind") or kind.kind) != kind.kind:
        raise status.bad_request(
            f"{kind.kind} in version {kind.version!r} cannot be handled as a {value['kind']}"
        )
    if call.name and name != call.name:
        raise status.bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({call.name})"
        )
    if kind.namespaced and metadata.get("namespace", call.namespace) != call.namespace:
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def _check_version(call: Call, new: JsonObject, old: JsonObject) -> None:
    kind, metadata, before = call.kind, new["metadata"], old["metadata"]
    version, uid = metadata.get("resourceVersion"), metadata.get("uid")
    if version and version != before["resourceVersion"]:
        raise status.stale(kind.resource, call.name)
    if uid and uid != before["uid"] and call.verb == "patch":
        cause = names.bad_value("metadata.uid", uid, "field is immutable")
        raise status.invalid(kind.group_kind, call.name, [cause])
    if uid and uid != before["uid"]:
        why = (
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {before['uid']}"
        )
        raise status.conflict(kind.resource, call.name, why)
    if not version and not kind.unconditional and call.verb == "update":
        cause = names.bad_value("metadata.resourceVersion", 0, "must be specified for an update")
        raise status.invalid(kind.group_kind, call.name, [cause])


def _restore(call: Call, new: JsonObject, old: JsonObject) -> None:
    """Put back what this call may not change."""
    kind = call.kind
    if call.subresource == "status":
        _keep_all_but_status(new, old, metadata=kind.custom is not None)
    elif kind.status_apart and call.subresource != "binding":
        _take(new, old, "status")
    for field in (*_SERVERS, "managedFields", "resourceVersion"):
        _take(new["metadata"], old["metadata"], field)


def _keep_all_but_status(new: JsonObject, old: JsonObject, *, metadata: bool) -> None:
    for field in dict.fromkeys([*new, *old]):
        if field not in {"status", "metadata"}:
            _take(new, old, field)
    if metadata:
        new["metadata"] = wire.clone(old["metadata"])
    else:
        _take(new["metadata"], old["metadata"], "ownerReferences")
        _take(new["metadata"], old["metadata"], "finalizers")


def _take(new: JsonObject, old: JsonObject, field: str) -> None:
    if field in old:
        new[field] = wire.clone(old[field])
    else:
        new.pop(field, None)


def _raise_generation(call: Call, new: JsonObject, old: JsonObject) -> None:
    if call.kind.generation is Generation.NEVER or call.subresource == "status":
        return
    if _wanted(call, new) != _wanted(call, old):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def _wanted(call: Call, value: JsonObject) -> JsonObject:
    if call.kind.generation is Generation.SPEC:
        return wire.section(value, "spec")
    hidden = {"metadata", "apiVersion", "kind"} | ({"status"} if call.kind.status_apart else set())
    return {key: item for key, item in value.items() if key not in hidden}


def _finalizers(new: JsonObject, old: JsonObject | None) -> list[Cause]:
    if old is None or not old["metadata"].get("deletionTimestamp"):
        return []
    before = old["metadata"].get("finalizers") or []
    added = [one for one in new["metadata"].get("finalizers") or [] if one not in before]
    if not added:
        return []
    rule = "no new finalizers can be added if the object is being deleted"
    why = f"{rule}, found new finalizers {added}"
    return [names.not_ours("metadata.finalizers", why)]


def _is_over(value: JsonObject) -> bool:
    """Tell whether an object only waited for what this write took away."""
    metadata = value["metadata"]
    return (
        bool(metadata.get("deletionTimestamp"))
        and not metadata.get("finalizers")
        and not metadata.get("deletionGracePeriodSeconds")
        and not (value.get("kind") == "Namespace" and wire.section(value, "spec").get("finalizers"))
    )


def _same(new: JsonObject, old: JsonObject) -> bool:
    """Tell whether nothing but bookkeeping would be written."""
    face = {"apiVersion": old["apiVersion"], "kind": old["kind"]}
    return {**face, **new} == old
