"""The server on a clock that jumps: long waits, in no time."""

import asyncio
import json
from datetime import timedelta

from nodehealth.kube.transport import Request
from simulator import virtualtime
from simulator.api.controllers.plane import ControlPlane
from simulator.api.direct import Direct
from simulator.api.faults import LateWatch
from simulator.api.local import LocalTransport
from simulator.api.server import ApiServer
from simulator.api.wire import JsonObject

DAY = timedelta(days=1)


async def first(api: ApiServer, **query: str) -> JsonObject:
    """Return the first event of a watch on nodes."""
    asked = {"watch": "true", "resourceVersion": str(api.world.store.version), **query}
    request = Request(method="GET", path="/api/v1/nodes", query=asked)
    async with LocalTransport(api).open(request, deadline=DAY) as response:
        event: JsonObject = json.loads(await anext(response.chunks()))
        return event


@virtualtime.played
async def test_a_quiet_watch_hears_a_bookmark_every_minute() -> None:
    clock = virtualtime.clock()
    api, began = ApiServer(clock=clock), clock()

    event = await first(api, allowWatchBookmarks="true")

    assert event["type"] == "BOOKMARK"
    assert clock() - began == timedelta(minutes=1)


@virtualtime.played
async def test_a_late_watch_is_late_by_its_lag() -> None:
    clock = virtualtime.clock()
    api, began = ApiServer(clock=clock), clock()

    with api.faults.late(LateWatch(lag=timedelta(seconds=30), resource="nodes")):
        seeing = asyncio.create_task(first(api))
        await asyncio.sleep(5)
        Direct(api).create("nodes", {"metadata": {"name": "a"}})
        event = await seeing

    assert event["type"] == "ADDED"
    assert clock() - began == timedelta(seconds=35)


@virtualtime.played
async def test_controllers_react_after_their_lag() -> None:
    api = ApiServer(clock=virtualtime.clock())
    direct = Direct(api)
    running = asyncio.create_task(ControlPlane(api, lag=timedelta(seconds=2)).run())
    await asyncio.sleep(10)

    direct.create("nodes", {"metadata": {"name": "a"}, "spec": {"unschedulable": True}})
    await asyncio.sleep(1)
    before = direct.get("nodes", "a")["spec"].get("taints")
    await asyncio.sleep(2)
    after = direct.get("nodes", "a")["spec"].get("taints")
    running.cancel()

    assert before is None
    assert [one["key"] for one in after] == ["node.kubernetes.io/unschedulable"]
