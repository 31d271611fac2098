"""A webhook: alerts as JSON, signed, each with a key by which repeats can be dropped."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from nodehealth.kit import signing
from remediator.decide.alerts import Alert
from remediator.sinks import DeliveryError, Outside, Sink, as_wire, require_url

_VERSION: Final = "v1"
_IDEMPOTENCY_KEY: Final = "Idempotency-Key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Sink):
    """Posts alerts to a URL."""

    url: str
    secret_file: str = ""
    """The file with the secret that messages are signed with; without one they are not signed."""

    def __post_init__(self) -> None:
        """Refuse what can't be posted to."""
        require_url(self.url)

    async def send(self, alerts: Sequence[Alert], outside: Outside) -> None:
        """Post all alerts in one message."""
        now = outside.clock()
        said = {"version": _VERSION, "sentAt": now, "alerts": [as_wire(each) for each in alerts]}
        body = msgspec.json.encode(said)
        keys = "".join(sorted(each.key for each in alerts))
        headers = {
            "Content-Type": "application/json",
            _IDEMPOTENCY_KEY: hashlib.sha256(keys.encode()).hexdigest(),
        }
        if self.secret_file:
            headers |= signing.headers(body, await self._secret(), now)
        await outside.post(self.url, body, headers)

    async def _secret(self) -> bytes:
        """Read the secret anew each time: it may be changed while we run."""
        try:
            return (await asyncio.to_thread(Path(self.secret_file).read_bytes)).strip()
        except OSError as wrong:
            text = f"{self.secret_file}: expected the webhook's secret, {wrong.strerror}"
            raise DeliveryError(text) from wrong
