"""Namespaces: a new one gets its service account, a deleted one is emptied before it goes."""

from simulator.api import wire
from simulator.api.controllers.controller import Controller
from simulator.api.direct import Direct
from simulator.api.store import Change
from simulator.api.wire import JsonObject
from simulator.api.world import World


class NamespaceController(Controller[str]):
    """Looks after namespaces."""

    def __init__(self, world: World, direct: Direct) -> None:
        super().__init__()
        self._world = world
        self._direct = direct
        self._leaving: set[str] = set()

    def notice(self, change: Change) -> None:
        """Look at a namespace that changed, and at a leaving one whose content did."""
        if change.resource == "namespaces":
            self.queue(change.new.key)
        elif self._leaving and change.new.fields["metadata.namespace"] in self._leaving:
            self.queue(change.new.fields["metadata.namespace"])

    def sync(self, item: str) -> None:
        """Furnish a namespace, or empty it."""
        found = self._world.find(self._world.kinds.named("namespaces"), "", item)
        if found is None:
            self._leaving.discard(item)
        elif wire.text(found, "metadata", "deletionTimestamp"):
            self._leaving.add(item)
            self._empty(found, item)
        elif self._direct.find("serviceaccounts", "default", namespace=item) is None:
            account: JsonObject = {"metadata": {"name": "default"}}
            self._direct.create("serviceaccounts", account, namespace=item)

    def _empty(self, found: JsonObject, namespace: str) -> None:
        held = False
        for kind in list(self._world.kinds):
            if kind.namespaced and self._world.store.shelf(kind).within(namespace):
                self._direct.ask("DELETE", self._direct.path(kind.resource, namespace), {})
                held = held or bool(self._world.store.shelf(kind).within(namespace))
        if not held:
            path = self._direct.path("namespaces", "", namespace, "finalize")
            self._direct.ask("PUT", path, {**found, "spec": {"finalizers": []}})
