"""A cluster in this process, with one Node for the agent to speak for."""

from datetime import UTC, datetime

import pytest

from nodehealth import crds
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, Metadata, Node
from simulator.api.direct import Direct
from simulator.api.local import LocalTransport
from simulator.api.server import ApiServer

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def api() -> ApiServer:
    """A cluster without our resources."""
    return ApiServer(clock=lambda: NOON)


@pytest.fixture
def direct(api: ApiServer) -> Direct:
    """The administrator's way to it."""
    return Direct(api, manager="tester")


@pytest.fixture
def client(api: ApiServer) -> Client:
    """The agent's way to it."""
    return Client(LocalTransport(api), manager="nodemend-agent")


@pytest.fixture
async def node(direct: Direct, client: Client) -> Node:
    """A Node of a cluster that has our resources."""
    for each in crds.DEFINITIONS:
        direct.create("customresourcedefinitions.apiextensions.k8s.io", crds.manifest(each))
    return await client.create(NODES, Node(metadata=Metadata(name="n1")))
