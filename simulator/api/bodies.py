"""What a client sent: objects, delete options and patches, in the media types that are taken."""

from collections.abc import Callable, Mapping
from typing import Final

import yaml

from nodehealth.kube.transport import Request
from simulator.api import patches, protobuf, status, strategic, wire
from simulator.api.kinds import Kind
from simulator.api.wire import JsonObject
from simulator.api.writes import Mutation

_PREFIX: Final = "application/"
JSON_PATCH: Final = f"{_PREFIX}json-patch+json"
MERGE_PATCH: Final = f"{_PREFIX}merge-patch+json"
STRATEGIC_PATCH: Final = f"{_PREFIX}strategic-merge-patch+json"
_OBJECTS: Final = (f"{_PREFIX}json", f"{_PREFIX}yaml")
_MOST_OPERATIONS: Final = 10_000


def media(headers: Mapping[str, str]) -> str:
    """Return the media type of a body without its parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def read(request: Request) -> JsonObject:
    """Read the object in a request's body; an empty body is an empty object.

    Raises:
        simulator.api.status.StatusError: 400 or 415.
    """
    if not request.body:
        return {}
    read_as = _READERS.get(media(request.headers))
    if read_as is None:
        raise status.unsupported_media(_OBJECTS)
    value = read_as(request.body)
    if not isinstance(value, dict):
        raise status.bad_request("the object provided is unrecognized (must be of type object)")
    return value


def _json(data: bytes) -> object:
    try:
        return wire.decode(data)
    except ValueError as problem:
        message = f"the object provided is unrecognized (must be of type object): {problem}"
        raise status.bad_request(message) from problem


def _yaml(data: bytes) -> object:
    try:
        return yaml.load(data, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as problem:
        raise status.bad_request(f"error parsing YAML: {problem}") from problem


def _protobuf(data: bytes) -> object:
    try:
        return protobuf.decode(data)
    except protobuf.ProtobufError as problem:
        raise status.unsupported_media(_OBJECTS) from problem


_READERS: Final[Mapping[str, Callable[[bytes], object]]] = {
    "": _json,
    "*/*": _json,
    f"{_PREFIX}json": _json,
    f"{_PREFIX}yaml": _yaml,
    protobuf.MEDIA: _protobuf,
}


def patch(kind: Kind, request: Request) -> Mutation:
    """Read the patch in a request's body as what it does to an object.

    Server-side apply is answered like a server that has it switched off.

    Raises:
        simulator.api.status.StatusError: 400 or 415.
    """
    found = media(request.headers)
    plain = kind.custom is None
    accepted = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH) if plain else (JSON_PATCH, MERGE_PATCH)
    if found not in accepted:
        raise status.unsupported_media(accepted)
    body = _json(request.body)
    if found == JSON_PATCH:
        return _json_patch(body)
    if not isinstance(body, dict):
        raise status.bad_request("the patch is no object")
    if found == MERGE_PATCH:
        return lambda value: patches.merge(value, body)
    return lambda value: _strategic(value, body)


def _json_patch(body: object) -> Mutation:
    if not isinstance(body, list) or not all(isinstance(one, dict) for one in body):
        raise status.bad_request("the patch is no list of operations")
    if len(body) > _MOST_OPERATIONS:
        message = f"The allowed maximum operations in a JSON patch is {_MOST_OPERATIONS}"
        raise status.StatusError(413, "RequestEntityTooLarge", message)

    def apply(value: JsonObject) -> JsonObject:
        try:
            return patches.apply(value, body)
        except patches.PatchError as problem:
            raise status.unprocessable() from problem

    return apply


def _strategic(value: JsonObject, body: JsonObject) -> JsonObject:
    try:
        return strategic.merge(value, body)
    except strategic.StrategicError as problem:
        raise status.internal(str(problem)) from problem
