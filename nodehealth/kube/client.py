"""The API server's verbs on typed objects: what the rest of nodemend calls."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final, Generic

import msgspec

from nodehealth.kube import errors, requests, status, wire
from nodehealth.kube.exchange import Exchange
from nodehealth.kube.objects import Resource, T
from nodehealth.kube.patches import Operation
from nodehealth.kube.requests import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from nodehealth.kube.transport import Request, Transport
from nodehealth.kube.wire import WatchEvent

DEADLINE: Final = timedelta(seconds=30)
EVICTION_DEADLINE: Final = timedelta(seconds=15)
"""At least: the server itself tries again for ten seconds when an eviction meets a conflict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[T]):
    """All objects that were asked for, as they were at one resource version."""

    items: tuple[T, ...]
    resource_version: str
    left_out: tuple[str, ...] = ()
    """Kinds and names of objects that are there but do not fit their type."""

    def whole(self) -> tuple[T, ...]:
        """Return all objects, for whoever must not take one that is left out for none.

        Raises:
            nodehealth.kube.errors.UnreadableError: some are left out.
        """
        if self.left_out:
            named = ", ".join(self.left_out[:3]) + (" and others" if self.left_out[3:] else "")
            raise errors.UnreadableError(
                f"{named} cannot be read, for another version wrote that: "
                "run a version that can read it, or delete it if nobody needs it any more"
            )
        return self.items


