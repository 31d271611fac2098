"""What a watch sees: every change of a selection from a version on, in order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from simulator.api import status, wire
from simulator.api.reading import CHUNK, Selection
from simulator.api.store import Change, Entry, Happened, Shelf, Store
from simulator.api.wire import JsonObject

INITIAL_END: Final = "k8s.io/initial-events-end"


@dataclass(frozen=True, slots=True)
class Seen:
    """One event as a watcher sees it."""

    type: str
    body: bytes

    @property
    def line(self) -> bytes:
        """Return the event as it is sent."""
        return b'{"type":"' + self.type.encode() + b'","object":' + self.body + b"}\n"


class Watcher:
    """A place in the history of a kind, and the selection that is watched from there."""

    def __init__(self, store: Store, shelf: Shelf, selection: Selection) -> None:
        self._store = store
        self._shelf = shelf
        self._selection = selection
        self._cursor = shelf.end
        self.version = store.version
        """The version up to which everything was seen."""

    def start_after(self, version: int) -> None:
        """Begin with the first change after a version.

        Raises:
            simulator.api.status.StatusError: 410, that is no longer known.
        """
        if version < self._shelf.floor:
            raise status.expired(f"too old resource version: {version} ({self._shelf.floor + 1})")
        self._cursor = self._shelf.cursor(version)
        self.version = version

    def start_now(self) -> Iterator[list[Seen]]:
        """Begin with the present: everything selected is shown as added, some at a time."""
        held = self._shelf.within(self._selection.namespace)
        for start in range(0, len(held), CHUNK):
            chosen = filter(self._selection.takes, held[start : start + CHUNK])
            yield [Seen(Happened.ADDED, entry.body) for entry in chosen]

    def pull(self, *, until: datetime | None = None) -> list[Seen] | None:
        """Return what happened since the last time; None if nothing did.

        Changes after a point in time stay unseen, for watchers that lag.

        Raises:
            simulator.api.status.StatusError: 410, the watcher was too slow.
        """
        if self._cursor < self._shelf.dropped:
            raise status.expired(f"too old resource version: {self.version}")
        changes = self._shelf.since(self._cursor, CHUNK)
        if until is not None:
            changes = [change for change in changes if change.at <= until]
        if not changes:
            if until is None:
                self.version = max(self.version, self._store.version)
            return None
        self._cursor += len(changes)
        self.version = max(self.version, changes[-1].version)
        return self._visible(changes)

    def next_at(self, lag: timedelta) -> datetime | None:
        """Return when a lagging watcher may see its next change."""
        waiting = self._shelf.since(self._cursor, 1)
        return waiting[0].at + lag if waiting else None

    def bookmark(self, *, annotations: JsonObject | None = None) -> Seen:
        """Return the event that only tells a version."""
        kind = self._shelf.kind
        metadata: JsonObject = {"resourceVersion": str(self.version), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        face = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
        return Seen("BOOKMARK", wire.encode(face))

    def _visible(self, changes: Sequence[Change]) -> list[Seen]:
        found = (self._seen(change) for change in changes)
        return [seen for seen in found if seen is not None]

    def _seen(self, change: Change) -> Seen | None:
        before = change.old is not None and self._selection.takes(change.old)
        after = change.now is not None and self._selection.takes(change.now)
        if before and after:
            return Seen(Happened.MODIFIED, change.new.body)
        if after:
            return Seen(Happened.ADDED, change.new.body)
        if not before or change.old is None:
            return None
        if change.now is None:
            return Seen(Happened.DELETED, change.new.body)
        return Seen(Happened.DELETED, _as_of(change.old, change.version))


def _as_of(entry: Entry, version: int) -> bytes:
    """Return an object that left the selection: as it was in it, at the version of its leaving."""
    value = wire.load(entry.body)
    value["metadata"]["resourceVersion"] = str(version)
    return wire.encode(value)


def refused(problem: status.StatusError) -> Seen:
    """Return the event that ends a watch with an error."""
    return Seen("ERROR", wire.encode(problem.wire()))
