"""Structural OpenAPI schemas for custom resources, made from the typed values themselves."""

from typing import Any, Final, TypeAlias

import msgspec
from msgspec import inspect

Schema: TypeAlias = dict[str, Any]

_NUMERIC_BOUNDS: Final = (("ge", "minimum"), ("le", "maximum"))


def structural(kind: type[msgspec.Struct]) -> Schema:
    """Return the schema of a Struct, inlined and without references.

    Raises:
        TypeError: a field has a type that a structural schema cannot say.
    """
    return _schema(inspect.type_info(kind))


def _schema(kind: inspect.Type) -> Schema:
    match kind:
        case inspect.Metadata():
            return _schema(kind.type) | dict(kind.extra_json_schema or {})
        case inspect.StructType():
            return _struct(kind)
        case inspect.UnionType():
            return _union(kind)
        case inspect.DictType():
            return _dict(kind)
        case inspect.VarTupleType():
            return _array(kind)
        case _:
            return _scalar(kind)


def _scalar(kind: inspect.Type) -> Schema:
    match kind:
        case inspect.StrType():
            return {"type": "string"} | _given(maxLength=kind.max_length, pattern=kind.pattern)
        case inspect.IntType():
            return {"type": "integer", "format": "int64"} | _bounds(kind)
        case inspect.FloatType():
            return {"type": "number"} | _bounds(kind)
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.DateTimeType():
            return {"type": "string", "format": "date-time"}
        case inspect.EnumType():
            return {"type": "string", "enum": [member.value for member in kind.cls]}
        case _:
            raise TypeError(f"a structural schema cannot say {kind}")


def _struct(kind: inspect.StructType) -> Schema:
    properties = {field.encode_name: _schema(field.type) for field in kind.fields}
    required = [field.encode_name for field in kind.fields if field.required]
    about = (kind.cls.__doc__ or "").split("\n", 1)[0]
    return {"description": about, "type": "object", "properties": properties} | _given(
        required=required or None
    )


def _union(kind: inspect.UnionType) -> Schema:
    types = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
    if len(types) == 1:
        return _schema(types[0]) | {"nullable": True}
    if {type(each) for each in types} == {inspect.IntType, inspect.StrType}:
        return {"x-kubernetes-int-or-string": True}
    raise TypeError(f"a structural schema cannot say {kind}")


def _dict(kind: inspect.DictType) -> Schema:
    values = _schema(kind.value_type)
    return {"type": "object", "additionalProperties": values} | _given(
        maxProperties=kind.max_length
    )


def _array(kind: inspect.VarTupleType) -> Schema:
    return {"type": "array", "items": _schema(kind.item_type)} | _given(maxItems=kind.max_length)


def _bounds(kind: inspect.IntType | inspect.FloatType) -> Schema:
    return _given(**{name: getattr(kind, bound) for bound, name in _NUMERIC_BOUNDS})


def _given(**entries: object) -> Schema:
    return {name: value for name, value in entries.items() if value is not None}


def fields(kind: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    """Return the fields of a Struct as msgspec sees them."""
    seen = inspect.type_info(kind)
    if not isinstance(seen, inspect.StructType):
        raise TypeError(f"expected a Struct, got {kind}")
    return seen.fields
