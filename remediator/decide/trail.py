"""What a write of a repair decided: one line for each decision, for whoever must show it later."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum

import msgspec

from nodehealth.repair import NodeRepair, NodeRepairStatus


class Event(StrEnum):
    """What kind of decision a line is about."""

    BEGUN = "begun"
    """A fault was confirmed, and its repair was opened."""
    DECIDED = "decided"
    """A phase, a step, or why nothing is done now."""
    ADMITTED = "admitted"
    """The ledger gave an epoch: to cordon or to disrupt the node."""
    ORDERED = "ordered"
    """A deed was claimed, before it is done."""
    EVICTED = "evicted"
    """A pod was asked to leave."""
    JOINED = "joined"
    """Another fault of the node joined the repair."""
    ANSWERED = "answered"
    """What came of a person's request."""


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One decision; what is empty is left out."""

    at: datetime
    event: Event
    node: str
    node_uid: str
    repair: str
    rule: str
    mode: str
    pool: str = ""
    phase: str = ""
    reason: str = ""
    message: str = ""
    action: str = ""
    """The remedy that is ordered."""
    key: str = ""
    """Its idempotency key."""
    attempt: int = 0
    cordon_epoch: int = 0
    disruption_epoch: int = 0
    evidence: tuple[str, ...] = ()
    ladder: tuple[str, ...] = ()
    pod: str = ""
    """`namespace/name` of the pod."""
    pod_uid: str = ""
    owner: str = ""
    by: str = ""
    """The person who asked."""


def begun(repair: NodeRepair, now: datetime) -> Line:
    """Return the line of a repair that was opened."""
    spec = repair.spec
    return _line(
        repair,
        Event.BEGUN,
        now,
        evidence=spec.evidence,
        ladder=tuple(rung.action for rung in spec.ladder),
    )


def written(before: NodeRepair, after: NodeRepair, now: datetime) -> Iterator[Line]:
    """Give the lines of one write of a repair's status, in the order of what they say."""
    was, became = before.status, after.status
    yield from _admitted(was, after, now)
    for fault in became.faults[len(was.faults) :]:
        said = f"{fault.rule} joined"
        yield _line(after, Event.JOINED, now, message=said, evidence=fault.evidence)
    if became.answer is not None and became.answer != was.answer:
        answer = became.answer
        by = answer.request.by
        yield _line(after, Event.ANSWERED, answer.at, message=answer.message, by=by)
    known = set(was.log)
    for decision in became.log:
        if decision not in known:
            yield _line(after, Event.DECIDED, decision.at, message=decision.text)
    intent = became.intent
    if intent is not None and intent != was.intent:
        yield _line(
            after,
            Event.ORDERED,
            intent.issued_at,
            action=intent.action,
            key=intent.key,
            attempt=intent.attempt,
        )
    asked = {each.uid for each in was.evictions}
    for pod in became.evictions:
        if pod.uid not in asked:
            named, owner = f"{pod.namespace}/{pod.name}", pod.owner
            yield _line(after, Event.EVICTED, pod.at, pod=named, pod_uid=pod.uid, owner=owner)


def _admitted(was: NodeRepairStatus, after: NodeRepair, now: datetime) -> Iterator[Line]:
    became = after.status
    if became.cordon_epoch and became.cordon_epoch != was.cordon_epoch:
        yield _line(after, Event.ADMITTED, now, cordon_epoch=became.cordon_epoch)
    if became.disruption_epoch and became.disruption_epoch != was.disruption_epoch:
        yield _line(after, Event.ADMITTED, now, disruption_epoch=became.disruption_epoch)


def _line(repair: NodeRepair, event: Event, at: datetime, **more: object) -> Line:
    spec, status = repair.spec, repair.status
    line = Line(
        at=at,
        event=event,
        node=spec.target.node,
        node_uid=spec.target.node_uid,
        repair=repair.metadata.name,
        rule=spec.rule,
        mode=spec.mode,
        pool=spec.target.pool,
        phase=status.phase,
        reason=status.reason,
    )
    return msgspec.structs.replace(line, **more)
