"""The garbage collector: what belongs to nothing any more goes."""

from dataclasses import dataclass
from typing import Final

from simulator.api import wire
from simulator.api.controllers.controller import Controller
from simulator.api.deletion import FOREGROUND, ORPHAN
from simulator.api.direct import Direct
from simulator.api.status import StatusError
from simulator.api.store import Change
from simulator.api.wire import JsonObject
from simulator.api.world import World

_HELD: Final = (f'"{FOREGROUND}"'.encode(), f'"{ORPHAN}"'.encode())


@dataclass(frozen=True, slots=True)
class Thing:
    """An object as the collector knows it."""

    resource: str
    namespace: str
    name: str
    uid: str


class GarbageCollector(Controller[Thing]):
    """Deletes dependents whose owners are gone, and holds owners that wait for dependents."""

    def __init__(self, world: World, direct: Direct) -> None:
        super().__init__()
        self._world = world
        self._direct = direct
        self._things: dict[str, Thing] = {}
        self._dependents: dict[str, dict[Thing, None]] = {}
        """By their owner's UID; no sets, whose order differs from process to process."""

    def notice(self, change: Change) -> None:
        """Learn who belongs to whom; look at what lost an owner or waits for dependents."""
        new = change.new
        name, namespace = new.fields["metadata.name"], new.fields["metadata.namespace"]
        thing = Thing(change.resource, namespace, name, new.uid)
        for uid in change.old.owners if change.old is not None else ():
            self._dependents.get(uid, {}).pop(thing, None)
        if change.now is None:
            self._forget(thing, new.owners)
            return
        self._things[new.uid] = thing
        for uid in new.owners:
            self._dependents.setdefault(uid, {})[thing] = None
            if uid not in self._things:
                self.queue(thing)
        if any(mark in new.body for mark in _HELD):
            self.queue(thing)

    def _forget(self, thing: Thing, owners: tuple[str, ...]) -> None:
        self._things.pop(thing.uid, None)
        for dependent in self._dependents.pop(thing.uid, ()):
            self.queue(dependent)
        for uid in owners:
            if uid in self._things:
                self.queue(self._things[uid])

    def sync(self, item: Thing) -> None:
        """Delete a thing that lost its owners; let go of one that waited for dependents."""
        kind = self._world.kinds.find(item.resource)
        value = None if kind is None else self._world.find(kind, item.namespace, item.name)
        if value is None or value["metadata"]["uid"] != item.uid:
            return
        owners = wire.items(value, "metadata", "ownerReferences")
        if owners and not any(owner.get("uid") in self._things for owner in owners):
            self._delete(item)
        elif value["metadata"].get("deletionTimestamp"):
            self._release(item, value)

    def _release(self, item: Thing, value: JsonObject) -> None:
        finalizers = value["metadata"].get("finalizers") or []
        dependents = sorted(self._dependents.get(item.uid, ()), key=lambda one: one.name)
        if ORPHAN in finalizers:
            for dependent in dependents:
                self._disown(dependent, item.uid)
            self._drop(item, finalizers, ORPHAN)
        elif FOREGROUND in finalizers:
            for dependent in dependents:
                self._delete(dependent)
            if not self._dependents.get(item.uid):
                self._drop(item, finalizers, FOREGROUND)

    def _delete(self, item: Thing) -> None:
        options = {"preconditions": {"uid": item.uid}}
        try:
            self._direct.delete(item.resource, item.name, namespace=item.namespace, options=options)
        except StatusError as refused:
            if refused.code not in {404, 409}:
                raise

    def _disown(self, item: Thing, owner: str) -> None:
        value = self._direct.find(item.resource, item.name, namespace=item.namespace)
        if value is not None:
            kept = [one for one in value["metadata"]["ownerReferences"] if one["uid"] != owner]
            self._patch(item, {"ownerReferences": kept or None})

    def _drop(self, item: Thing, finalizers: list[str], gone: str) -> None:
        self._patch(item, {"finalizers": [one for one in finalizers if one != gone] or None})

    def _patch(self, item: Thing, metadata: JsonObject) -> None:
        patch = {"metadata": metadata}
        self._direct.merge(item.resource, item.name, patch, namespace=item.namespace)
