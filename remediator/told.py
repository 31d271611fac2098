"""What people have been told, in ConfigMaps: it survives us, and whoever leads next reads it.

An incident is written down before anybody is told of it, and each receiver after it was: so at
worst somebody hears the same twice, with the same key, and nobody never hears that it is over.
Nothing of this is on the way of a repair.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import structs

from nodehealth import keys
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import CONFIG_MAPS, Struct
from remediator.decide.alerts import Alert, Rise, State
from remediator.rules.alerting import Urgency, is_louder

logger = logging.getLogger(__name__)

_SHARDS: Final = "0123456789abcdef"
"""One ConfigMap for each first digit of a fingerprint: an object may not exceed 1 MiB."""
_HEARD: Final = frozenset({"", *Urgency})


class Entry(Struct, frozen=True, kw_only=True):
    """One incident that people have been told of, or are about to be."""

    incident: str
    name: str
    labels: Mapping[str, str]
    summary: str
    starts_at: datetime
    urgency: Urgency
    told: Mapping[str, str] = {}
    """By receiver, the urgency that it heard of; empty while that is not sure."""

    def __post_init__(self) -> None:
        """Refuse what no receiver can have heard of."""
        for receiver, heard in self.told.items():
            if heard not in _HEARD:
                wanted = f"expected {', '.join(Urgency)} or nothing"
                raise ValueError(f"told of {receiver}: {wanted}, got {heard!r}")

    def alert(self) -> Alert:
        """Return what can still be told of the incident when nothing else is left of it."""
        return Alert(
            incident=self.incident,
            name=self.name,
            labels=self.labels,
            summary=self.summary,
            description="",
            rises=(Rise(urgency=self.urgency, at=self.starts_at),),
        )


_NOTHING: Final = Entry(
    incident="",
    name="",
    labels={},
    summary="",
    starts_at=datetime(1970, 1, 1, tzinfo=UTC),
    urgency=Urgency.INFO,
)


class Told:
    """The record of what was told.

    Args:
        client: The door to the API server.
        namespace: Where the ConfigMaps live.
    """

    def __init__(self, client: Client, namespace: str = keys.NAMESPACE) -> None:
        self._client, self._namespace = client, namespace
        self._entries: dict[str, Entry] = {}
        self._unwritten: set[str] = set()
        self._pen = asyncio.Lock()

    def entries(self) -> tuple[Entry, ...]:
        """Return all that is going on as far as people know."""
        return tuple(self._entries.values())

    def heard(self, alert: Alert, receiver: str) -> str | None:
        """Say of what urgency a receiver heard; empty if that is not sure, nothing if of none."""
        entry = self._entries.get(alert.fingerprint)
        return entry.told.get(receiver) if entry else None

    def receivers_of(self, alert: Alert) -> tuple[str, ...]:
        """Name the receivers that heard of an incident, or perhaps did."""
        entry = self._entries.get(alert.fingerprint)
        return tuple(entry.told) if entry else ()

    async def load(self, receivers: Collection[str]) -> None:
        """Read the record, as far as it speaks of these receivers.

        Raises:
            nodehealth.kube.errors.KubeError: it can't be read now.
        """
        found = dict[str, Entry]()
        for shard in _SHARDS:
            try:
                stored = await self._client.get(
                    CONFIG_MAPS, _name(shard), namespace=self._namespace
                )
            except errors.GoneError:
                continue
            for fingerprint, text in stored.data.items():
                entry = _read(text, stored.metadata.name)
                told = {each: entry.told[each] for each in entry.told if each in receivers}
                found[fingerprint] = structs.replace(entry, told=told)
        self._entries = {each: entry for each, entry in found.items() if entry.told}
        self._unwritten = found.keys() - self._entries.keys()

    async def intend(self, alert_receivers: Iterable[tuple[Alert, Iterable[str]]]) -> None:
        """Write down who is about to hear of what, unless that is written already."""
        for alert, receivers in alert_receivers:
            known = self._entries.get(alert.fingerprint) or _entry(alert)
            missing = {name: "" for name in receivers if name not in known.told}
            if missing:
                told = {**known.told, **missing}
                self._put(alert, structs.replace(known, told=told))
        await self.flush()

    async def mark(self, receiver: str, heard: Iterable[Alert]) -> None:
        """Write down that a receiver heard of incidents; one that all know is over is forgotten."""
        for alert in heard:
            known = self._entries.get(alert.fingerprint)
            if known is None:
                continue
            told = {**known.told, receiver: str(alert.urgency)}
            if alert.state is State.RESOLVED:
                del told[receiver]
            louder = is_louder(alert.urgency, known.urgency)
            urgency = alert.urgency if louder else known.urgency
            self._put(alert, structs.replace(known, told=told, urgency=urgency))
        await self.flush()

    async def flush(self) -> None:
        """Write what is not written yet; what can't be written now waits for the next time."""
        async with self._pen:  # an older text must not be written over a newer one
            for shard in sorted({fingerprint[0] for fingerprint in self._unwritten}):
                try:
                    await self._flush(shard)
                except errors.KubeError as failed:
                    logger.warning("what was told can't be written down: %s", failed)

    async def _flush(self, shard: str) -> None:
        data = {each: self._text(each) for each in self._unwritten if each[0] == shard}
        await self._write(_name(shard), data)
        self._unwritten -= {each for each, text in data.items() if text == self._text(each)}

    def _put(self, alert: Alert, entry: Entry) -> None:
        self._unwritten.add(alert.fingerprint)
        if entry.told:
            self._entries[alert.fingerprint] = entry
        else:
            self._entries.pop(alert.fingerprint, None)

    def _text(self, fingerprint: str) -> str | None:
        entry = self._entries.get(fingerprint)
        return None if entry is None else msgspec.json.encode(entry).decode()

    async def _write(self, name: str, data: Mapping[str, str | None]) -> None:
        space = self._namespace
        try:
            await self._client.merge_patch(CONFIG_MAPS, name, {"data": data}, namespace=space)
        except errors.GoneError:
            known = {each: text for each, text in data.items() if text is not None}
            body = {"metadata": {"name": name, "namespace": space}, "data": known}
            await self._client.create(CONFIG_MAPS, body, namespace=space)


def _entry(alert: Alert) -> Entry:
    return Entry(
        incident=alert.incident,
        name=alert.name,
        labels=alert.labels,
        summary=alert.summary,
        starts_at=alert.starts_at,
        urgency=alert.urgency,
    )


def _name(shard: str) -> str:
    return f"{keys.TOLD}-{shard}"


def _read(text: str, where: str) -> Entry:
    """Read an entry; one that nobody can read speaks of no receiver, and is forgotten."""
    try:
        return msgspec.json.decode(text, type=Entry)
    except msgspec.MsgspecError as wrong:
        logger.warning("ConfigMap %s: expected what was told, %s", where, wrong)
        return _NOTHING
