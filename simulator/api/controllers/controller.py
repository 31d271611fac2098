"""A controller: it notices changes and later, in a write of its own, does something about them."""

import abc
from collections.abc import Hashable
from datetime import datetime
from typing import Generic, TypeVar

from simulator.api.store import Change

K = TypeVar("K", bound=Hashable)


class Controller(abc.ABC, Generic[K]):
    """Keeps a queue of things to look at again, each at most once."""

    def __init__(self) -> None:
        self._queue: dict[K, None] = {}
        self._later: dict[K, datetime] = {}

    @abc.abstractmethod
    def notice(self, change: Change) -> None:
        """Queue what a change makes necessary; write nothing yet."""

    @abc.abstractmethod
    def sync(self, item: K) -> None:
        """Bring one thing to how it should be."""

    def queue(self, item: K) -> None:
        """Look at a thing as soon as possible."""
        self._queue[item] = None

    def queue_at(self, item: K, at: datetime) -> None:
        """Look at a thing again at a time."""
        self._later[item] = at

    def work(self, now: datetime) -> bool:
        """Look at one thing that is due; tell whether there was one."""
        for item in [item for item, at in self._later.items() if at <= now]:
            del self._later[item]
            self._queue[item] = None
        if not self._queue:
            return False
        item = next(iter(self._queue))
        del self._queue[item]
        self.sync(item)
        return True

    def due(self) -> datetime | None:
        """Return when there is something to look at though nothing changes."""
        return min(self._later.values(), default=None)
