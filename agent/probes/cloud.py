"""What the cloud has announced of this machine, where the machine is a cloud's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Final
from urllib.parse import urlsplit

from agent.host.clouds.facts import Effect, Notice, Provider, Told, Topic, gravest
from agent.host.linux import Host
from agent.probe import Past, Probe
from agent.readings import Reading
from nodehealth.signals import Knowledge

SOON: Final = "cloud.maintenance_soon"
NAMES: Final[Mapping[Topic, str]] = {each: f"cloud.{each}" for each in Topic}

_LONGEST: Final = 64
"""Characters of a cloud's own words; its names are shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud(Probe):
    """Reads the notices of AWS, Azure or Google Cloud; a machine of nobody's cloud asks nobody."""

    interval: timedelta = timedelta(seconds=10)
    """How often: some clouds give thirty seconds' notice."""
    deadline: timedelta = timedelta(seconds=15)
    """How long all requests of a look may take."""
    provider: Provider | None = None
    """Whose machine this is; by default what its firmware says."""
    url: str = ""
    """Where the metadata service is; by default where the cloud has it."""
    soon: timedelta = timedelta(minutes=30)
    """How near maintenance is that is called soon."""
    patience: timedelta = timedelta(seconds=5)
    """How long one request may take."""

    def __post_init__(self) -> None:
        """Refuse a URL that cannot be asked.

        Raises:
            ValueError: it is none of plain HTTP.
        """
        where = urlsplit(self.url)
        if self.url and (where.scheme != "http" or not where.hostname):
            raise ValueError(f"expected a url over http, got {self.url!r}")

    async def check(self, host: Host, past: Past) -> Sequence[Reading]:
        """Say of each topic whether there is a notice; what a cloud has no word for is not told."""
        provider = self.provider or await host.provider()
        if provider is None:
            return ()
        bulletin = await host.bulletin(provider, self.url, patience=self.patience)
        readings = [_topic(each, bulletin.get(each), provider, past) for each in Topic]
        return [*readings, self._soon(bulletin[Topic.MAINTENANCE])]

    def _soon(self, told: Told) -> Reading:
        """Say whether the machine will be disturbed soon, by no other clock than the cloud's."""
        grave = [each for each in told.notices if each.effect is not Effect.PAUSE]
        near = [each for each in grave if self._is_near(each, told)]
        if near:
            return Reading(name=SOON, value=1.0)
        why = told.unread or ("the service tells no time" if grave and told.at is None else "")
        return _unknown(SOON, why) if why else Reading(name=SOON, value=0.0)

    def _is_near(self, notice: Notice, told: Told) -> bool:
        if notice.begun:
            return True
        if notice.not_before is None or told.at is None:
            return False
        return notice.not_before - told.at <= self.soon


def _topic(topic: Topic, told: Told | None, provider: Provider, past: Past) -> Reading:
    name = NAMES[topic]
    if told is None:
        return Reading(name=name, knowledge=Knowledge.NOT_APPLICABLE)
    notice = gravest(told.notices)
    why = "" if notice else told.unread or (told.unsaid if _stood(name, past) else "")
    if why:
        return _unknown(name, why)
    fields = _fields(notice) | {"source": str(provider)}
    return Reading(name=name, value=float(notice is not None), fields=fields)


def _stood(name: str, past: Past) -> bool:
    """Say whether there was a notice when the cloud was heard last."""
    before = past.get((name, ""))
    return before is not None and bool(before.value)


def _fields(notice: Notice | None) -> dict[str, int | str]:
    if notice is None:
        return dict.fromkeys(("effect", "kind", "event", "not_before"), "")
    begins = notice.not_before.astimezone(UTC) if notice.not_before else None
    return {
        "effect": str(notice.effect),
        "kind": _printable(notice.kind),
        "event": _printable(notice.event),
        "not_before": f"{begins:%Y-%m-%dT%H:%M:%SZ}" if begins else "",
    }


def _unknown(name: str, why: str) -> Reading:
    return Reading(name=name, knowledge=Knowledge.UNKNOWN, why=why)


def _printable(text: str) -> str:
    return "".join(each for each in text if each.isprintable())[:_LONGEST]
