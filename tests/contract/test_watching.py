"""A watch tells every change after a version, in order, or says that it cannot."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import timedelta
from random import Random

import pytest

from nodehealth.health import NODE_HEALTHS
from nodehealth.kit import clocks
from nodehealth.kube import errors
from nodehealth.kube.objects import NODES, PODS, Resource, T
from nodehealth.kube.reflector import Reflector
from nodehealth.kube.wire import EventType, WatchEvent
from tests.contract.cluster import LABEL, Cluster
from tests.contract.kinds import CONFIG_MAPS, ConfigMap

LONG = timedelta(minutes=1)


async def first(
    cluster: Cluster,
    count: int,
    resource: Resource[T],
    *,
    since: str,
    namespace: str = "",
    labels: str = "",
    fields: str = "",
) -> list[WatchEvent[T]]:
    """Return the first changes after a version."""
    events = cluster.client.watch(
        resource, since=since, namespace=namespace, labels=labels, fields=fields, lasting=LONG
    )
    found: list[WatchEvent[T]] = []
    async with asyncio.timeout(cluster.pace.patience), aclosing(events):
        async for event in events:
            found += [event] if event.type is not EventType.BOOKMARK else []
            if len(found) == count:
                break
    return found


async def colour(cluster: Cluster, name: str, value: str) -> ConfigMap:
    """Change a label of an object."""
    patch = {"metadata": {"labels": {"colour": value}}}
    return await cluster.client.merge_patch(
        CONFIG_MAPS, cluster.named(name), patch, namespace=cluster.namespace
    )


async def now(cluster: Cluster) -> str:
    """Return the version of a list of our namespace."""
    found = await cluster.client.listing(CONFIG_MAPS, namespace=cluster.namespace, labels=LABEL)
    return found.resource_version


def told(events: list[WatchEvent[T]]) -> list[tuple[str, str]]:
    """Say what happened to whom."""
    return [(event.type.value, event.metadata.name.rpartition("-")[2]) for event in events]


async def test_a_watch_tells_what_happened_since_the_list(cluster: Cluster) -> None:
    """API concepts, "Efficient detection of changes"."""
    await cluster.config("before")
    since = await now(cluster)
    await cluster.config("c")
    await colour(cluster, "c", "red")
    await cluster.client.delete(CONFIG_MAPS, cluster.named("c"), namespace=cluster.namespace)

    events = await first(
        cluster, 3, CONFIG_MAPS, since=since, namespace=cluster.namespace, labels=LABEL
    )

    assert told(events) == [("ADDED", "c"), ("MODIFIED", "c"), ("DELETED", "c")]
    versions = [int(event.metadata.resource_version) for event in events]
    assert int(since) < versions[0] < versions[1] < versions[2]


async def test_what_is_deleted_is_told_in_its_last_state(cluster: Cluster) -> None:
    """API concepts, "Efficient detection of changes": with the version of the deletion."""
    await cluster.config("c")
    last = await colour(cluster, "c", "red")
    await cluster.client.delete(CONFIG_MAPS, cluster.named("c"), namespace=cluster.namespace)
    since = last.metadata.resource_version

    (event,) = await first(
        cluster, 1, CONFIG_MAPS, since=since, namespace=cluster.namespace, labels=LABEL
    )

    assert event.type is EventType.DELETED
    assert (event.metadata.uid, event.metadata.labels) == (last.metadata.uid, last.metadata.labels)
    assert int(event.metadata.resource_version) > int(since)


async def test_changes_come_while_the_watch_is_open(cluster: Cluster) -> None:
    """API concepts, "Efficient detection of changes"."""
    since = await now(cluster)

    watching = asyncio.create_task(
        first(cluster, 2, CONFIG_MAPS, since=since, namespace=cluster.namespace, labels=LABEL)
    )
    await asyncio.sleep(cluster.pace.poll)
    await cluster.config("a")
    await cluster.config("b")

    assert told(await watching) == [("ADDED", "a"), ("ADDED", "b")]


async def test_who_enters_a_selection_is_added_and_who_leaves_it_deleted(cluster: Cluster) -> None:
    """watchCache: an event is what it means to the watcher's selector."""
    await cluster.config("c")
    since = await now(cluster)
    await colour(cluster, "c", "red")
    await colour(cluster, "c", "blue")
    left = await colour(cluster, "c", "green")

    events = await first(
        cluster,
        2,
        CONFIG_MAPS,
        since=since,
        namespace=cluster.namespace,
        labels="colour in (red)",
    )

    assert told(events) == [("ADDED", "c"), ("DELETED", "c")]
    assert events[1].metadata.labels["colour"] == "red"
    assert int(events[1].metadata.resource_version) < int(left.metadata.resource_version)


