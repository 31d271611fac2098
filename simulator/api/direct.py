"""The API without a loop: for simulated components and tests in the same process."""

from collections.abc import Mapping, Sequence
from typing import Final

from nodehealth.kube.transport import Request
from simulator.api import bodies, status, wire
from simulator.api.calls import ADMIN, User
from simulator.api.kinds import Kind
from simulator.api.server import ApiServer
from simulator.api.wire import JsonObject

_POLICY: Final = "policy/v1"
_TABLE: Final = "application/json;as=Table;v=v1;g=meta.k8s.io"


class Direct:
    """Speaks to an API server as a user; every call is a request like any other's, audited too.

    Resources are named as in RBAC rules of one string: `pods`, `leases.coordination.k8s.io`.
    """

    def __init__(self, api: ApiServer, *, user: User = ADMIN, manager: str = "direct") -> None:
        self._api = api
        self._user = user
        self._manager = manager

    def get(self, resource: str, name: str, *, namespace: str = "") -> JsonObject:
        """Return an object.

        Raises:
            simulator.api.status.StatusError: it is not there.
        """
        return self.ask("GET", self.path(resource, namespace, name))

    def find(self, resource: str, name: str, *, namespace: str = "") -> JsonObject | None:
        """Return an object if it is there."""
        try:
            return self.get(resource, name, namespace=namespace)
        except status.StatusError as refused:
            if refused.code != 404:
                raise
            return None

    def listed(
        self, resource: str, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> Sequence[JsonObject]:
        """Return the objects that are selected, in the order of their names."""
        query = {"labelSelector": labels, "fieldSelector": fields}
        found = self.ask("GET", self.path(resource, namespace), query=query)
        return wire.items(found, "items")

    def table(self, resource: str, *, namespace: str = "", labels: str = "") -> JsonObject:
        """Return objects as kubectl prints them."""
        path, query = self.path(resource, namespace), {"labelSelector": labels}
        return self.ask("GET", path, query=query, accept=_TABLE)

    def create(self, resource: str, value: JsonObject, *, namespace: str = "") -> JsonObject:
        """Make an object; it lies in the namespace that it names unless one is given."""
        place = namespace or wire.text(value, "metadata", "namespace")
        return self.ask("POST", self.path(resource, place), value)

    def replace(self, resource: str, value: JsonObject, *, subresource: str = "") -> JsonObject:
        """Put an object in the place of the one of its name."""
        metadata = value["metadata"]
        place = self.path(resource, metadata.get("namespace", ""), metadata["name"], subresource)
        return self.ask("PUT", place, value)

    def merge(
        self,
        resource: str,
        name: str,
        patch: JsonObject,
        *,
        namespace: str = "",
        subresource: str = "",
    ) -> JsonObject:
        """Change an object by a merge patch."""
        path = self.path(resource, namespace, name, subresource)
        return self.ask("PATCH", path, patch, media=bodies.MERGE_PATCH)

    def strategic(
        self,
        resource: str,
        name: str,
        patch: JsonObject,
        *,
        namespace: str = "",
        subresource: str = "",
    ) -> JsonObject:
        """Change a built-in object by a strategic merge patch."""
        path = self.path(resource, namespace, name, subresource)
        return self.ask("PATCH", path, patch, media=bodies.STRATEGIC_PATCH)

    def json_patch(
        self,
        resource: str,
        name: str,
        operations: Sequence[JsonObject],
        *,
        namespace: str = "",
        subresource: str = "",
    ) -> JsonObject:
        """Change an object by a JSON patch."""
        path = self.path(resource, namespace, name, subresource)
        return self.ask("PATCH", path, operations, media=bodies.JSON_PATCH)

    def delete(
        self,
        resource: str,
        name: str,
        *,
        namespace: str = "",
        options: JsonObject | None = None,
    ) -> JsonObject:
        """Delete an object, or begin to."""
        return self.ask("DELETE", self.path(resource, namespace, name), options or {})

    def evict(self, name: str, *, namespace: str, options: JsonObject | None = None) -> JsonObject:
        """Evict a pod within its disruption budget."""
        body: JsonObject = {"apiVersion": _POLICY, "kind": "Eviction", "metadata": {"name": name}}
        body["metadata"]["namespace"] = namespace
        if options is not None:
            body["deleteOptions"] = options
        return self.ask("POST", self.path("pods", namespace, name, "eviction"), body)

    def path(
        self, resource: str, namespace: str = "", name: str = "", subresource: str = ""
    ) -> str:
        """Return the path of a resource, of one object, or of a part of it."""
        kind: Kind = self._api.world.kinds.named(resource)
        root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
        place = f"/namespaces/{namespace}" if namespace and kind.namespaced else ""
        rest = "".join(f"/{part}" for part in (name, subresource) if part)
        return f"{root}{place}/{kind.plural}{rest}"

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        media: str = "application/json",
        accept: str = "application/json",
    ) -> JsonObject:
        """Send any request and return the object that it is answered with.

        Raises:
            simulator.api.status.StatusError: it is refused.
        """
        value = self.try_ask(method, path, body, query=query, media=media, accept=accept)
        if value.get("kind") == "Status" and value.get("status") == "Failure":
            raise status.read(value)
        return value

    def try_ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        media: str = "application/json",
        accept: str = "application/json",
    ) -> JsonObject:
        """Send any request and return what it is answered with, a refusal too."""
        request = Request(
            method=method,
            path=path,
            query={"fieldManager": self._manager, **(query or {})},
            headers={"content-type": media, "accept": accept, "user-agent": self._manager},
            body=b"" if body is None else wire.encode(body),
        )
        return wire.load(self._api.respond(request, self._user).body())
