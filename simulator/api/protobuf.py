"""Bodies in Kubernetes' protobuf form, which newer kubectl sends: the few kinds that it does.

A message is described by what each field number is called and holds. A field that is not described
but carries something makes the body unreadable, so that nothing is lost in silence.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from simulator.api.wire import JsonObject

MEDIA: Final = "application/vnd.kubernetes.protobuf"
_MAGIC: Final = b"k8s\x00"
_Raw: TypeAlias = int | bytes


class ProtobufError(ValueError):
    """The bytes are no protobuf message, or one of a kind that is not described here."""


@dataclass(frozen=True, slots=True)
class Field:
    """What a field number stands for."""

    name: str
    kind: str = "string"
    """string, int, bool, map, intstr, or the name of a message."""
    many: bool = False


Shape: TypeAlias = Mapping[int, Field]

_SHAPES: Final[Mapping[str, Shape]] = {
    "ObjectMeta": {
        1: Field("name"),
        2: Field("generateName"),
        3: Field("namespace"),
        5: Field("uid"),
        6: Field("resourceVersion"),
        11: Field("labels", "map"),
        12: Field("annotations", "map"),
        13: Field("ownerReferences", "OwnerReference", many=True),
        14: Field("finalizers", many=True),
    },
    "OwnerReference": {
        1: Field("kind"),
        3: Field("name"),
        4: Field("uid"),
        5: Field("apiVersion"),
        6: Field("controller", "bool"),
        7: Field("blockOwnerDeletion", "bool"),
    },
    "Preconditions": {1: Field("uid"), 2: Field("resourceVersion")},
    "DeleteOptions": {
        1: Field("gracePeriodSeconds", "int"),
        2: Field("preconditions", "Preconditions"),
        3: Field("orphanDependents", "bool"),
        4: Field("propagationPolicy"),
        5: Field("dryRun", many=True),
    },
    "Eviction": {1: Field("metadata", "ObjectMeta"), 2: Field("deleteOptions", "DeleteOptions")},
    "ConfigMap": {
        1: Field("metadata", "ObjectMeta"),
        2: Field("data", "map"),
        4: Field("immutable", "bool"),
    },
    "Namespace": {1: Field("metadata", "ObjectMeta")},
    "ServiceAccount": {1: Field("metadata", "ObjectMeta")},
    "PriorityClass": {
        1: Field("metadata", "ObjectMeta"),
        2: Field("value", "int"),
        3: Field("globalDefault", "bool"),
        4: Field("description"),
        5: Field("preemptionPolicy"),
    },
    "PodDisruptionBudget": {1: Field("metadata", "ObjectMeta"), 2: Field("spec", "BudgetSpec")},
    "BudgetSpec": {
        1: Field("minAvailable", "intstr"),
        2: Field("selector", "LabelSelector"),
        3: Field("maxUnavailable", "intstr"),
        4: Field("unhealthyPodEvictionPolicy"),
    },
    "LabelSelector": {
        1: Field("matchLabels", "map"),
        2: Field("matchExpressions", "Requirement", many=True),
    },
    "Requirement": {1: Field("key"), 2: Field("operator"), 3: Field("values", many=True)},
    "TokenRequest": {1: Field("metadata", "ObjectMeta"), 2: Field("spec", "TokenRequestSpec")},
    "TokenRequestSpec": {
        1: Field("audiences", many=True),
        3: Field("boundObjectRef", "BoundObjectReference"),
        4: Field("expirationSeconds", "int"),
    },
    "BoundObjectReference": {
        1: Field("kind"),
        2: Field("apiVersion"),
        3: Field("name"),
        4: Field("uid"),
    },
    "SelfSubjectReview": {1: Field("metadata", "ObjectMeta")},
    "SelfSubjectAccessReview": {
        1: Field("metadata", "ObjectMeta"),
        2: Field("spec", "AccessReviewSpec"),
    },
    "AccessReviewSpec": {1: Field("resourceAttributes", "ResourceAttributes")},
    "ResourceAttributes": {
        1: Field("namespace"),
        2: Field("verb"),
        3: Field("group"),
        4: Field("version"),
        5: Field("resource"),
        6: Field("subresource"),
        7: Field("name"),
    },
}


_SERVERS: Final = {"ObjectMeta": frozenset({4, 7, 8, 9, 10, 17})}
"""Fields that only the server writes, which clients send back."""


def decode(data: bytes) -> JsonObject:
    """Read an object from its protobuf form.

    Raises:
        ProtobufError: it is none, or of a kind that is not described here.
    """
    if not data.startswith(_MAGIC):
        raise ProtobufError("the provided data does not appear to be a protobuf message")
    envelope = dict(_fields(data[len(_MAGIC) :]))
    face = dict(_fields(_bytes(envelope.get(1, b""))))
    version, kind = _text(face.get(1, b"")), _text(face.get(2, b""))
    if kind not in _SHAPES:
        raise ProtobufError(f"no protobuf form of {version} {kind} is known; send it as JSON")
    body = _message(kind, _bytes(envelope.get(2, b"")))
    return {"apiVersion": version, "kind": kind, **body}


def _message(shape: str, data: bytes) -> JsonObject:
    found: JsonObject = {}
    for number, raw in _fields(data):
        field = _SHAPES[shape].get(number)
        if field is not None:
            _put(found, field, raw)
        elif raw and number not in _SERVERS.get(shape, ()):
            raise ProtobufError(f"field {number} of {shape} is not known; send it as JSON")
    return found


def _put(found: JsonObject, field: Field, raw: _Raw) -> None:
    if field.kind == "map":
        entry = dict(_fields(_bytes(raw)))
        held = found.setdefault(field.name, {})
        held[_text(entry.get(1, b""))] = _text(entry.get(2, b""))
    elif field.many:
        found.setdefault(field.name, []).append(_value(field.kind, raw))
    else:
        value = _value(field.kind, raw)
        if value != "":
            found[field.name] = value


def _value(kind: str, raw: _Raw) -> object:
    match kind:
        case "string":
            return _text(raw)
        case "int":
            return _signed(raw)
        case "bool":
            return bool(raw)
        case "intstr":
            parts = dict(_fields(_bytes(raw)))
            return _text(parts.get(3, b"")) if parts.get(1) else _signed(parts.get(2, 0))
    return _message(kind, _bytes(raw))


def _text(raw: _Raw) -> str:
    return _bytes(raw).decode()


def _bytes(raw: _Raw) -> bytes:
    if isinstance(raw, int):
        raise ProtobufError("expected bytes, found a number")
    return raw


def _signed(raw: _Raw) -> int:
    if isinstance(raw, bytes):
        raise ProtobufError("expected a number, found bytes")
    return raw - (1 << 64) if raw >= 1 << 63 else raw


def _fields(data: bytes) -> Iterator[tuple[int, _Raw]]:
    """Take a message apart into field numbers and what they carry."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, form = tag >> 3, tag & 7
        if form == 0:
            value, position = _varint(data, position)
            yield number, value
        elif form == 2:
            length, position = _varint(data, position)
            yield number, data[position : position + length]
            position += length
        elif form in {1, 5}:
            width = 8 if form == 1 else 4
            yield number, int.from_bytes(data[position : position + width], "little")
            position += width
        else:
            raise ProtobufError(f"unknown wire form {form}")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(data):
            raise ProtobufError("the message ends in the middle of a number")
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7
