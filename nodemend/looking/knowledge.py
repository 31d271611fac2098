"""What is known of one node and how fresh that is, in sentences."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from nodehealth import keys, quantities
from nodehealth.health import Level, NodeHealthStatus, ProbeState
from nodehealth.kube.objects import Condition, Node
from nodehealth.ledger import Change
from nodehealth.signals import Knowledge
from remediator.decide import counting, marks, novelties
from remediator.decide.facts import Facts
from remediator.rules.policy import Policy

_EVENTS: Final = 5
"""How many kinds of things that happened are told."""


def of_machine(node: Node, policy: Policy | None) -> Iterator[str]:
    """Say what Kubernetes makes of the node; without a policy nobody knows its pool."""
    ready = next((each for each in node.status.conditions if each.type == "Ready"), None)
    yield f"It is {_readiness(ready)}{_place(node, policy) if policy is not None else ''}."
    if node.metadata.deletion_timestamp is not None:
        yield f"It is being deleted since {node.metadata.deletion_timestamp:%H:%M:%S}."
    yield _schedulable(node)
    apart = node.metadata.labels.get(keys.QUARANTINE_LABEL)
    if apart:
        yield f"It is set apart and gets no remedy: its {apart} failed again after repairs."


def _place(node: Node, policy: Policy) -> str:
    """Say whose limits it falls under besides the cluster's."""
    domains = (counting.title(each) for each in policy.domains_of(node))
    return "; it is in " + ", ".join((counting.title(policy.pool_of(node)), *domains))


def _readiness(ready: Condition | None) -> str:
    if ready is None:
        return "not Ready: its kubelet never said anything"
    since = f" since {ready.last_transition_time:%H:%M:%S}" if ready.last_transition_time else ""
    if ready.status == "True":
        return f"Ready{since}"
    says = "not Ready" if ready.status == "False" else "silent"
    return f"{says}{since} ({ready.reason}: {ready.message})"


def _schedulable(node: Node) -> str:
    fence = marks.fence_of(node)
    if not node.spec.unschedulable:
        return "It takes new work."
    if fence is not None and marks.is_held_as(node, fence):
        before = "; somebody else had cordoned it before" if marks.pre_cordoned(node) else ""
        return f"nodemend keeps new work away from it (admission {fence}){before}."
    return "Somebody else cordoned it; nodemend leaves that as it is."


def of_versions(facts: Facts, changes: Mapping[str, Change], now: datetime) -> Iterator[str]:
    """Say what runs on the node, and what of it is new enough to be blamed."""
    report = facts.health.status if facts.health is not None else NodeHealthStatus()
    runs = novelties.of_node(facts.node, report)
    if runs:
        yield f"It runs {', '.join(map(_version, runs))}."
    for what, change in novelties.lately(changes, now).items():
        if what in runs:
            yield f"{_version(what)} is new: it was first seen at {change.at:%Y-%m-%d %H:%M:%S}."


def _version(what: str) -> str:
    return what.replace("/", " ", 1)


def of_report(facts: Facts, now: datetime) -> Iterator[str]:
    """Say what the node's agent reports, and for how long that counts."""
    if facts.health is None or facts.heard_at is None:
        yield "No agent has reported it: nothing is known of what lies below its kubelet."
        return
    stale_at = facts.stale_at()
    if stale_at is None:
        yield "The last report is of an earlier Node of this name and proves nothing."
        return
    yield _freshness(facts.health.status, now - facts.heard_at, stale_at, now)
    yield _counts(facts.health.status.levels)
    yield from _happened(facts.health.status)
    for probe in facts.health.status.probes:
        if probe.state is not ProbeState.OK:
            message = f": {probe.message}" if probe.message else ""
            yield f"Probe {probe.name} is {probe.state} since {probe.since:%H:%M:%S}{message}."


def _freshness(status: NodeHealthStatus, age: timedelta, stale_at: datetime, now: datetime) -> str:
    refresh = quantities.spoken(timedelta(seconds=status.refresh_seconds))
    old = quantities.spoken(max(age, timedelta(seconds=1)))
    if now >= stale_at:
        return f"The last report is {old} old and counts no more: one was due every {refresh}."
    until = f"{stale_at:%H:%M:%S}"
    return f"Its agent reported {old} ago; without another report that counts until {until}."


def _happened(status: NodeHealthStatus) -> Iterator[str]:
    """Tell what happened last on this boot, whatever the rules make of it."""
    here = [e for e in status.events if e.boot_id == status.boot_id and e.history.last]
    last = sorted(here, key=lambda each: each.history.last[-1], reverse=True)
    for event in last[:_EVENTS]:
        fields = ", ".join(f"{name} {value}" for name, value in sorted(event.fields.items()))
        what = " ".join(filter(None, (event.name, event.subject, f"({fields})" if fields else "")))
        times = "once" if event.count == 1 else f"{event.count} times"
        yield f"{what} happened {times} since it booted, last at {event.history.last[-1]:%H:%M:%S}."
    if len(here) > _EVENTS:
        yield f"{len(here) - _EVENTS} more kinds of things happened before (--json has them all)."


def _counts(levels: tuple[Level, ...]) -> str:
    by = {how: [each for each in levels if each.knowledge is how] for how in Knowledge}
    unknown = sorted({f"{each.name} {each.subject}".strip() for each in by[Knowledge.UNKNOWN]})
    names = f" ({', '.join(unknown)})" if unknown else ""
    known, absent = len(by[Knowledge.KNOWN]), len(by[Knowledge.NOT_APPLICABLE])
    return f"{known} levels are known, {len(unknown)} unknown{names}, {absent} do not apply."
