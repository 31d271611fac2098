"""What a `where` may speak of: the signal's fields, its value and subject, and the node."""

from collections.abc import Mapping
from typing import Final

from nodehealth import cel, quantities
from nodehealth.kube.objects import Node
from nodehealth.signals import FieldType, Kind, Signal

_TYPES: Final[Mapping[FieldType, cel.Type]] = {
    FieldType.INT: cel.INT,
    FieldType.STRING: cel.STRING,
}
_NODE: Final = cel.Record(
    {
        "name": cel.STRING,
        "labels": cel.Map(cel.STRING, cel.STRING),
        "capacity": cel.Map(cel.STRING, cel.DOUBLE),
        "allocatable": cel.Map(cel.STRING, cel.DOUBLE),
        "ordered": cel.Map(cel.STRING, cel.STRING),
    },
)


def environment(signal: Signal) -> dict[str, cel.Type]:
    """Return the names that an expression about a signal may use, and their types."""
    names: dict[str, cel.Type] = {name: _TYPES[kind] for name, kind in signal.fields.items()}
    if signal.kind is Kind.LEVEL:
        names["value"] = cel.DOUBLE
    return names | {"subject": cel.STRING, "node": _NODE}


def node_values(node: Node, ordered: Mapping[str, str]) -> Mapping[str, object]:
    """Return the node as expressions see it; a quantity that is none is left out.

    Args:
        node: The Node.
        ordered: The boots that its repairs had the machine end.
    """
    status = node.status
    return {
        "name": node.metadata.name,
        "labels": node.metadata.labels,
        "capacity": _amounts(status.capacity),
        "allocatable": _amounts(status.allocatable),
        "ordered": ordered,
    }


def _amounts(texts: Mapping[str, str]) -> Mapping[str, float]:
    return {name: value for name, text in texts.items() if (value := _amount(text)) is not None}


def _amount(text: str) -> float | None:
    try:
        return quantities.amount(text)
    except ValueError:
        return None
