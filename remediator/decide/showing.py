"""What to write to a Node so that it shows what it ought to: as little and as seldom as will do.

A condition that somebody else writes too is theirs: we never write over it, and say who it is.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from nodehealth.keys import REMEDIATOR_MANAGER
from nodehealth.kube.objects import Condition, Node, OwnedFields, OwnedNode
from nodehealth.ledger import EVER
from remediator.decide import own
from remediator.decide.conditions import Claim

AGAIN: Final = timedelta(seconds=30)
"""How far apart two writes to one Node are, unless a fault begins; and how long one stays shown."""
UNKNOWN_WRITER: Final = "an unknown writer"

Entry: TypeAlias = Mapping[str, str]
"""One condition of a strategic merge patch, by its type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What to write now, what is not ours to write, and when to look again."""

    entries: tuple[Entry, ...] = ()
    foreign: Mapping[str, str] = field(default_factory=dict)
    """By type, who else writes it."""
    again: datetime | None = None


def writers(node: OwnedNode) -> Mapping[str, str]:
    """Say of each condition whose it is: ours, where nobody else has a part of it.

    A condition without any owner is known by what it says.
    """
    owners: dict[str, set[str]] = {}
    for fields in node.metadata.managed_fields:
        for type_ in _types(fields):
            owners.setdefault(type_, set()).add(fields.manager)
    return {
        each.type: _whose(each, owners.get(each.type, set())) for each in node.status.conditions
    }


def change(node: Node, claims: Iterable[Claim], writer: Mapping[str, str], now: datetime) -> Change:
    """Say what to write to a Node as it was just read.

    Args:
        node: The Node.
        claims: What its conditions ought to be.
        writer: Whose each of its conditions is.
        now: The time by the API server's clock.
    """
    present = _present(node)
    wanted = {claim.type: claim for claim in claims}
    foreign = {
        each.type: writer[each.type]
        for each in node.status.conditions
        if (each.type in wanted or own.is_ours(each)) and writer[each.type] != REMEDIATOR_MANAGER
    }
    ours = [
        (claim, present.get(type_))
        for type_, claim in wanted.items()
        if type_ not in foreign and _differs(claim, present.get(type_))
    ]
    late = [due for claim, before in ours if (due := _due(claim, before)) > now]
    ripe = [(claim, before) for claim, before in ours if _due(claim, before) <= now]
    entries = [_entry(claim, before, now) for claim, before in ripe]
    entries += [
        {"$patch": "delete", "type": each.type}
        for each in node.status.conditions
        if each.type not in wanted and own.is_ours(each) and each.type not in foreign
    ]
    ready = _written(node) + AGAIN
    if entries and now < ready and not any(_flips(claim, before) for claim, before in ripe):
        entries, late = [], [ready, *late]
    return Change(entries=tuple(entries), foreign=foreign, again=min(late, default=None))


def is_due(node: Node, claims: Iterable[Claim], but: Collection[str] = ()) -> bool:
    """Say by a cached Node whether anything may be to be written: whose it is, is read later.

    Args:
        node: The Node.
        claims: What its conditions ought to be.
        but: Types that were lately found to be somebody else's.
    """
    present, wanted = _present(node), {claim.type: claim for claim in claims}
    differ = (type_ for type_, claim in wanted.items() if _differs(claim, present.get(type_)))
    left = (each.type for each in node.status.conditions if own.is_ours(each))
    return any(
        type_ not in but for type_ in (*differ, *(each for each in left if each not in wanted))
    )


def taken(nodes: Iterable[Node], claims: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Say by type which nodes have a condition that we would write and somebody else does."""
    types, found = frozenset(claims), dict[str, tuple[str, ...]]()
    for node in nodes:
        for each in node.status.conditions:
            if each.type in types and not own.is_ours(each):
                found[each.type] = (*found.get(each.type, ()), node.metadata.name)
    return found


def _types(fields: OwnedFields) -> Iterator[str]:
    """Yield the types of the conditions in which somebody owns a field."""
    status = fields.fields_v1.get("f:status")
    listed = status.get("f:conditions") if isinstance(status, Mapping) else None
    for key in listed if isinstance(listed, Mapping) else ():
        if key.startswith("k:"):
            named = json.loads(key[2:])
            yield named["type"]


def _whose(condition: Condition, owners: set[str]) -> str:
    if not owners and own.is_ours(condition):
        return REMEDIATOR_MANAGER
    others = sorted(owners - {REMEDIATOR_MANAGER})
    return ", ".join(others) or (REMEDIATOR_MANAGER if owners else UNKNOWN_WRITER)


def _present(node: Node) -> Mapping[str, Condition]:
    return {each.type: each for each in node.status.conditions}


def _differs(claim: Claim, before: Condition | None) -> bool:
    """Say whether a condition ought to be another one; a fault whose end is not known stands."""
    if before is None:
        return claim.begins and claim.status != ""
    stands = before.status == claim.bad != claim.status and before.reason in claim.doubts
    if stands or not claim.status:
        return False
    said = (before.status, before.reason, before.message)
    return said != (claim.status, claim.reason, claim.message)


def _flips(claim: Claim, before: Condition | None) -> bool:
    return before is None or before.status != claim.status


def _due(claim: Claim, before: Condition | None) -> datetime:
    """Say from when on it may be written: a fault at once, what is no fault when all is settled."""
    settles = claim.bad and claim.status != claim.bad and _flips(claim, before)
    if before is None or before.last_transition_time is None or not settles:
        return EVER
    return before.last_transition_time + AGAIN


def _entry(claim: Claim, before: Condition | None, now: datetime) -> Entry:
    """Write a condition; since when it has its status stands as it is unless that changes."""
    at = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    said = {"status": claim.status, "reason": claim.reason, "message": claim.message}
    changed = {"lastTransitionTime": at} if _flips(claim, before) else {}
    return {"type": claim.type, **said, **changed, "lastHeartbeatTime": at}


def _written(node: Node) -> datetime:
    """Say when we wrote a condition to a Node last, as far as its conditions tell."""
    ours = (each.last_heartbeat_time for each in node.status.conditions if own.is_ours(each))
    return max((at for at in ours if at is not None), default=EVER)
