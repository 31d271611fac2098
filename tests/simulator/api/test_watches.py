"""Watches: what they see, in which order, and how they end."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from nodehealth.kube.transport import Request
from simulator.api.direct import Direct
from simulator.api.faults import LateWatch
from simulator.api.local import LocalTransport
from simulator.api.server import ApiServer
from simulator.api.wire import JsonObject

WAIT = timedelta(seconds=2)


class Seeing:
    """One watch, event by event."""

    def __init__(self, lines: AsyncIterator[bytes]) -> None:
        self._lines = lines
        self._held: list[JsonObject] = []

    async def next(self) -> JsonObject:
        """Return the next event; StopAsyncIteration if the watch is over."""
        while not self._held:
            piece = await anext(self._lines)
            self._held += [json.loads(line) for line in piece.splitlines()]
        return self._held.pop(0)

    async def brief(self) -> tuple[str, str]:
        """Return the type of the next event and the name of its object."""
        event = await self.next()
        return event["type"], event["object"]["metadata"].get("name", "")


@asynccontextmanager
async def watching(api: ApiServer, **query: str) -> AsyncIterator[Seeing]:
    """Watch nodes."""
    request = Request(method="GET", path="/api/v1/nodes", query={"watch": "true", **query})
    async with LocalTransport(api).open(request, deadline=WAIT) as response:
        assert response.status == 200
        yield Seeing(response.chunks())


def make(direct: Direct, name: str, **labels: str) -> str:
    """Make a node and return its version."""
    made = direct.create("nodes", {"metadata": {"name": name, "labels": labels}})
    version: str = made["metadata"]["resourceVersion"]
    return version


async def test_without_a_version_the_present_comes_first(api: ApiServer, direct: Direct) -> None:
    make(direct, "a")

    async with watching(api) as seeing:
        assert await seeing.brief() == ("ADDED", "a")
        make(direct, "b")
        assert await seeing.brief() == ("ADDED", "b")


async def test_from_a_version_on_every_change_is_seen(api: ApiServer, direct: Direct) -> None:
    version = make(direct, "a")
    direct.merge("nodes", "a", {"spec": {"unschedulable": True}})
    direct.delete("nodes", "a")

    async with watching(api, resourceVersion=version) as seeing:
        changed, gone = await seeing.next(), await seeing.next()

    assert (changed["type"], gone["type"]) == ("MODIFIED", "DELETED")
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in (changed, gone)]
    assert int(version) < versions[0] < versions[1]


async def test_entering_and_leaving_a_selection(api: ApiServer, direct: Direct) -> None:
    version = make(direct, "a", pool="x")
    direct.merge("nodes", "a", {"metadata": {"labels": {"pool": "y"}}})
    direct.merge("nodes", "a", {"metadata": {"labels": {"pool": "x"}}})

    async with watching(api, resourceVersion=version, labelSelector="pool=x") as seeing:
        left, entered = await seeing.next(), await seeing.next()

    assert (left["type"], entered["type"]) == ("DELETED", "ADDED")
    assert left["object"]["metadata"]["labels"] == {"pool": "x"}
    assert int(left["object"]["metadata"]["resourceVersion"]) == int(version) + 1


async def test_one_object_is_watched_by_name(api: ApiServer, direct: Direct) -> None:
    make(direct, "a")
    make(direct, "b")

    async with watching(api, fieldSelector="metadata.name=b") as seeing:
        assert await seeing.brief() == ("ADDED", "b")


async def test_a_version_that_is_gone_ends_with_an_error_event(
    api: ApiServer, direct: Direct
) -> None:
    version = make(direct, "a")
    make(direct, "b")
    api.compact()

    async with watching(api, resourceVersion=version) as seeing:
        event = await seeing.next()
        with pytest.raises(StopAsyncIteration):
            await seeing.next()

    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")


async def test_initial_events_end_with_a_marked_bookmark(api: ApiServer, direct: Direct) -> None:
    make(direct, "a")
    query = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }

    async with watching(api, **query) as seeing:
        first, mark = await seeing.next(), await seeing.next()

    assert (first["type"], mark["type"]) == ("ADDED", "BOOKMARK")
    assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_watch_ends_when_its_time_is_over(api: ApiServer) -> None:
    async with watching(api, timeoutSeconds="1", resourceVersion="1") as seeing:
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(seeing.next(), 1.5)

    assert len(api.watches) == 0


async def test_a_watch_can_be_cut(api: ApiServer, direct: Direct) -> None:
    make(direct, "a")

    async with watching(api) as seeing:
        await seeing.next()
        assert api.watches.cut(lambda call: call.kind.plural == "nodes") == 1
        with pytest.raises(StopAsyncIteration):
            await seeing.next()


async def test_a_late_watch_sees_the_past_until_it_may_catch_up(
    api: ApiServer, direct: Direct
) -> None:
    version = make(direct, "a")

    with api.faults.late(LateWatch(lag=timedelta(hours=1), resource="nodes")):
        async with watching(api, resourceVersion=version) as late:
            make(direct, "b")
            waiting = asyncio.create_task(late.brief())
            await asyncio.sleep(0.02)
            assert not waiting.done()
            api.faults.clear()
            assert await waiting == ("ADDED", "b")


async def test_a_client_that_leaves_leaves_nothing_behind(api: ApiServer, direct: Direct) -> None:
    make(direct, "a")

    async with watching(api) as seeing:
        await seeing.next()
        assert len(api.watches) == 1

    assert len(api.watches) == 0
