"""What changed lately that may be to blame: rules, agents, GPU drivers, kubelets, kernels.

Which version of what was first seen when is in the ledger, so a restart forgets nothing. What was
there when the ledger first heard of any version is old. A rule set is new whenever it is first
seen, for nobody knows how good it is.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import structs

from nodehealth.health import NodeHealthStatus
from nodehealth.kube.objects import Node
from nodehealth.ledger import CHANGES_LENGTH, EVER, Change, RepairLedger
from nodehealth.repair import NodeRepair

RULES: Final = "rules"
"""What a set of rules is called."""
ROLL_OUT: Final = timedelta(days=1)
"""How long a version is new: it comes to one node after the other."""
_NOTED_WITHIN: Final = timedelta(minutes=1)
"""How long it may take until it is written down that something is new."""
_LONGEST: Final = 100


def rules(digest: str) -> str:
    """Name a set of rules."""
    return f"{RULES}/{digest}"


def of_node(node: Node, report: NodeHealthStatus) -> tuple[str, ...]:
    """Name what runs on a node, as far as it is known."""
    info = node.status.node_info
    said = {
        "agent": report.agent_version,
        "driver": report.driver_version,
        "kernel": info.kernel_version,
        "kubelet": info.kubelet_version,
    }
    return tuple(f"{what}/{version[:_LONGEST]}" for what, version in said.items() if version)


def of_rules(ledger: RepairLedger, digest: str, now: datetime) -> RepairLedger:
    """Have a ledger say when a set of rules was first seen."""
    before, what = ledger.status.changes, rules(digest)
    if not digest or what in before:
        return ledger
    first = Change(at=now, epoch=ledger.status.epoch)
    changes = {**before, what: first}
    return structs.replace(ledger, status=structs.replace(ledger.status, changes=changes))


def noted(
    ledger: RepairLedger, digest: str, versions: Iterable[str], now: datetime
) -> RepairLedger:
    """Have a ledger say when what is there now was first seen."""
    before = ledger.status.changes
    present = {*versions, *([rules(digest)] if digest else [])}
    known = {what.partition("/")[0] for what in before}
    first = Change(at=now, epoch=ledger.status.epoch)
    old = Change(at=EVER)
    new = {
        what: first if (kind := what.partition("/")[0]) in known or kind == RULES else old
        for what in sorted(present - before.keys())
    }
    kept = {what: each for what, each in before.items() if what in present or _is_new(each, now)}
    after = dict(sorted({**kept, **new}.items(), key=lambda each: each[1].at, reverse=True))
    after = dict(list(after.items())[:CHANGES_LENGTH])
    if after == before:
        return ledger
    return structs.replace(ledger, status=structs.replace(ledger.status, changes=after))


def blamed(
    repairs: Iterable[NodeRepair],
    changes: Mapping[str, Change],
    versions: Callable[[str], tuple[str, ...]],
    within: timedelta,
    now: datetime,
) -> Mapping[tuple[str, str, str], int]:
    """Count by pool, rule and change the nodes on which a rule began to hold after the change."""
    new = lately(changes, now)
    found = Counter[tuple[str, str, str]]()
    if not new:
        return found
    for each in repairs:
        target, created = each.spec.target, each.metadata.creation_timestamp
        digest = rules(each.spec.rules_digest)
        for what in (digest, *versions(target.node)):
            change = new.get(what)
            if change is None or created is None or created < change.at - _NOTED_WITHIN:
                continue
            if what != digest or created <= change.at + within:
                found[target.pool, each.spec.rule, what] += 1
    return found


def lately(changes: Mapping[str, Change], now: datetime) -> Mapping[str, Change]:
    """Return what is new enough to be blamed."""
    return {what: each for what, each in changes.items() if _is_new(each, now)}


def cordoned_since(
    ledger: RepairLedger, digest: str, within: timedelta, now: datetime
) -> frozenset[str]:
    """Name the nodes that were cordoned since a set of rules was first seen, if that is not long.

    It is read off the ledger alone, so that no cache can be too old for it.
    """
    status = ledger.status
    change = status.changes.get(rules(digest))
    if change is None or now > change.at + within:
        return frozenset()
    return frozenset(name for name, epoch in status.cordons.items() if epoch > change.epoch)


def _is_new(change: Change, now: datetime) -> bool:
    return change.at > now - ROLL_OUT
