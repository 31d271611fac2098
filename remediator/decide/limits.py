"""Whether one more node may be cordoned or disrupted: every admission, and why it is refused."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import structs

from nodehealth import quantities
from nodehealth.ledger import (
    BUCKETS_LENGTH,
    CORDONS_LENGTH,
    SLOTS_LENGTH,
    RepairLedger,
    RepairLedgerStatus,
    Slot,
)
from nodehealth.repair import NodeRepair
from remediator.decide import counting, rates
from remediator.decide.counting import Scope
from remediator.decide.rates import Dry, Kind, Spending
from remediator.rules.policy import CLUSTER, Limit, Policy, Rate, is_domain


class Why(StrEnum):
    """Why an admission is refused."""

    CORDON_LIMIT = "CordonLimit"
    CORDON_RATE = "CordonRate"
    DISRUPTION_LIMIT = "DisruptionLimit"
    DISRUPTION_RATE = "DisruptionRate"
    FOREIGN_MAINTENANCE = "ForeignMaintenance"
    DISRUPTION_CLOSED = "DisruptionClosed"
    PAUSED = "Paused"
    NOT_APPROVED = "NotApproved"
    OUTSIDE_WINDOW = "OutsideWindow"
    CONTROL_PLANE = "ControlPlane"
    LAST_REPLICA = "LastReplica"
    GANG_LIMIT = "GangLimit"
    LEDGER_AT_ODDS = "LedgerAtOdds"
    LEDGER_REBUILT = "LedgerRebuilt"
    BREAKER_OPEN = "BreakerOpen"
    LEDGER_FULL = "LedgerFull"
    CONTENTION = "Contention"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An admission that is not given now, and the sentence that says why."""

    why: Why
    message: str
    after: timedelta | None = None
    """How long until the next one may be admitted, where only time is missing."""
    every: timedelta = timedelta()
    """How long until one more may be, after the next one."""
    until: datetime | None = None
    """When what forbids it is over, unless somebody ends it before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """The ledger with an admission in it; it counts only once it is swapped in."""

    ledger: RepairLedger
    epoch: int


def cordon(
    ledger: RepairLedger,
    repair: NodeRepair,
    scopes: tuple[Scope, ...],
    policy: Policy,
    now: datetime,
) -> Admitted | Refused:
    """Admit a cordon: a node that is unavailable anyway takes nothing from the limit."""
    node, status = repair.spec.target.node, ledger.status
    for scope in scopes:
        most = counting.most(policy, ledger, scope, counting.cordoned)
        held = counting.held(ledger, scope)
        out = counting.out(ledger, scope, policy) - (node in scope.out or node in held)
        if node not in scope.out and out + 1 > most:
            return Refused(
                why=Why.CORDON_LIMIT,
                message=f"{out} nodes of {counting.title(scope.name)} are unavailable"
                f"{_lacking(counting.missing(ledger, scope, policy))} and "
                + counting.spoken(policy, ledger, scope, counting.cordoned),
            )
    if len(status.cordons) >= CORDONS_LENGTH:
        return Refused(why=Why.LEDGER_FULL, message=f"the ledger holds {CORDONS_LENGTH} cordons")
    out_anyway = any(node in scope.out for scope in scopes)
    kind = Kind.OUT_CORDONS if out_anyway else Kind.CORDONS
    paid = _paid(status, scopes, policy, kind, now)
    if isinstance(paid, Refused):
        return paid
    epoch = status.epoch + 1
    cordons = {**status.cordons, node: epoch}
    changed = structs.replace(paid, epoch=epoch, cordons=cordons)
    return Admitted(ledger=structs.replace(ledger, status=changed), epoch=epoch)


def _lacking(missing: int) -> str:
    return f" ({missing} of them missing)" if missing else ""


def disrupt(
    ledger: RepairLedger,
    repair: NodeRepair,
    scopes: tuple[Scope, ...],
    policy: Policy,
    now: datetime,
) -> Admitted | Refused:
    """Admit a disruption of a cordoned node if every scope has room for it.

    Those on whose nodes others are at work take room as our own slots do. The slot is one of the
    first pool among the scopes, in which the node is now. One that the node has already, of another
    repair, goes on in it: what was lost or ordered under that is not over.
    """
    target, status = repair.spec.target, ledger.status
    for scope in scopes:
        refusal = _busy(target.node, scope) or _slot_refusal(ledger, target.node, scope, policy)
        if refusal is not None:
            return refusal
    if len(status.slots) >= SLOTS_LENGTH:
        return Refused(why=Why.LEDGER_FULL, message=f"the ledger holds {SLOTS_LENGTH} slots")
    paid = _paid(status, scopes, policy, Kind.DISRUPTIONS, now)
    if isinstance(paid, Refused):
        return paid
    epoch, before = status.epoch + 1, status.slots.get(target.node)
    slot = Slot(
        epoch=epoch,
        node_uid=target.node_uid,
        repair=repair.metadata.name,
        acquired_at=now,
        pool=next((each.name for each in scopes if each.name != CLUSTER), target.pool),
        domains=tuple(each.name for each in scopes if is_domain(each.name)),
        gangs=before.gangs if before is not None else (),
        only_drains=before is None or before.only_drains,
    )
    changed = structs.replace(paid, epoch=epoch, slots={**status.slots, target.node: slot})
    return Admitted(ledger=structs.replace(ledger, status=changed), epoch=epoch)


def full(
    ledger: RepairLedger, node: str, scopes: tuple[Scope, ...], policy: Policy
) -> Refused | None:
    """Say why no slot is left for a node, by a ledger as it was just read.

    Who is refused by it need not ask for a swap: one that gives a slot back wakes whoever waits.
    """
    if node in ledger.status.slots:
        return None
    refusals = (_slot_refusal(ledger, node, scope, policy) for scope in scopes)
    found = (each for each in refusals if each is not None and each.why is Why.DISRUPTION_LIMIT)
    return next(found, None)


def is_dry(ledger: RepairLedger, scope: str, policy: Policy, now: datetime) -> bool:
    """Say whether the rate of a scope lets no disruption begin now."""
    rate = _rate(policy.limit_of(scope), Kind.DISRUPTIONS)
    if rate is None:
        return False
    spending = Spending(scope=scope, kind=Kind.DISRUPTIONS, rate=rate)
    return rates.is_dry(ledger.status, spending, now)


def _busy(node: str, scope: Scope) -> Refused | None:
    """Leave a node to whoever is at work on it already."""
    if node not in scope.foreign:
        return None
    message = f"{scope.foreign[node]} is at work on {node}; waits until that is over"
    return Refused(why=Why.FOREIGN_MAINTENANCE, message=message)


def _slot_refusal(ledger: RepairLedger, node: str, scope: Scope, policy: Policy) -> Refused | None:
    most = counting.most(policy, ledger, scope, counting.disrupted)
    ours, theirs = counting.slots(ledger, scope), scope.foreign
    working = ours.keys() | theirs.keys()
    if len(working | {node}) <= most:
        return None
    if not working or not most:
        limit = counting.spoken(policy, ledger, scope, counting.disrupted)
        message = f"no node of {counting.title(scope.name)} may be disrupted: {limit}"
        return Refused(why=Why.DISRUPTION_LIMIT, message=message)
    alone = len(ours.keys() | {node}) > most
    holders = [name if name in ours else f"{name} ({theirs[name]})" for name in sorted(working)]
    named = ", ".join(holders[:3]) + (" and others" if len(holders) > 3 else "")
    taken = (
        f"{len(working)} of {most} disruption slots of {counting.title(scope.name)} are taken by"
    )
    why = Why.DISRUPTION_LIMIT if alone else Why.FOREIGN_MAINTENANCE
    return Refused(why=why, message=f"{taken} {named}")


def _paid(
    status: RepairLedgerStatus,
    scopes: tuple[Scope, ...],
    policy: Policy,
    kind: Kind,
    now: datetime,
) -> RepairLedgerStatus | Refused:
    """Take a token of every scope that has a rate, or say when the next one comes."""
    spendings = [
        Spending(scope=scope.name, kind=kind, rate=rate)
        for scope in scopes
        if (rate := _rate(policy.limit_of(scope.name), kind)) is not None
    ]
    paid = rates.spent(status, spendings, now)
    if isinstance(paid, Dry):
        return _dry(paid, now)
    if len(paid.buckets) > BUCKETS_LENGTH:
        message = f"the ledger holds {BUCKETS_LENGTH} rates; it has room when some have recovered"
        return Refused(why=Why.LEDGER_FULL, message=message)
    return paid


def _dry(dry: Dry, now: datetime) -> Refused:
    spending, rate = dry.spending, dry.spending.rate
    disrupts = spending.kind is Kind.DISRUPTIONS
    what = "disruptions" if disrupts else "cordons"
    pace = f"{rate.most} {what} in {quantities.spoken(rate.per)}"
    return Refused(
        why=Why.DISRUPTION_RATE if disrupts else Why.CORDON_RATE,
        message=f"the rate of {counting.title(spending.scope)} is {pace}, "
        f"at most {rate.burst} at once; the next one may begin at {now + dry.after:%H:%M:%S}",
        after=dry.after,
        every=rate.every,
    )


def _rate(limit: Limit, kind: Kind) -> Rate | None:
    return limit.disruptions if kind is Kind.DISRUPTIONS else limit.cordons
