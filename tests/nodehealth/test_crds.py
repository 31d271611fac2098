"""The manifests in deploy/crds and the typed values say the same."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from nodehealth import crds, schema
from nodehealth.crds import DEFINITIONS, Definition

MANIFESTS = Path(__file__).parents[2] / "deploy" / "crds"


def ids(definition: Definition) -> str:
    return definition.resource.plural


@pytest.mark.parametrize("definition", DEFINITIONS, ids=ids)
def test_the_manifest_is_what_the_typed_values_make(definition: Definition) -> None:
    path = MANIFESTS / f"{definition.resource.plural}.yaml"

    assert path.read_text(encoding="utf-8") == crds.written(definition), "run `make crds`"


def test_no_manifest_is_left_over() -> None:
    names = {path.stem for path in MANIFESTS.glob("*.yaml")}

    assert names == {definition.resource.plural for definition in DEFINITIONS}


def test_a_required_field_of_the_type_is_required_by_the_schema() -> None:
    class Machine(msgspec.Struct):
        """A machine."""

        name: str
        since: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    assert schema.structural(Machine) == {
        "description": "A machine.",
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "since": {"type": "string", "format": "date-time"},
        },
        "required": ["name"],
    }


def test_a_type_that_no_structural_schema_can_say_is_refused() -> None:
    class Machine(msgspec.Struct):
        name: str | float

    with pytest.raises(TypeError, match="cannot say"):
        schema.structural(Machine)
