"""How a client wants to see objects: whole, by their metadata only, or as rows of a table."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from nodehealth.kube.transport import Request
from simulator.api import answers, reading, wire
from simulator.api.answers import Outcome
from simulator.api.calls import Call
from simulator.api.reading import Page
from simulator.api.store import Entry
from simulator.api.tables import Printer
from simulator.api.watching import Seen
from simulator.api.wire import JsonObject
from simulator.api.world import World

META: Final = "meta.k8s.io"
_CHUNK: Final = 50
"""How many objects are printed before anybody else may run."""

_SHAPES: Final = frozenset({"Table", "PartialObjectMetadata", "PartialObjectMetadataList"})


def _shape(headers: Mapping[str, str]) -> tuple[str, str]:
    """Return the first shape that is accepted and its version; empty for whole objects."""
    for wanted in headers.get("accept", "").split(","):
        media, *parameters = [part.strip() for part in wanted.split(";")]
        named = dict(part.partition("=")[::2] for part in parameters)
        shape, version = named.get("as", ""), named.get("v", "")
        if shape in _SHAPES and named.get("g") == META and version in {"v1", "v1beta1"}:
            return shape, f"{META}/{version}"
        if not shape and media in {answers.JSON, "*/*", "application/*"}:
            return "", ""
    return "", ""


def _loaded(entry: Entry) -> JsonObject:
    return wire.load(entry.body)


class View:
    """Shows objects of a kind as one request asked for them."""

    def __init__(self, world: World, call: Call, request: Request) -> None:
        self._call = call
        self._world = world
        self._shape, self._version = _shape(request.headers)
        self._include = call.query.get("includeObject", "Metadata")
        self._headed = False
        self._printer = Printer(world, call.kind, call.at)

    def one(self, body: bytes, *, code: int = 200) -> Outcome:
        """Show one object, or a Status as it is."""
        if not self._shape or self._is_status(body):
            return Outcome(code=code, pieces=(body,))
        value = wire.load(body)
        if self._shape == "Table":
            version = wire.text(value, "metadata", "resourceVersion")
            return answers.of(self._table([value], {"resourceVersion": version}), code=code)
        return answers.of(self._partial(value), code=code)

    def many(self, found: Page) -> Outcome:
        """Show a page of a list."""
        if not self._shape:
            return Outcome(code=200, pieces=reading.rendered(self._call.kind, found))
        return Outcome(code=200, pieces=self._pieces(found))

    def _pieces(self, found: Page) -> Iterator[bytes]:
        """Write a list in another shape, in pieces like a list as it is."""
        metadata = reading.list_metadata(found)
        if self._shape == "Table":
            head, items, item = self._table([], metadata), "rows", self._row
        else:
            face = {"kind": "PartialObjectMetadataList", "apiVersion": self._version}
            head, items, item = {**face, "metadata": metadata}, "items", self._partial
        head.pop(items, None)
        yield wire.encode(head)[:-1] + f',"{items}":['.encode()
        for start in range(0, len(found.entries), _CHUNK):
            values = map(_loaded, found.entries[start : start + _CHUNK])
            yield (b"," if start else b"") + b",".join(wire.encode(item(one)) for one in values)
        yield b"]}\n"

    def event(self, seen: Seen) -> bytes:
        """Show one event of a watch as a line."""
        if not self._shape or seen.type == "ERROR":
            return seen.line
        value = wire.load(seen.body)
        if self._shape != "Table":
            return Seen(seen.type, wire.encode(self._partial(value))).line
        values = [] if seen.type == "BOOKMARK" else [value]
        version = wire.text(value, "metadata", "resourceVersion")
        table = self._table(values, {"resourceVersion": version})
        if self._headed:
            table["columnDefinitions"] = []
        self._headed = True
        return Seen(seen.type, wire.encode(table)).line

    def _is_status(self, body: bytes) -> bool:
        return body.startswith(b'{"kind":"Status"')

    def _table(self, values: Sequence[JsonObject], metadata: JsonObject) -> JsonObject:
        rows = [self._row(value) for value in values]
        face = {"kind": "Table", "apiVersion": self._version, "metadata": metadata}
        return {**face, "columnDefinitions": self._printer.columns(), "rows": rows}

    def _row(self, value: JsonObject) -> JsonObject:
        return {"cells": self._printer.cells(value), "object": self._shown(value)}

    def _shown(self, value: JsonObject) -> JsonObject | None:
        if self._include == "None":
            return None
        return value if self._include == "Object" else self._partial(value)

    def _partial(self, value: JsonObject) -> JsonObject:
        version = self._version or f"{META}/v1"
        face = {"kind": "PartialObjectMetadata", "apiVersion": version}
        return {**face, "metadata": value.get("metadata", {})}