class Client:
    """Reads and writes typed objects.

    Reads are consistent (they see every write that has been answered) and are tried again when
    the server is away. Writes are sent once: only the caller knows what a lost answer means.

    Args:
        transport: The way to the API server.
        manager: Who we are in the managed fields of what we write.
        random: Where the jitter between two tries comes from.
        deadline: How long one request may take, its answer included; a watch has its own.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        manager: str,
        random: Random | None = None,
        deadline: timedelta = DEADLINE,
    ) -> None:
        self.transport = transport
        self.manager = manager
        jitter = random or Random()  # noqa: S311 - jitter is no secret
        self._exchange = Exchange(transport, deadline=deadline, random=jitter)

    @property
    def server_time(self) -> datetime | None:
        """Return what the server's clock said, to the second, when it last answered."""
        return self._exchange.server_time

    def server_now(self) -> tuple[datetime, datetime] | None:
        """Return what the server's clock shows now at the earliest and latest, by its answers."""
        return self._exchange.server_now()

    async def get(self, resource: Resource[T], name: str, *, namespace: str = "") -> T:
        """Read one object, by quorum."""
        request = self._reading(resource.path(namespace, name))
        return wire.read(resource, request, await self._exchange.patiently(request))

    async def version(self) -> tuple[int, int]:
        """Ask which version of Kubernetes serves: its major and minor number."""
        request = self._reading("/version")
        return wire.read_version(request, await self._exchange.patiently(request))

    async def listing(
        self,
        resource: Resource[T],
        *,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        page: int = 500,
        cached: bool = False,
    ) -> Listing[T]:
        """Read all objects that match, page by page, all as of the same moment.

        Args:
            resource: What to read.
            namespace: Where; empty means everywhere.
            labels: A label selector.
            fields: A field selector.
            page: How many at once.
            cached: Whether what the server has in its cache will do: it may be old, and spares
                etcd a reading of all objects of the kind where a field selector picks a few.

        Raises:
            nodehealth.kube.errors.ExpiredError: that moment was compacted away meanwhile.
        """
        path, items, left_out, after = resource.path(namespace), list[T](), list[str](), ""
        matching = {"labelSelector": labels, "fieldSelector": fields}
        matching |= {"resourceVersion": "0"} if cached else {"limit": str(page)}
        while True:
            request = self._reading(path, **matching, **{"continue": after})
            body = await self._exchange.patiently(request)
            found, misfits = wire.read_page(resource, request, body)
            items.extend(found.items or ())
            left_out.extend(misfits)
            after = found.metadata.continue_
            if not after:
                version = found.metadata.resource_version
                return Listing(
                    items=tuple(items), resource_version=version, left_out=tuple(left_out)
                )

    async def watch(
        self,
        resource: Resource[T],
        *,
        since: str,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        lasting: timedelta = timedelta(minutes=5),
        silence: timedelta = timedelta(seconds=90),
    ) -> AsyncGenerator[WatchEvent[T], None]:
        """Yield what changes after a resource version, until the server closes the watch.

        Use it within `contextlib.aclosing`. Bookmarks are asked for: an API server sends one about
        every minute, so a longer silence means that the connection is dead.

        Args:
            resource: What to watch.
            since: The resource version after which changes are wanted.
            namespace: Where; empty means everywhere.
            labels: A label selector.
            fields: A field selector.
            lasting: After how long the server shall close the watch.
            silence: After how long without a byte the watch is given up.

        Raises:
            nodehealth.kube.errors.ExpiredError: the version is not kept any more; list again.
            nodehealth.kube.errors.UnreadableError: an object does not fit its type; list again.
            nodehealth.kube.errors.UnavailableError: the connection broke, or was silent too long.
        """
        request = self._reading(
            resource.path(namespace),
            watch="1",
            allowWatchBookmarks="true",
            resourceVersion=since,
            labelSelector=labels,
            fieldSelector=fields,
            timeoutSeconds=str(max(1, round(lasting.total_seconds()))),
        )
        async with self.transport.open(request, deadline=silence) as response:
            self._exchange.heard(response.headers)
            if response.status != 200:
                body = await response.read()
                raise status.error(request, response.status, response.headers, body)
            lines = wire.Lines()
            async for chunk in response.chunks():
                for line in lines.feed(chunk):
                    yield wire.read_event(resource, request, line)
            for line in lines.end():
                yield wire.read_event(resource, request, line)

    async def create(
        self, resource: Resource[T], body: T | Mapping[str, object], *, namespace: str = ""
    ) -> T:
        """Create an object.

        Raises:
            nodehealth.kube.errors.ConflictError: there is one of that name.
        """
        path = resource.path(namespace)
        return await self._write("POST", path, resource, requests.complete(resource, body))

    async def replace(
        self,
        resource: Resource[T],
        body: T | Mapping[str, object],
        *,
        name: str,
        namespace: str = "",
        subresource: str = "",
    ) -> T:
        """Replace an object whole, if it still has the resource version that the body names.

        Only for kinds whose every field we know: what a partial type cannot hold is erased.
        """
        path = resource.path(namespace, name, subresource)
        return await self._write("PUT", path, resource, requests.complete(resource, body))

    async def merge_patch(
        self,
        resource: Resource[T],
        name: str,
        body: msgspec.Struct | Mapping[str, object],
        *,
        namespace: str = "",
        subresource: str = "",
    ) -> T:
        """Merge maps and replace everything else; None removes a key.

        A `metadata.resourceVersion` in the body makes the write conditional on it.
        """
        path = resource.path(namespace, name, subresource)
        return await self._write("PATCH", path, resource, body, MERGE_PATCH)

    async def strategic_patch(
        self,
        resource: Resource[T],
        name: str,
        body: msgspec.Struct | Mapping[str, object],
        *,
        namespace: str = "",
        subresource: str = "",
    ) -> T:
        """Merge lists by their keys too, as conditions by type; not for custom resources."""
        path = resource.path(namespace, name, subresource)
        return await self._write("PATCH", path, resource, body, STRATEGIC_PATCH)

    async def json_patch(
        self,
        resource: Resource[T],
        name: str,
        operations: Sequence[Operation],
        *,
        namespace: str = "",
        subresource: str = "",
    ) -> T:
        """Apply all operations to the stored object, or none.

        Raises:
            nodehealth.kube.errors.TestFailedError: a test does not hold, or a path is missing.
        """
        path = resource.path(namespace, name, subresource)
        return await self._write("PATCH", path, resource, operations, JSON_PATCH)

    async def delete(
        self,
        resource: Resource[T],
        name: str,
        *,
        namespace: str = "",
        uid: str = "",
        resource_version: str = "",
        grace_seconds: int | None = None,
    ) -> None:
        """Delete an object, if it is still the one that is meant.

        Raises:
            nodehealth.kube.errors.ConflictError: its UID or version is another one.
        """
        options = requests.delete_options(
            uid=uid, resource_version=resource_version, grace_seconds=grace_seconds
        )
        path = resource.path(namespace, name)
        await self._exchange.once(requests.deleting(path, options, manager=self.manager))

    async def evict(
        self,
        name: str,
        *,
        namespace: str,
        uid: str,
        grace_seconds: int | None = None,
        dry_run: bool = False,
    ) -> None:
        """Ask for a pod to be deleted as its disruption budgets allow.

        Raises:
            nodehealth.kube.errors.BlockedError: a budget does not allow it now.
            nodehealth.kube.errors.BudgetConflictError: more than one budget selects the pod.
            nodehealth.kube.errors.ConflictError: the pod of that name is another one.
        """
        options = requests.delete_options(uid=uid, grace_seconds=grace_seconds)
        request = requests.evicting(namespace, name, options, dry_run=dry_run, manager=self.manager)
        limit = max(self._exchange.deadline, EVICTION_DEADLINE)
        await self._exchange.once(request, deadline=limit)

    async def bind(
        self, name: str, *, namespace: str, uid: str, resource_version: str = "", node: str
    ) -> None:
        """Give a pod to a node, as schedulers do; with a version, only as it was read.

        Raises:
            nodehealth.kube.errors.ConflictError: it is on a node already, is being deleted, was
                changed, or is another one.
        """
        request = requests.binding(
            namespace, name, uid, node, resource_version=resource_version, manager=self.manager
        )
        await self._exchange.once(request)

    def _reading(self, path: str, **parameters: str) -> Request:
        return requests.reading(path, requests.query(**parameters), manager=self.manager)

    async def _write(
        self,
        method: str,
        path: str,
        resource: Resource[T],
        body: object,
        content_type: str = requests.JSON,
    ) -> T:
        request = requests.writing(
            method, path, body, manager=self.manager, content_type=content_type
        )
        return wire.read(resource, request, await self._exchange.once(request))
