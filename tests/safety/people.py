"""People at the other end of a webhook: they write down whatever reaches them, twice if need be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import msgspec

from nodehealth.kit.clocks import Clock
from remediator.files import sink
from remediator.rules.alerting import Alerting, Receiver
from remediator.sinks import Outside
from tests.safety.peril import PerilousTransport

URL: Final = "https://people.example/hook"
HOOK: Final = Receiver(name="hook", sink="webhook", settings={"url": URL})
ALERTING: Final = Alerting(receivers=(HOOK,))
WEBHOOK: Final = sink(HOOK.sink, HOOK.settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """What people heard, in order."""

    heard: list[Mapping[str, Any]] = field(default_factory=list)

    def outside(self, transport: PerilousTransport, clock: Clock) -> Outside:
        """Return the way of a process to them, on which it may die."""
        post = partial(transport.post, self._hear)
        return Outside(post=post, write=self._read, clock=clock)

    def told(self) -> dict[str, list[str]]:
        """Return by incident what they understood: whatever has a key that they know is dropped."""
        seen, told = set[str](), dict[str, list[str]]()
        for alert in self.heard:
            if alert["key"] not in seen:
                seen.add(alert["key"])
                told.setdefault(alert["fingerprint"], []).append(alert["state"])
        return told

    async def _hear(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        del url, headers
        self.heard.extend(msgspec.json.decode(body)["alerts"])

    async def _read(self, text: str) -> None:
        del text
