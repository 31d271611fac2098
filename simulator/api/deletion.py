"""Deleting objects: preconditions, grace, finalizers, and what waits for what."""

from dataclasses import dataclass
from typing import Final

from simulator.api import status, wire
from simulator.api.calls import Call
from simulator.api.wire import JsonObject
from simulator.api.world import World

FOREGROUND: Final = "foregroundDeletion"
ORPHAN: Final = "orphan"
_POLICIES: Final = {"": "", "Background": "", "Foreground": FOREGROUND, "Orphan": ORPHAN}
_KEPT_NAMESPACES: Final = frozenset({"default", "kube-system", "kube-public"})
_TERMINAL: Final = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a client wants of a deletion."""

    grace: int | None = None
    uid: str = ""
    version: str = ""
    finalizer: str = ""
    """What propagationPolicy asks to be put on the object."""


def options(call: Call, body: JsonObject) -> Options:
    """Read DeleteOptions from a body, or from the query where the body is silent.

    Raises:
        simulator.api.status.StatusError: 400, they make no sense.
    """
    grace = body.get("gracePeriodSeconds", call.query.get("gracePeriodSeconds"))
    policy = str(body.get("propagationPolicy") or call.query.get("propagationPolicy") or "")
    wanted = wire.section(body, "preconditions")
    if policy not in _POLICIES:
        raise status.bad_request(f"invalid propagationPolicy: {policy}")
    try:
        seconds = None if grace is None or grace == "" else int(grace)
    except ValueError as problem:
        raise status.bad_request(f"invalid gracePeriodSeconds: {grace}") from problem
    return Options(
        grace=seconds,
        uid=wanted.get("uid") or "",
        version=wanted.get("resourceVersion") or "",
        finalizer=_POLICIES[policy],
    )


def check(call: Call, value: JsonObject, wanted: Options) -> None:
    """Refuse if the object is not the one that the client means.

    Raises:
        simulator.api.status.StatusError: 409.
    """
    metadata = value["metadata"]
    if wanted.uid and wanted.uid != metadata["uid"]:
        raise status.conflict(
            call.kind.resource,
            call.name,
            f"the UID in the precondition ({wanted.uid}) does not match the UID in record "
            f"({metadata['uid']}). The object might have been deleted and then recreated",
        )
    if wanted.version and wanted.version != metadata["resourceVersion"]:
        raise status.conflict(
            call.kind.resource,
            call.name,
            f"the ResourceVersion in the precondition ({wanted.version}) does not match the "
            f"ResourceVersion in record ({metadata['resourceVersion']}). The object might have "
            "been modified",
        )


def delete(world: World, call: Call, wanted: Options) -> bytes:
    """Delete an object, or begin to; return what the server answers.

    Raises:
        simulator.api.status.StatusError: it is not there, is another one, or must not go.
    """
    value = world.find(call.kind, call.namespace, call.name)
    if value is None:
        raise status.not_found(call.kind.resource, call.name)
    check(call, value, wanted)
    if call.kind.resource == "namespaces" and call.name in _KEPT_NAMESPACES:
        raise status.forbidden("namespaces", call.name, "this namespace may not be deleted")
    grace = _grace(call, value, wanted)
    if grace is None:
        return wire.encode(value)
    marked = _mark(call, value, wanted, grace)
    if not _waits(value):
        return _let_go(world, call, value)
    if call.dry_run or not marked:
        return wire.encode(value)
    return world.store.put(call.kind, call.key, value).body


def _grace(call: Call, value: JsonObject, wanted: Options) -> int | None:
    """Return the seconds that the object still has; None if it has fewer left already."""
    if call.kind.resource != "pods":
        return 0
    metadata, spec = value["metadata"], wire.section(value, "spec")
    asked = wanted.grace
    if asked is None:
        asked = int(spec.get("terminationGracePeriodSeconds", 30))
    if not spec.get("nodeName") or wire.text(value, "status", "phase") in _TERMINAL:
        asked = 0
    asked = 1 if asked < 0 else asked
    left = metadata.get("deletionGracePeriodSeconds")
    if metadata.get("deletionTimestamp") and left is not None:
        return asked if wanted.grace is not None and asked < left else None
    return asked


def _mark(call: Call, value: JsonObject, wanted: Options, grace: int) -> bool:
    """Note on the object that it goes, and when; tell whether that is news."""
    metadata = value["metadata"]
    before = wire.clone(value)
    if call.kind.resource == "namespaces":
        value["status"] = {**wire.section(value, "status"), "phase": "Terminating"}
    if wanted.finalizer:
        finalizers = metadata.setdefault("finalizers", [])
        if wanted.finalizer not in finalizers:
            finalizers.append(wanted.finalizer)
    if not metadata.get("deletionTimestamp"):
        metadata["deletionTimestamp"] = wire.later(wire.timestamp(call.at), grace)
        if metadata.get("generation"):
            metadata["generation"] += 1
    elif grace != metadata.get("deletionGracePeriodSeconds"):
        shorter = grace - int(metadata["deletionGracePeriodSeconds"])
        metadata["deletionTimestamp"] = wire.later(metadata["deletionTimestamp"], shorter)
    metadata["deletionGracePeriodSeconds"] = grace
    return bool(value != before)


def _waits(value: JsonObject) -> bool:
    metadata = value["metadata"]
    held = value.get("kind") == "Namespace" and wire.section(value, "spec").get("finalizers")
    return bool(metadata["deletionGracePeriodSeconds"] or metadata.get("finalizers") or held)


def _let_go(world: World, call: Call, value: JsonObject) -> bytes:
    if not call.dry_run:
        body = world.store.delete(call.kind, call.key).body
        if call.kind.returns_deleted:
            return body
    elif call.kind.returns_deleted:
        return wire.encode(value)
    details = {"name": call.name, "group": call.kind.group, "kind": call.kind.plural}
    kept = {key: item for key, item in details.items() if item}
    return wire.encode(status.success({**kept, "uid": value["metadata"]["uid"]}))
