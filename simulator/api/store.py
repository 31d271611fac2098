"""Versioned objects and what happened to them: one increasing version, bytes, bounded history."""

import bisect
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Final, TypeAlias

import msgspec

from nodehealth.kit.clocks import Clock
from simulator.api import wire
from simulator.api.kinds import Kind
from simulator.api.wire import JsonObject

EVENTS_KEPT: Final = 20_000
BYTES_KEPT: Final = 64 * 2**20


class Happened(StrEnum):
    """What became of an object; the words of a watch."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An object at one version: its bytes, and what selectors look at.

    Neither it nor a Change is ever part of a circle; a garbage collector that looked at the
    hundred thousand of them that history holds would halt the loop for a tenth of a second.
    """

    key: str
    version: int
    body: bytes
    labels: Mapping[str, str]
    fields: Mapping[str, str]
    uid: str = ""
    owners: tuple[str, ...] = ()
    """The UIDs that this object's ownerReferences name."""


class Change(msgspec.Struct, frozen=True, gc=False):
    """One write. What is deleted is shown as it was, at the version of its deletion."""

    resource: str
    happened: Happened
    at: datetime
    old: Entry | None
    new: Entry

    @property
    def version(self) -> int:
        """Return the version that the write made."""
        return self.new.version

    @property
    def now(self) -> Entry | None:
        """Return what is there after the write."""
        return None if self.happened is Happened.DELETED else self.new


Hook: TypeAlias = Callable[[Change], None]
Wake: TypeAlias = Callable[[], None]
_version = attrgetter("version")


def _owners(value: JsonObject) -> list[JsonObject]:
    return wire.items(value, "metadata", "ownerReferences")


