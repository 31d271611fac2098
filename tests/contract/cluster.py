"""A cluster that is held to the contract, and a corner of it that is the test's own."""

import asyncio
import dataclasses
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import yaml

from nodehealth.kube import errors, requests
from nodehealth.kube.client import Client
from nodehealth.kube.connect import connect
from nodehealth.kube.objects import NODES, PODS, Node, Pod, Resource, T
from nodehealth.kube.transport import Request
from tests.contract.kinds import (
    BUDGETS,
    CONFIG_MAPS,
    DEFINITIONS,
    NAMESPACES,
    SERVICE_ACCOUNTS,
    Budget,
    ConfigMap,
    Json,
)

CRDS: Final = Path(__file__).parents[2] / "deploy" / "crds"
MANAGER: Final = "nodemend-contract"
LABEL: Final = "nodemend.dev/contract"
TAINT: Final = {"key": LABEL, "value": "mine", "effect": "NoSchedule"}
"""Keeps the pods of others away from our nodes, which have no kubelet."""

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server says to a request that our client has no word for."""

    code: int
    headers: Mapping[str, str]
    body: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a cluster is."""

    poll: float
    """Seconds between two looks."""
    patience: float
    """Seconds after which what was to come has failed to come."""
    watch: timedelta
    """How long a watch must last to be sent a bookmark before it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The way to a cluster; whatever is made through it is gone afterwards.

    Fields:
        client: The administrator's way in.
        prefix: What the names of all that is ours begin with.
        namespace: A namespace of our own.
        pace: How fast the cluster is.
        forget: Makes the server forget its history; a real one does that when it likes.
    """

    client: Client
    prefix: str
    namespace: str
    pace: Pace
    forget: Callable[[], None] = lambda: None
    _made: list[tuple[Resource[Any], str, str]] = field(default_factory=list)

    def named(self, name: str) -> str:
        """Return a name that nobody else uses."""
        return f"{self.prefix}-{name}"

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send any request and return whatever is answered."""
        standard = {"accept": requests.JSON, "content-type": requests.JSON, "user-agent": MANAGER}
        request = Request(
            method=method,
            path=path,
            query=query or {},
            headers={**standard, **(headers or {})},
            body=b"" if body is None else msgspec.json.encode(body),
        )
        limit = timedelta(seconds=self.pace.patience)
        async with self.client.transport.open(request, deadline=limit) as response:
            content = await response.read()
        return Answer(
            code=response.status, headers=response.headers, body=msgspec.json.decode(content)
        )

    async def until(self, look: Callable[[], Awaitable[Found | None]]) -> Found:
        """Look until there is something to see."""
        async with asyncio.timeout(self.pace.patience):
            while True:
                found = await look()
                if found:
                    return found
                await asyncio.sleep(self.pace.poll)

    async def create(
        self, resource: Resource[T], name: str, body: Json | None = None, *, namespace: str = ""
    ) -> T:
        """Create an object of a name of our own, or of exactly this one in the given namespace."""
        given, place = body or {}, (namespace or self.namespace) if resource.namespaced else ""
        metadata = {**given.get("metadata", {}), "name": name}
        metadata["labels"] = {**metadata.get("labels", {}), LABEL: self.prefix}
        self.expect(resource, name, namespace=place)
        return await self.client.create(resource, {**given, "metadata": metadata}, namespace=place)

    def expect(self, resource: Resource[T], name: str, *, namespace: str = "") -> None:
        """Delete this in the end, should anybody make it."""
        place = (namespace or self.namespace) if resource.namespaced else ""
        self._made.append((resource, name, place))

    async def config(self, name: str, **metadata: object) -> ConfigMap:
        """Create the plainest object there is."""
        body = {"metadata": metadata, "data": {"colour": "red"}}
        return await self.create(CONFIG_MAPS, self.named(name), body)

    async def node(self, name: str = "node", **metadata: object) -> Node:
        """Create a Node without a machine; the first of its heartbeats is its last."""
        ready = {"type": "Ready", "status": "True", "reason": "Contract", "message": "no machine"}
        body = {
            "metadata": metadata,
            "spec": {"taints": [TAINT]},
            "status": {"conditions": [ready]},
        }
        return await self.create(NODES, self.named(name), body)

    async def pod(
        self,
        name: str,
        node: Node,
        *,
        phase: str = "Running",
        ready: bool = True,
        account: str = "default",
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Pod:
        """Create a pod on a node and say of it what its kubelet would."""
        await self.until(self._account(account))
        spec = {
            "nodeName": node.metadata.name,
            "serviceAccountName": account,
            "automountServiceAccountToken": False,
            "containers": [{"name": "main", "image": "registry.example/none:1"}],
            "tolerations": [{"operator": "Exists", "effect": "NoExecute"}],
        }
        marks = {"labels": dict(labels or {}), "annotations": dict(annotations or {})}
        body = {"metadata": marks, "spec": spec}
        made = await self.create(PODS, self.named(name), body)
        return await self.report(made, phase=phase, ready=ready)

    async def report(self, pod: Pod, *, phase: str = "Running", ready: bool = True) -> Pod:
        """Say of a pod what its kubelet would."""
        conditions = [{"type": "Ready", "status": str(ready)}]
        return await self.client.strategic_patch(
            PODS,
            pod.metadata.name,
            {"status": {"phase": phase, "conditions": conditions}},
            namespace=self.namespace,
            subresource="status",
        )

    async def budget(self, name: str, app: str, *, allowed: int, **spec: object) -> Budget:
        """Create a budget for the pods of an app and wait until it allows so many disruptions."""
        selector = {"matchLabels": {"app": app}}
        made = await self.create(
            BUDGETS, self.named(name), {"spec": {"selector": selector, **spec}}
        )
        return await self.allows(made, allowed)

    async def allows(self, budget: Budget, allowed: int) -> Budget:
        """Wait until a budget is counted and allows so many disruptions."""

        async def counted() -> Budget | None:
            seen = await self.client.get(BUDGETS, budget.metadata.name, namespace=self.namespace)
            current = seen.status.observed_generation >= seen.metadata.generation
            return seen if current and seen.status.disruptions_allowed == allowed else None

        return await self.until(counted)

    async def custom(self, resource: Resource[T]) -> Resource[T]:
        """Serve one of our kinds from its manifest, in an API group that only this test has."""
        ours = dataclasses.replace(resource, group=f"{self.prefix}.nodemend.dev")
        manifest = await asyncio.to_thread(manifest_of, resource)
        manifest["spec"]["group"] = ours.group
        await self.create(DEFINITIONS, f"{ours.plural}.{ours.group}", {"spec": manifest["spec"]})

        async def served() -> bool:
            with suppress(errors.GoneError):
                await self.client.listing(ours)
                return True
            return False

        await self.until(served)
        return ours

    async def clean(self) -> None:
        """Delete whatever was made, the newest first, whatever holds it."""
        for resource, name, namespace in reversed(self._made):
            with suppress(errors.GoneError):
                free = {"metadata": {"finalizers": None}}
                if resource.kind not in {"Namespace", "CustomResourceDefinition"}:
                    await self.client.merge_patch(resource, name, free, namespace=namespace)
                await self.client.delete(resource, name, namespace=namespace, grace_seconds=0)

    def _account(self, name: str) -> Callable[[], Awaitable[bool]]:
        async def exists() -> bool:
            with suppress(errors.GoneError):
                await self.client.get(SERVICE_ACCOUNTS, name, namespace=self.namespace)
                return True
            return False

        return exists


def manifest_of(resource: Resource[Any]) -> Json:
    """Read the manifest that we ship for one of our kinds."""
    found: Json = yaml.safe_load((CRDS / f"{resource.plural}.yaml").read_text())
    return found


@asynccontextmanager
async def visited(
    kubeconfig: Path, pace: Pace, forget: Callable[[], None] = lambda: None
) -> AsyncIterator[Cluster]:
    """Go to a cluster, furnish a corner of it, and leave it as it was."""
    prefix = f"nmt-{secrets.token_hex(4)}"
    async with connect(kubeconfig, manager=MANAGER) as client:
        cluster = Cluster(client=client, prefix=prefix, namespace=prefix, pace=pace, forget=forget)
        try:
            await cluster.create(NAMESPACES, prefix)
            yield cluster
        finally:
            await cluster.clean()
