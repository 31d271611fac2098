"""Which names, labels and marks an object may carry."""

import re
from collections.abc import Iterator
from typing import Final

from simulator.api import wire
from simulator.api.status import Cause
from simulator.api.wire import JsonObject

_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED: Final = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_PATH_SEGMENT: Final = re.compile(r"(?!\.{1,2}$)[^/%]+")
_LONGEST_NAME: Final = 253
_LONGEST_LABEL: Final = 63
_LARGEST_ANNOTATIONS: Final = 256 * 1024

_SUBDOMAIN_RULE: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_RULE: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name', or '123-abc', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_VALUE_RULE: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue', or 'my_value', "
    "or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_KEY_RULE: Final = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName', or 'my.name', or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_LABEL_NAMES: Final = frozenset({"namespaces", "services"})
_FREE_NAMES: Final = frozenset(
    f"{plural}.rbac.authorization.k8s.io"
    for plural in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
)


def bad_value(field: str, value: object, rule: str) -> Cause:
    """Say that a value breaks a rule."""
    shown = f'"{value}"' if isinstance(value, str) else wire.encode(value).decode()
    return Cause(reason="FieldValueInvalid", message=f"Invalid value: {shown}: {rule}", field=field)


def required(field: str, why: str = "") -> Cause:
    """Say that a value is missing."""
    message = f"Required value: {why}" if why else "Required value"
    return Cause(reason="FieldValueRequired", message=message, field=field)


def not_ours(field: str, why: str) -> Cause:
    """Say that a field may not be set or changed."""
    return Cause(reason="FieldValueForbidden", message=f"Forbidden: {why}", field=field)


def duplicate(field: str, value: object) -> Cause:
    """Say that a value is there twice."""
    shown = f'"{value}"' if isinstance(value, str) else wire.encode(value).decode()
    return Cause(reason="FieldValueDuplicate", message=f"Duplicate value: {shown}", field=field)


def unsupported(field: str, value: object, known: tuple[str, ...]) -> Cause:
    """Say that a value is not one of a closed set."""
    names = ", ".join(f'"{name}"' for name in known)
    message = f'Unsupported value: "{value}": supported values: {names}'
    return Cause(reason="FieldValueNotSupported", message=message, field=field)


def metadata(resource: str, value: JsonObject) -> Iterator[Cause]:
    """Complain about an object's name, labels and annotations."""
    found = wire.section(value, "metadata")
    yield from _name(resource, str(found.get("name", "")))
    for key, item in wire.section(found, "labels").items():
        yield from qualified("metadata.labels", key)
        yield from label_value("metadata.labels", item)
    annotations = wire.section(found, "annotations")
    for key in annotations:
        yield from qualified("metadata.annotations", key)
    if len(wire.encode(annotations)) > _LARGEST_ANNOTATIONS:
        message = f"Too long: may not be more than {_LARGEST_ANNOTATIONS} bytes"
        yield Cause(reason="FieldValueTooLong", message=message, field="metadata.annotations")


def _name(resource: str, name: str) -> Iterator[Cause]:
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif resource in _FREE_NAMES:
        if _PATH_SEGMENT.fullmatch(name) is None:
            yield bad_value("metadata.name", name, "may not be '.' or '..' or contain '/' or '%'")
    elif resource in _LABEL_NAMES:
        if _LABEL.fullmatch(name) is None or len(name) > _LONGEST_LABEL:
            yield bad_value("metadata.name", name, _LABEL_RULE)
    elif _SUBDOMAIN.fullmatch(name) is None or len(name) > _LONGEST_NAME:
        yield bad_value("metadata.name", name, _SUBDOMAIN_RULE)


def qualified(field: str, key: str) -> Iterator[Cause]:
    """Complain about a key that is not `name` or `domain/name`."""
    prefix, slash, name = key.rpartition("/")
    if _QUALIFIED.fullmatch(name) is None or len(name) > _LONGEST_LABEL:
        yield bad_value(field, key, _KEY_RULE)
    if slash and (_SUBDOMAIN.fullmatch(prefix.lower()) is None or len(prefix) > _LONGEST_NAME):
        yield bad_value(field, key, f"prefix part {_SUBDOMAIN_RULE}")


def label_value(field: str, value: object) -> Iterator[Cause]:
    """Complain about a label's value."""
    if not isinstance(value, str) or len(value) > _LONGEST_LABEL:
        yield bad_value(field, value, "must be a string of no more than 63 characters")
    elif value and _QUALIFIED.fullmatch(value) is None:
        yield bad_value(field, value, _VALUE_RULE)
