"""A moment that people write by hand: one that no two programs read differently."""

from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta

_RFC3339: Final = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$"

Time = Annotated[datetime, Meta(tz=True, extra_json_schema={"pattern": _RFC3339})]
"""As in `2026-01-01T12:00:00Z`: the API server alone would take one without its zone."""
