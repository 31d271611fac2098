"""The levels that the remediator states itself: what it reads off Nodes, and who is silent.

The commonest fault is a node that says nothing. What is read here is as fresh as the watches it
came by: while they are behind, nothing is known, neither good nor bad.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from msgspec import structs

from nodehealth import quantities
from nodehealth.health import Level
from nodehealth.keys import GPU_RESOURCES, GPUS_LABEL
from nodehealth.kube.objects import Condition, Node
from nodehealth.signals import Knowledge
from remediator.decide import own, silence
from remediator.decide.facts import LOOK_AGAIN, Facts

_OFFERED: Final = frozenset(GPU_RESOURCES)
_PLEG: Final = "PLEG is not healthy"
"""What the kubelet says when its runtime has not listed its containers for minutes."""
_TRUTHS: Final = {"True": 1.0, "False": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """How one signal is read."""

    levels: Callable[[Facts, datetime], tuple[Level, ...]]
    """What is known now; nothing when nothing is."""
    known_at: Callable[[Facts], datetime | None]
    """As of when it is known."""
    due: Callable[[Facts, datetime], datetime | None]
    """When it may change although nobody tells us anything."""


def _off_the_node(read: Callable[[Node, datetime], Iterator[Level]]) -> Derivation:
    """Read a signal off the Node alone: it is as fresh as the watch of Nodes."""
    return Derivation(
        levels=lambda facts, now: tuple(read(facts.node, now)) if facts.sees_node(now) else (),
        known_at=lambda facts: facts.watches.nodes,
        due=lambda facts, now: None if facts.sees_node(now) else now + LOOK_AGAIN,
    )


def _ready(node: Node, now: datetime) -> Iterator[Level]:
    """Say whether the node is Ready: that nobody hears of its kubelet is known, and no good."""
    for each in node.status.conditions:
        if each.type == "Ready":
            level = _of(each, now, name="node.ready", value=_TRUTHS.get(each.status, 0.0))
            why = "pleg" if _PLEG in each.message else ""
            yield structs.replace(level, fields={**level.fields, "why": why})


def _conditions(node: Node, now: datetime) -> Iterator[Level]:
    """Tell of all conditions of the Node; what we wrote ourselves is no evidence."""
    for each in node.status.conditions:
        if not own.is_ours(each):
            value = _TRUTHS.get(each.status)
            yield _of(each, now, name="node.condition", value=value, subject=each.type)


def _of(
    condition: Condition, now: datetime, *, name: str, value: float | None, subject: str = ""
) -> Level:
    return Level(
        name=name,
        subject=subject,
        value=value,
        knowledge=Knowledge.UNKNOWN if value is None else Knowledge.KNOWN,
        fields={"status": condition.status, "reason": condition.reason},
        since=condition.last_transition_time or now,
    )


def _gpus(node: Node, now: datetime) -> Iterator[Level]:
    """Count the GPUs that the node gives, and those that it should.

    A kubelet whose device plugin is gone sets the allocatable number to zero at once and the
    capacity five minutes later: from then on, only the label knows better.
    """
    label = node.metadata.labels.get(GPUS_LABEL, "")
    there, given = _count(node.status.capacity), _count(node.status.allocatable)
    expected = int(label) if label.isdecimal() else there
    forgotten = expected == 0 and not label and not _OFFERED.isdisjoint(node.status.capacity)
    if there is None or given is None or forgotten:
        return
    yield Level(
        name="node.gpu_allocatable",
        value=float(given),
        knowledge=Knowledge.KNOWN if expected else Knowledge.NOT_APPLICABLE,
        fields={"capacity": there, "expected": expected or 0},
        since=now,
    )


def _count(resources: Mapping[str, str]) -> int | None:
    """Add up the GPUs among resources; nothing when a quantity is none."""
    try:
        return round(sum(quantities.amount(resources.get(name, "0")) for name in GPU_RESOURCES))
    except ValueError:
        return None


DERIVATIONS: Final[Mapping[str, Derivation]] = MappingProxyType(
    {
        "node.ready": _off_the_node(_ready),
        "node.condition": _off_the_node(_conditions),
        "node.gpu_allocatable": _off_the_node(_gpus),
        silence.SIGNAL: Derivation(
            levels=silence.levels, known_at=lambda facts: facts.heard_at, due=silence.due
        ),
    }
)
"""How each signal is read that the catalogue leaves to the remediator."""
