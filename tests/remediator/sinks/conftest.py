"""Where letters arrive that sinks post, unless somebody is away."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from nodehealth.kit import discovery
from remediator import sinks
from remediator.sinks import DeliveryError, Outside, Sink

for each in discovery.names(sinks.__name__):  # found while no loop runs, as in the program
    discovery.find(Sink, sinks.__name__, each)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message that was posted."""

    url: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(slots=True, kw_only=True)
class Mailbox:
    """Keeps what was posted and written."""

    now: datetime
    away: set[str] = field(default_factory=set)
    letters: list[Letter] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    def outside(self) -> Outside:
        """Return a way outside that ends here."""
        return Outside(post=self.post, write=self.write, clock=lambda: self.now)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Take a letter in."""
        if url in self.away:
            raise DeliveryError(f"{url} is away")
        self.letters.append(Letter(url=url, body=body, headers=headers))

    async def write(self, text: str) -> None:
        """Take a line in."""
        self.written.append(text)
