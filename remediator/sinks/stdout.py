"""The standard output: a line an alert, for people or for a log collector."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from remediator.decide.alerts import Alert
from remediator.sinks import Outside, Sink, as_wire


class Form(StrEnum):
    """What a line looks like."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stdout(Sink):
    """Writes a line for each alert."""

    format: Form = Form.TEXT

    async def send(self, alerts: Sequence[Alert], outside: Outside) -> None:
        """Write the lines at once."""
        await outside.write("".join(f"{self._line(each)}\n" for each in alerts))

    def _line(self, alert: Alert) -> str:
        if self.format is Form.JSON:
            return msgspec.json.encode(as_wire(alert)).decode()
        return f"ALERT {alert.state} {alert.urgency} {alert.name}: {alert.summary}"
