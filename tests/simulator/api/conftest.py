"""A server with a clock that stands still until it is told to move."""

from collections.abc import Callable

import pytest

from simulator.api.direct import Direct
from simulator.api.server import ApiServer
from simulator.api.wire import JsonObject
from tests.simulator.api.fakes import Watchmaker


@pytest.fixture
def clock() -> Watchmaker:
    """A clock that stands still."""
    return Watchmaker()


@pytest.fixture
def api(clock: Watchmaker) -> ApiServer:
    """An API server that has only what every cluster has."""
    return ApiServer(clock=clock)


@pytest.fixture
def direct(api: ApiServer) -> Direct:
    """The administrator's way to the server."""
    return Direct(api, manager="tester")


@pytest.fixture
def pod(direct: Direct) -> Callable[..., JsonObject]:
    """A maker of pods; they run on a node unless told otherwise."""

    def make(
        name: str, *, node: str = "n1", phase: str = "Running", ready: bool = True, **labels: str
    ) -> JsonObject:
        spec: JsonObject = {"containers": [{"name": "main", "image": "busybox:1"}]}
        if node:
            spec["nodeName"] = node
        direct.create(
            "pods",
            {"metadata": {"name": name, "labels": labels}, "spec": spec},
            namespace="default",
        )
        ready_now = {"type": "Ready", "status": str(ready)}
        status = {"phase": phase, "conditions": [ready_now]}
        return direct.merge(
            "pods", name, {"status": status}, namespace="default", subresource="status"
        )

    return make