async def test_a_watch_of_one_nodes_pods_hears_of_no_others(cluster: Cluster) -> None:
    """Field selectors, "Supported fields": spec.nodeName of pods, in watches too."""
    here, elsewhere = await cluster.node("here"), await cluster.node("elsewhere")
    since = (await cluster.client.listing(PODS, namespace=cluster.namespace)).resource_version
    await cluster.pod("other", elsewhere)
    pod = await cluster.pod("mine", here)

    events = await first(
        cluster,
        2,
        PODS,
        since=since,
        namespace=cluster.namespace,
        fields=f"spec.nodeName={here.metadata.name}",
    )

    assert {event.metadata.uid for event in events} == {pod.metadata.uid}


async def test_a_watch_ends_in_good_order_with_a_bookmark_before(cluster: Cluster) -> None:
    """API concepts, "Watch bookmarks"; cacheWatcher.nextBookmarkTime: also before the end."""
    since = await now(cluster)
    made = await cluster.config("c")
    events = cluster.client.watch(
        CONFIG_MAPS,
        since=since,
        namespace=cluster.namespace,
        labels=LABEL,
        lasting=cluster.pace.watch,
    )

    async with aclosing(events):
        heard = [event async for event in events]

    marks = [event for event in heard if event.type is EventType.BOOKMARK]
    assert heard[0].type is EventType.ADDED
    assert marks
    assert marks[-1].object is None
    assert int(marks[-1].metadata.resource_version) >= int(made.metadata.resource_version)


async def test_a_watch_from_a_bookmark_goes_on_from_there(cluster: Cluster) -> None:
    """API concepts, "Watch bookmarks": everything up to it has been sent."""
    events = cluster.client.watch(
        CONFIG_MAPS,
        since=(await cluster.config("before")).metadata.resource_version,
        namespace=cluster.namespace,
        labels=LABEL,
        lasting=cluster.pace.watch,
    )
    await cluster.config("seen")
    async with aclosing(events):
        *_, mark = [event async for event in events]
    await cluster.config("c")

    (event,) = await first(
        cluster,
        1,
        CONFIG_MAPS,
        since=mark.metadata.resource_version,
        namespace=cluster.namespace,
        labels=LABEL,
    )

    assert told([event]) == [("ADDED", "c")]


async def test_a_watch_from_before_history_begins_has_expired(cluster: Cluster) -> None:
    """API concepts, "410 Gone responses"; watchCache: older than its first list of the kind."""
    healths = await cluster.custom(NODE_HEALTHS)
    await cluster.create(healths, cluster.named("h"))

    with pytest.raises(errors.ExpiredError, match="too old resource version"):
        await first(cluster, 1, healths, since="1")


async def test_a_version_that_is_no_version_is_refused(cluster: Cluster) -> None:
    """APIObjectVersioner.ParseResourceVersion."""
    with pytest.raises(errors.InvalidError):
        await first(
            cluster, 1, CONFIG_MAPS, since="yesterday", namespace=cluster.namespace, labels=LABEL
        )


@asynccontextmanager
async def running(work: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Let something run for a while."""
    task = asyncio.ensure_future(work())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_reflector_has_what_the_server_has(cluster: Cluster) -> None:
    """List, then watch: API concepts, "Efficient detection of changes"."""
    await cluster.node("old")
    copy = Reflector(
        cluster.client,
        NODES,
        clock=clocks.wall,
        random=Random(0),
        labels=f"{LABEL}={cluster.prefix}",
    )

    async def has(*names: str) -> None:
        expected = {("", cluster.named(name)) for name in names}

        async def same() -> bool:
            return copy.items.keys() == expected

        await cluster.until(same)

    async with running(copy.run):
        await has("old")
        await cluster.node("new")
        await has("old", "new")
        cluster.forget()
        await cluster.client.delete(NODES, cluster.named("old"))
        await has("new")
