"""Lists at one version: selection, pages that belong together, and versions that are gone."""

import base64
import binascii
import bisect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from simulator.api import selectors, status, wire
from simulator.api.calls import Call
from simulator.api.kinds import Kind
from simulator.api.selectors import Selector
from simulator.api.store import Entry, Shelf, Store
from simulator.api.wire import JsonObject

CHUNK: Final = 200
"""How many objects are joined before anybody else may run."""

_key = attrgetter("key")
_TOO_LARGE: Final = "ResourceVersionTooLarge"
_LOST: Final = (
    "The provided continue parameter is too old to display a consistent list result. You can "
    "start a new list without the continue parameter, or use the continue token in this response "
    "to retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which objects of a kind a client asked for."""

    namespace: str
    labels: Selector
    fields: Selector
    name: str = ""

    @property
    def whole(self) -> bool:
        """Tell whether nothing but the namespace selects."""
        return not (self.labels.tests or self.fields.tests or self.name)

    def takes(self, entry: Entry) -> bool:
        """Tell whether an object is asked for."""
        if self.namespace and not entry.key.startswith(f"{self.namespace}/"):
            return False
        if self.name and entry.fields["metadata.name"] != self.name:
            return False
        return self.labels.matches(entry.labels) and self.fields.matches(entry.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some objects of a list, and how it goes on."""

    entries: Sequence[Entry]
    version: int
    token: str = ""
    remaining: int | None = None


def selection(call: Call) -> Selection:
    """Read which objects a call asks for.

    Raises:
        simulator.api.status.StatusError: 400, a selector cannot be read.
    """
    kind = call.kind
    resource = f"{kind.group}/{kind.version}, Resource={kind.plural}"
    fields = selectors.fields(call.query.get("fieldSelector", ""), kind.fields, resource=resource)
    return Selection(
        namespace=call.namespace,
        labels=selectors.labels(call.query.get("labelSelector", "")),
        fields=fields,
        name=call.name,
    )


def page(store: Store, call: Call) -> Page:
    """Return the page that a call asks for.

    Raises:
        simulator.api.status.StatusError: 400 for nonsense, 410 for versions that are gone.
    """
    shelf, chosen = store.shelf(call.kind), selection(call)
    limit, token = _number(call, "limit"), call.query.get("continue", "")
    version, after = _token(token) if token else (_version(store, call), "")
    if version and version < shelf.floor:
        raise (
            _gone(store, after)
            if token
            else status.expired(
                f"The resourceVersion for the provided list is too old. ({version})"
            )
        )
    held = _at(shelf, version) if version else shelf.within(call.namespace)
    held = held[bisect.bisect_right(held, after, key=_key) :]
    found = held if chosen.whole and not call.namespace else list(filter(chosen.takes, held))
    version = version or store.version
    if not limit or len(found) <= limit:
        return Page(entries=found, version=version)
    return Page(
        entries=found[:limit],
        version=version,
        token=_made_token(version, found[limit - 1].key),
        remaining=len(found) - limit if chosen.whole else None,
    )


def _version(store: Store, call: Call) -> int:
    """Return the version that must be shown exactly; 0 if the present will do."""
    wanted, match = _number(call, "resourceVersion"), call.query.get("resourceVersionMatch", "")
    if match not in {"", "Exact", "NotOlderThan"}:
        raise status.bad_request(f'resourceVersionMatch: Unsupported value: "{match}"')
    if match and "resourceVersion" not in call.query:
        raise status.bad_request(
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless "
            "resourceVersion is provided"
        )
    if wanted > store.version:
        raise too_large(wanted, store.version)
    if match == "Exact" and not wanted:
        raise status.bad_request(
            'resourceVersionMatch: Forbidden: resourceVersionMatch "Exact" is forbidden for '
            'resourceVersion "0"'
        )
    exact = match == "Exact" or (not match and wanted and call.query.get("limit"))
    return wanted if exact else 0


def too_large(wanted: int, current: int) -> status.StatusError:
    """504: the version asked for is yet to come."""
    message = f"Too large resource version: {wanted}, current: {current}"
    refused = status.timed_out(message, seconds=1)
    cause = {"reason": _TOO_LARGE, "message": "Too large resource version"}
    refused.details = {"causes": [cause], "retryAfterSeconds": 1}
    return refused


def _number(call: Call, name: str) -> int:
    text = call.query.get(name, "")
    if text and not text.isdigit():
        raise status.bad_request(f'{name}: Invalid value: "{text}": expected a number')
    return int(text or 0)


def _at(shelf: Shelf, version: int) -> list[Entry]:
    """Return the objects as they were at a version, by undoing what came after it."""
    past: dict[str, Entry | None] = {}
    for change in reversed(shelf.since(shelf.cursor(version), len(shelf.changes))):
        past[change.new.key] = change.old
    if not past:
        return shelf.within("")
    then = {**shelf.entries, **past}
    return [entry for key in sorted(then) if (entry := then[key]) is not None]


def _made_token(version: int, key: str) -> str:
    token = wire.encode({"v": "meta.k8s.io/v1", "rv": version, "start": key})
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


def _token(token: str) -> tuple[int, str]:
    try:
        found = wire.load(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(found["rv"]), str(found["start"])
    except (binascii.Error, ValueError, KeyError, TypeError) as problem:
        raise status.bad_request("continue key is not valid") from problem


def _gone(store: Store, after: str) -> status.StatusError:
    refused = status.expired(_LOST)
    refused.more = {"continue": _made_token(store.version, after)}
    return refused


def list_metadata(found: Page) -> JsonObject:
    """Return the metadata of a list."""
    metadata: JsonObject = {"resourceVersion": str(found.version)}
    if found.token:
        metadata["continue"] = found.token
    if found.remaining is not None:
        metadata["remainingItemCount"] = found.remaining
    return metadata


def rendered(kind: Kind, found: Page) -> Iterator[bytes]:
    """Write a list in pieces that are small enough for nobody to wait long.

    Items of built-in kinds carry no apiVersion and kind of their own, as in the real lists.
    """
    face = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version}
    yield wire.encode({**face, "metadata": list_metadata(found)})[:-1] + b',"items":['
    head = kind.head if kind.custom is None else 1
    for start in range(0, len(found.entries), CHUNK):
        yield (b"," if start else b"") + _joined(found.entries[start : start + CHUNK], head)
    yield b"]}\n"


def _joined(entries: Iterable[Entry], head: int) -> bytes:
    return b",".join(b"{" + entry.body[head:] for entry in entries)
