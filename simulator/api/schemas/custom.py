"""The rules of custom kinds: what their schema says."""

from collections.abc import Iterator

from simulator.api import status
from simulator.api.calls import Call
from simulator.api.schemas import structure, validation, validations
from simulator.api.status import Cause
from simulator.api.strategy import Strategy
from simulator.api.wire import JsonObject
from simulator.api.world import World


class CustomStrategy(Strategy):
    """Prunes, defaults and validates by one schema."""

    def __init__(self, schema: JsonObject) -> None:
        self._schema = schema
        self._rules = validations.compiled(schema)

    def prepare(self, world: World, call: Call, new: JsonObject, old: JsonObject | None) -> None:
        """Prune and default.

        Raises:
            simulator.api.status.StatusError: 400, a strict client sent what the schema lacks.
        """
        del world, old
        unknown = list(structure.prune(self._schema, new))
        if unknown and call.query.get("fieldValidation") == "Strict":
            kind, fields = call.kind, ", ".join(f'unknown field "{field}"' for field in unknown)
            raise status.bad_request(
                f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
                f"strict decoding error: {fields}"
            )
        structure.default(self._schema, new)

    def validate(
        self, world: World, call: Call, new: JsonObject, old: JsonObject | None
    ) -> Iterator[Cause]:
        """Complain by the schema; by its rules only when the schema has no complaint."""
        del world, call
        found = list(validation.validate(self._schema, new, ""))
        yield from found or self._rules(new, old, "")
