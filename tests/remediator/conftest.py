"""An API server in this process with our resources, for what needs no machines."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from nodehealth import crds, keys
from nodehealth.kit import clocks
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import BARE_PODS, NODES, Node, Object, Resource
from nodehealth.repair import NODE_REPAIRS, NodeRepair
from remediator.admission import Admission
from simulator.api.local import LocalTransport
from simulator.api.server import ApiServer

DEFINITIONS = Resource(
    group="apiextensions.k8s.io",
    version="v1",
    plural="customresourcedefinitions",
    kind="CustomResourceDefinition",
    namespaced=False,
    type=Object,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A server and a client of it."""

    api: ApiServer
    client: Client

    def admission(self) -> Admission:
        """Return a remediator's way to the ledger; each has its own queue, as each process has."""
        return Admission(client=self.client, clock=clocks.wall)

    async def node(self, seen: Node) -> Node:
        """Create a Node with the spec, status and annotations of another one."""
        meta = {
            "name": seen.metadata.name,
            "labels": seen.metadata.labels,
            "annotations": seen.metadata.annotations,
        }
        body = {"metadata": meta, "spec": seen.spec}
        made = await self.client.create(NODES, body)
        whole = {"metadata": made.metadata, "spec": made.spec, "status": seen.status}
        return await self.client.replace(
            NODES, whole, name=made.metadata.name, subresource="status"
        )

    async def repair(self, wanted: NodeRepair) -> NodeRepair:
        """Create a repair and give it its status."""
        made = await self.client.create(NODE_REPAIRS, wanted)
        body = {"metadata": made.metadata, "status": wanted.status}
        return await self.client.replace(
            NODE_REPAIRS, body, name=made.metadata.name, subresource="status"
        )

    async def replica(self, name: str, node: str) -> None:
        """Create a remediator's pod that is ready on a node."""
        where = keys.NAMESPACE
        labels = {keys.NAME_LABEL: keys.REMEDIATOR_MANAGER}
        spec = {"nodeName": node, "containers": [{"name": "remediator", "image": "x"}]}
        body = {"metadata": {"name": name, "labels": labels}, "spec": spec}
        await self.client.create(BARE_PODS, body, namespace=where)
        status = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        await self.client.merge_patch(
            BARE_PODS, name, status, namespace=where, subresource="status"
        )

    async def newer_phase(self, name: str) -> None:
        """Have a newer version write a phase into a repair that this version does not know."""
        (ours,) = (each for each in crds.DEFINITIONS if each.resource is NODE_REPAIRS)
        wider = json.dumps(crds.manifest(ours)).replace('"Draining"', '"Draining", "Rebooting"')
        manifest = json.loads(wider)
        defined = manifest["metadata"]["name"]
        await self.client.merge_patch(DEFINITIONS, defined, {"spec": manifest["spec"]})
        body = {"status": {"phase": "Rebooting"}}
        with pytest.raises(errors.UnreadableError):
            await self.client.merge_patch(NODE_REPAIRS, name, body, subresource="status")


@pytest.fixture
def world() -> Callable[[], Awaitable[World]]:
    """Return a way to make a world within the running loop."""

    async def made() -> World:
        api = ApiServer(clock=clocks.wall)
        client = Client(LocalTransport(api), manager="test")
        for each in crds.DEFINITIONS:
            await client.create(DEFINITIONS, crds.manifest(each))
        return World(api=api, client=client)

    return made
