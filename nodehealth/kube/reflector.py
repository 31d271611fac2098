"""A copy of what the API server holds, kept by one list and a watch that never quite ends."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from types import MappingProxyType
from typing import Final, Generic, NoReturn, TypeAlias

from nodehealth.kit import loops
from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import Metadata, Resource, T
from nodehealth.kube.wire import EventType, WatchEvent

logger = logging.getLogger(__name__)

Key: TypeAlias = tuple[str, str]
"""A namespace, empty for cluster-wide objects, and a name."""

OnChange: TypeAlias = Callable[[Key, T | None, T | None], None]
"""Called with what was and what is; None is what does not exist.

An object that was deleted and made anew while nobody listened comes as one change: its UID tells.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How hard a reflector tries."""

    first_pause: timedelta = timedelta(milliseconds=500)
    longest_pause: timedelta = timedelta(seconds=30)
    healthy: timedelta = timedelta(seconds=60)
    """How long a watch must live for the next pause to be short again."""
    silence: timedelta = timedelta(seconds=90)
    """How long a watch may say nothing; an API server sends a bookmark about every minute."""
    lasting: timedelta = timedelta(minutes=5)
    """How long a watch is asked to last, and up to twice that, so that reflectors disperse."""
    page: int = 500


PACE: Final = Pace()
_BARREN: Final = 3
"""After as many watches in a row without one event, the version they start from is doubted."""


class Reflector(Generic[T]):
    """Keeps `items` like the API server's objects and says what changed.

    The copy may be stale, and `fresh_at` says since when at worst. It never flaps: while the server
    is away the last known objects stay, and after a gap only the differences are told.

    Whoever owns the process should call `gc.freeze()` once its reflectors are synced: the
    collector then no longer walks through every object they hold.

    Args:
        client: The way to the API server.
        resource: What to copy.
        clock: The time that `fresh_at` tells.
        random: Where the jitter of pauses comes from.
        namespace: Where; empty means everywhere.
        labels: A label selector.
        fields: A field selector.
        on_change: What to call for each change, after `items` shows it.
        pace: How hard to try.
    """

    def __init__(
        self,
        client: Client,
        resource: Resource[T],
        *,
        clock: Clock,
        random: Random,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        on_change: OnChange[T] | None = None,
        pace: Pace = PACE,
    ) -> None:
        self.synced = asyncio.Event()
        """Set when the first list is complete, and never cleared."""
        self.fresh_at: datetime | None = None
        """When the server last said anything: the copy is no older than that, less its delay."""
        self._client, self._resource = client, resource
        self._namespace, self._labels, self._fields = namespace, labels, fields
        self._clock, self._random, self._pace = clock, random, pace
        self._on_change = on_change
        self._items: dict[Key, T] = {}
        self._version = ""
        self._barren = 0

    @property
    def kind(self) -> str:
        """Return what is copied, such as `nodes`."""
        return self._resource.plural

    @property
    def items(self) -> Mapping[Key, T]:
        """Return the objects as they are known now; the mapping goes on changing."""
        return MappingProxyType(self._items)

    async def run(self) -> NoReturn:
        """List, watch, and begin again whenever that ends, until cancelled."""
        pauses = self._pauses()
        while True:
            if await self._follow() >= self._pace.healthy.total_seconds():
                pauses = self._pauses()
            else:
                await asyncio.sleep(next(pauses).total_seconds())

    async def _follow(self) -> float:
        """Follow the server until something ends it; return for how many seconds we watched."""
        loop = asyncio.get_running_loop()
        since = None
        try:
            if not self._version or self._barren >= _BARREN:
                await self._list()
            since = loop.time()
            await self._watch()
        except (errors.ExpiredError, errors.UnreadableError) as gap:
            logger.info("%s: listing anew: %s", self._resource.plural, gap)
            self._version = ""
        except errors.KubeError as away:
            logger.warning("%s: the copy may be stale: %s", self._resource.plural, away)
        return 0.0 if since is None else loop.time() - since

    async def _list(self) -> None:
        asked_at = self._clock()
        found = await self._client.listing(
            self._resource,
            namespace=self._namespace,
            labels=self._labels,
            fields=self._fields,
            page=self._pace.page,
        )
        present = {_key(each.metadata): each for each in found.items}
        for key in self._items.keys() - present.keys():
            self._put(key, None)
        for key, each in present.items():
            self._put(key, each)
        self._version, self._barren = found.resource_version, 0
        self.fresh_at = asked_at
        self.synced.set()

    async def _watch(self) -> None:
        self._barren += 1
        events = self._client.watch(
            self._resource,
            since=self._version,
            namespace=self._namespace,
            labels=self._labels,
            fields=self._fields,
            lasting=self._pace.lasting * self._random.uniform(1.0, 2.0),
            silence=self._pace.silence,
        )
        async with aclosing(events):
            async for event in events:
                self._take(event)

    def _take(self, event: WatchEvent[T]) -> None:
        metadata = event.metadata
        if _went_back(self._version, metadata.resource_version):
            raise errors.ExpiredError("the server's history was set back: etcd was restored")
        if event.type is EventType.DELETED:
            self._put(_key(metadata), None)
        elif event.type is not EventType.BOOKMARK:
            self._put(_key(metadata), event.object)  # one that does not fit is as good as gone
        self._version, self._barren = metadata.resource_version, 0
        self.fresh_at = self._clock()

    def _put(self, key: Key, new: T | None) -> None:
        old = self._items.get(key)
        if _version(old) == _version(new):
            return
        if new is None:
            del self._items[key]
        else:
            self._items[key] = new
        if self._on_change is not None:
            self._on_change(key, old, new)

    def _pauses(self) -> Iterator[timedelta]:
        return loops.backoff(self._pace.first_pause, self._pace.longest_pause, random=self._random)


def _key(metadata: Metadata) -> Key:
    return metadata.namespace, metadata.name


def _version(found: T | None) -> tuple[str, str] | None:
    return None if found is None else (found.metadata.uid, found.metadata.resource_version)


def _went_back(was: str, now: str) -> bool:
    return was.isdigit() and now.isdigit() and int(now) < int(was)
