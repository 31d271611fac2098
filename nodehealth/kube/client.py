"""The API server's verbs on typed objects: what the rest of nodemend calls."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from random import Random
from typing import Final, Generic

import msgspec
import tenacity

from nodehealth.kube import errors, status, wire
from nodehealth.kube.objects import PODS, Object, Resource, T
from nodehealth.kube.patches import Operation
from nodehealth.kube.status import JSON_PATCH
from nodehealth.kube.transport import Request, Transport
from nodehealth.kube.wire import WatchEvent

MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC_PATCH: Final = "application/strategic-merge-patch+json"
DEADLINE: Final = timedelta(seconds=30)
"""Longer than the ten seconds for which an eviction may retry its conflicts in the server."""

_TRIES: Final = 4
_FIRST_PAUSE: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[T]):
    """All objects that were asked for, as they were at one resource version."""

    items: tuple[T, ...]
    resource_version: str


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
        self.deadline = deadline
        self.server_time: datetime | None = None
        """What the API server's clock said when it last answered, to the second."""
        self._random = random or Random()  # noqa: S311 - jitter is no secret

    async def get(self, resource: Resource[T], name: str, *, namespace: str = "") -> T:
        """Read one object, by quorum."""
        request = self._request("GET", resource.path(namespace, name))
        return wire.read(resource, request, await self._read(request))

    async def listing(
        self,
        resource: Resource[T],
        *,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        page: int = 500,
    ) -> Listing[T]:
        """Read all objects that match, page by page, all as of the same moment.

        Raises:
            nodehealth.kube.errors.ExpiredError: that moment was compacted away meanwhile.
        """
        path, items, after = resource.path(namespace), list[T](), ""
        while True:
            query = _query(labelSelector=labels, fieldSelector=fields, limit=str(page))
            request = self._request("GET", path, query | _query(**{"continue": after}))
            found = wire.read_page(resource, request, await self._read(request))
            items.extend(found.items or ())
            after = found.metadata.continue_
            if not after:
                version = found.metadata.resource_version
                return Listing(items=tuple(items), resource_version=version)

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
        query = _query(
            watch="1",
            allowWatchBookmarks="true",
            resourceVersion=since,
            labelSelector=labels,
            fieldSelector=fields,
            timeoutSeconds=str(max(1, round(lasting.total_seconds()))),
        )
        request = self._request("GET", resource.path(namespace), query)
        async with self.transport.open(request, deadline=silence) as response:
            self._heard(response.headers)
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
        return await self._write("POST", path, resource, _complete(resource, body))

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
        return await self._write("PUT", path, resource, _complete(resource, body))

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
        preconditions = _query(uid=uid, resourceVersion=resource_version)
        options = _delete_options(preconditions, grace_seconds)
        request = self._request("DELETE", resource.path(namespace, name), body=options)
        await self._send(request)

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
        rehearsal = {"dryRun": ["All"]} if dry_run else {}
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": _delete_options({"uid": uid}, grace_seconds) | rehearsal,
        }
        query = self._managed() | ({"dryRun": "All"} if dry_run else {})
        path = PODS.path(namespace, name, "eviction")
        await self._send(self._request("POST", path, query, eviction))

    async def _write(
        self,
        method: str,
        path: str,
        resource: Resource[T],
        body: object,
        content_type: str = "application/json",
    ) -> T:
        request = self._request(method, path, self._managed(), body, content_type)
        return wire.read(resource, request, await self._send(request))

    def _managed(self) -> dict[str, str]:
        return {"fieldManager": self.manager}

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> Request:
        headers = {"accept": "application/json", "user-agent": self.manager}
        if body is None:
            return Request(method=method, path=path, query=query or {}, headers=headers)
        headers["content-type"] = content_type
        encoded = msgspec.json.encode(body)
        return Request(method=method, path=path, query=query or {}, headers=headers, body=encoded)

    async def _read(self, request: Request) -> bytes:
        trying = tenacity.AsyncRetrying(
            sleep=asyncio.sleep,
            stop=tenacity.stop_after_attempt(_TRIES),
            wait=self._pause,
            retry=tenacity.retry_if_exception_type(errors.UnavailableError),
            reraise=True,
        )
        return await trying(self._send, request)

    def _pause(self, state: tenacity.RetryCallState) -> float:
        return _FIRST_PAUSE * 2.0**state.attempt_number * self._random.uniform(0.5, 1.0)

    async def _send(self, request: Request) -> bytes:
        try:
            async with (
                asyncio.timeout(self.deadline.total_seconds()),
                self.transport.open(request, deadline=self.deadline) as response,
            ):
                body = await response.read()
        except TimeoutError as late:
            text = f"no answer within {self.deadline.total_seconds():g} s"
            raise errors.OutcomeUnknownError(status.said(request, text)) from late
        self._heard(response.headers)
        if 200 <= response.status < 300:
            return body
        raise status.error(request, response.status, response.headers, body)

    def _heard(self, headers: Mapping[str, str]) -> None:
        try:
            self.server_time = parsedate_to_datetime(headers["date"])
        except (KeyError, ValueError):
            return


def _query(**parameters: str) -> dict[str, str]:
    """Leave out what is empty."""
    return {name: value for name, value in parameters.items() if value}


def _complete(resource: Resource[T], body: T | Mapping[str, object]) -> object:
    """Add the kind, which custom resources insist on."""
    if isinstance(body, Object):
        return msgspec.structs.replace(body, api_version=resource.api_version, kind=resource.kind)
    return {"apiVersion": resource.api_version, "kind": resource.kind, **body}


def _delete_options(
    preconditions: Mapping[str, str], grace_seconds: int | None
) -> dict[str, object]:
    grace = {} if grace_seconds is None else {"gracePeriodSeconds": grace_seconds}
    demands = {"preconditions": preconditions} if preconditions else {}
    return {"apiVersion": "v1", "kind": "DeleteOptions", **demands, **grace}