class Shelf:
    """All objects of one kind, in the order of their keys, with their recent changes."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.entries: dict[str, Entry] = {}
        self.keys: list[str] = []
        self.changes: list[Change] = []
        self.dropped = 0
        """How many changes are no longer kept; a cursor is an index from the beginning of time."""
        self.floor = 0
        """The last version that is no longer kept: a watch from before it has expired."""
        self.wakes: list[Wake] = []
        self.closed = False
        """Whether the kind is served no longer."""
        self._bytes = 0

    @property
    def end(self) -> int:
        """Return the cursor behind the last change."""
        return self.dropped + len(self.changes)

    def cursor(self, version: int) -> int:
        """Return the cursor of the first change after a version."""
        return self.dropped + bisect.bisect_right(self.changes, version, key=_version)

    def since(self, cursor: int, limit: int) -> Sequence[Change]:
        """Return the next changes from a cursor on."""
        start = cursor - self.dropped
        return self.changes[start : start + limit]

    def within(self, namespace: str) -> list[Entry]:
        """Return the objects of a namespace in order; of all namespaces if none is named."""
        if not namespace:
            return [self.entries[key] for key in self.keys]
        first = bisect.bisect_left(self.keys, f"{namespace}/")
        end = bisect.bisect_left(self.keys, f"{namespace}0", lo=first)  # 0 follows / in ASCII
        return [self.entries[key] for key in self.keys[first:end]]

    def apply(self, change: Change) -> None:
        """Make a change part of the present and of history."""
        key = change.new.key
        if change.happened is Happened.ADDED:
            bisect.insort(self.keys, key)
        if change.now is None:
            del self.entries[key]
            del self.keys[bisect.bisect_left(self.keys, key)]
        else:
            self.entries[key] = change.new
        self.changes.append(change)
        self._bytes += len(change.new.body)
        if len(self.changes) > EVENTS_KEPT or self._bytes > BYTES_KEPT:
            self._drop(max(1, len(self.changes) // 4))

    def compact(self, version: int) -> None:
        """Forget the changes up to a version."""
        self._drop(self.cursor(version) - self.dropped)
        self.floor = max(self.floor, version)

    def _drop(self, count: int) -> None:
        if count:
            self.floor = max(self.floor, self.changes[count - 1].version)
            self._bytes -= sum(len(change.new.body) for change in self.changes[:count])
            del self.changes[:count]
            self.dropped += count


class Store:
    """Everything the API server remembers."""

    def __init__(self, clock: Clock) -> None:
        self.version = 1
        self._clock = clock
        self._shelves: dict[str, Shelf] = {}
        self._hooks: list[Hook] = []
        self._pending: deque[Change] = deque()
        self._telling = False

    def shelf(self, kind: Kind) -> Shelf:
        """Return where objects of a kind are kept."""
        shelf = self._shelves.get(kind.resource)
        if shelf is None:
            shelf = self._shelves[kind.resource] = Shelf(kind)
            if kind.custom is not None:  # nobody remembers it from before it was served
                shelf.floor = self.version
        shelf.kind = kind
        return shelf

    def get(self, kind: Kind, key: str) -> Entry | None:
        """Return an object, if it is there."""
        return self.shelf(kind).entries.get(key)

    def put(self, kind: Kind, key: str, value: JsonObject) -> Entry:
        """Keep an object under a new version."""
        shelf = self.shelf(kind)
        old = shelf.entries.get(key)
        happened = Happened.ADDED if old is None else Happened.MODIFIED
        return self._commit(shelf, happened, old, self._entry(kind, key, value))

    def delete(self, kind: Kind, key: str) -> Entry:
        """Let an object go; return it as it was, at the version of its deletion.

        Raises:
            KeyError: it is not there.
        """
        shelf = self.shelf(kind)
        old = shelf.entries[key]
        last = self._entry(kind, key, wire.load(old.body))
        return self._commit(shelf, Happened.DELETED, old, last)

    def drop(self, kind: Kind) -> None:
        """Forget a kind and end its watches; its objects must be gone already."""
        shelf = self._shelves.pop(kind.resource, None)
        if shelf is not None:
            shelf.closed = True
            for wake in shelf.wakes:
                wake()

    def present(self) -> list[Change]:
        """Return everything that is there as if it had just been added, in order of version."""
        now = self._clock()
        held = [
            Change(shelf.kind.resource, Happened.ADDED, now, None, entry)
            for shelf in self._shelves.values()
            for entry in shelf.entries.values()
        ]
        return sorted(held, key=_version)

    def on_commit(self, hook: Hook) -> None:
        """Tell of every change, in order, when it is done and before the writer is answered."""
        self._hooks.append(hook)

    def compact(self, version: int | None = None) -> None:
        """Forget all history up to a version; up to now if none is given."""
        for shelf in self._shelves.values():
            shelf.compact(self.version if version is None else version)

    def _entry(self, kind: Kind, key: str, value: JsonObject) -> Entry:
        self.version += 1
        value["metadata"]["resourceVersion"] = str(self.version)
        face = {"apiVersion": kind.api_version, "kind": kind.kind}
        rest = {name: item for name, item in value.items() if name not in face}
        labels = {
            sys.intern(name): sys.intern(str(item))
            for name, item in wire.section(value, "metadata", "labels").items()
        }
        owners = tuple(wire.text(owner, "uid") for owner in _owners(value))
        body, uid = wire.encode({**face, **rest}), wire.text(value, "metadata", "uid")
        return Entry(key, self.version, body, labels, kind.index(value), uid, owners)

    def _commit(self, shelf: Shelf, happened: Happened, old: Entry | None, new: Entry) -> Entry:
        change = Change(shelf.kind.resource, happened, self._clock(), old, new)
        shelf.apply(change)
        for wake in shelf.wakes:
            wake()
        self._pending.append(change)
        if not self._telling:
            self._tell()
        return new

    def _tell(self) -> None:
        self._telling = True
        try:
            while self._pending:
                change = self._pending.popleft()
                for hook in self._hooks:
                    hook(change)
        finally:
            self._telling = False
