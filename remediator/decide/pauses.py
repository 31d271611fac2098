"""What people hold back: pauses with a name in the ledger, and what they write on a Node.

A pause stops what is new: a cordon, a disruption, the next step of one. Whatever gives something
back goes on.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from nodehealth import keys
from nodehealth.kube.objects import Node
from nodehealth.ledger import Pause, RepairLedger
from remediator.decide.limits import Refused, Why

FORGOTTEN: Final = timedelta(days=1)
"""How old a pause without an end may be before people are reminded of it."""
_NO: Final = "false"
_YES: Final = "true"


class Kind(StrEnum):
    """How much a pause holds back."""

    CLUSTER = "cluster"
    POOL = "pool"
    NODE = "node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """A reason to begin nothing on a node."""

    says: str
    until: datetime | None = None


def refusal(
    ledger: RepairLedger, name: str, node: Node | None, pools: Collection[str], now: datetime
) -> Refused | None:
    """Say why nothing is begun on a node, if people hold it back; nothing if they do not."""
    found = list(halts(ledger, name, node, pools, now))
    if not found:
        return None
    ends = [each.until for each in found if each.until is not None]
    until = max(ends) if len(ends) == len(found) else None
    return Refused(why=Why.PAUSED, message="; ".join(each.says for each in found), until=until)


def halts(
    ledger: RepairLedger, name: str, node: Node | None, pools: Collection[str], now: datetime
) -> Iterator[Halt]:
    """Yield all that holds a node back now."""
    for title, pause in running(ledger, now):
        if pause.node in {"", name} and (not pause.pool or pause.pool in pools):
            yield Halt(says=sentence(title, pause), until=pause.until)
    if node is None:
        return
    reason = skipped(node)
    if reason:
        yield Halt(says=reason)
    said = _written(node, keys.PAUSE)
    until = _moment(said)
    if said and (until is None or now < until):
        why = f" ({said})" if until is None else _end(until)
        yield Halt(says=f"{keys.PAUSE} on the Node pauses it{why}", until=until)


def running(ledger: RepairLedger, now: datetime) -> list[tuple[str, Pause]]:
    """Return the pauses that have not ended, by name."""
    listed = sorted(ledger.spec.pauses.items())
    return [(name, each) for name, each in listed if each.until is None or now < each.until]


def forgotten(ledger: RepairLedger, now: datetime) -> list[tuple[str, Pause]]:
    """Return the pauses without an end that somebody may have forgotten."""
    return [
        (name, each)
        for name, each in running(ledger, now)
        if each.until is None and (each.at is None or now - each.at >= FORGOTTEN)
    ]


def skipped(node: Node) -> str:
    """Say why people look after a node themselves; the empty string if they do not."""
    reason = _written(node, keys.SKIP)
    if reason:
        why = f" ({reason})" if reason != _YES else ""
        return f"{keys.SKIP} on the Node leaves it to people{why}"
    return ""


def sentence(name: str, pause: Pause) -> str:
    """Say what a pause holds back, who wants it, why, and until when."""
    by = f" by {pause.by}" if pause.by else ""
    return f"pause {name}{by} holds {scope(pause)}{_end(pause.until)}: {pause.reason}"


def kind(pause: Pause) -> Kind:
    """Say how much a pause holds back."""
    if pause.node:
        return Kind.NODE
    return Kind.POOL if pause.pool else Kind.CLUSTER


def scope(pause: Pause) -> str:
    """Say what a pause holds back."""
    if pause.node:
        return f"node {pause.node}" + (f" while it is in pool {pause.pool}" if pause.pool else "")
    return f"pool {pause.pool}" if pause.pool else "the cluster"


def _end(until: datetime | None) -> str:
    return f" until {until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if until is not None else ""


def _written(node: Node, key: str) -> str:
    """Read what people wrote on a Node: an annotation may say more than a label."""
    metadata = node.metadata
    said = [each[key] or _YES for each in (metadata.annotations, metadata.labels) if key in each]
    return next((each for each in said if each.lower() != _NO), "")


def _moment(text: str) -> datetime | None:
    """Read a time, of UTC where it names no zone; nothing if it is something else."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)
