"""What the demo leaves behind: one JSON object that says what happened and whether it was right."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from nodehealth.repair import NodeRepair, Phase
from nodemend.demo.latency import Latency
from nodemend.demo.replicas import Frozen
from remediator.decide import plan

GIVEN_UP = frozenset({Phase.NEEDS_HUMAN, Phase.PARKED})
"""Phases in which a repair is over as far as nodemend goes: it waits for a person."""


class RealNode(msgspec.Struct, frozen=True, kw_only=True):
    """How it went with the node that is this very machine."""

    name: str
    faults: tuple[str, ...]
    """The rules that held on it."""
    fault_source: str
    """What was really done to the machine."""
    evidence: tuple[str, ...]
    outcome: str
    """The phase in which its repair ended."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole story in numbers."""

    nodes: int
    faults: int
    """How many nodes were made sick."""
    repairs: Mapping[str, int]
    """Repairs by the phase in which they ended."""
    held: Mapping[str, int]
    """How often a repair had to wait, by reason."""
    most_disrupted: Mapping[str, int]
    """The most nodes that were disrupted at once, by scope, as the observer counted them."""
    limit_violations: int
    """As the independent observer counted them."""
    violations: tuple[str, ...]
    """Every broken promise that it saw, in words."""
    unfinished: tuple[str, ...]
    """What had not come to its end when the time was up, in words."""
    latency_ms: Latency
    """From a report that made a node sick to its cordon, less the wait that the rule asks for."""
    real_node: RealNode
    frozen: Frozen | None = None
    """How it went with a remediator that stood still in the midst of a repair."""
    seconds: float

    def is_good(self) -> bool:
        """Say whether everything came to its end and no promise was broken."""
        return not self.violations and not self.unfinished


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What was counted while the demo ran."""

    nodes: int
    faults: int
    left_sick: Sequence[str]
    """The nodes that are sick and that nobody was called for."""
    to_come: int
    """The faults that the time did not suffice for."""
    violations: Sequence[str]
    limit_violations: int
    most_disrupted: Mapping[str, int]
    latency: Latency
    frozen: Frozen | None
    took: timedelta


def made(tally: Tally, repairs: Sequence[NodeRepair], *, real: str, source: str) -> Report:
    """Put the report together from what the cluster holds at the end."""
    mine = [each for each in repairs if each.spec.target.node == real]
    return Report(
        nodes=tally.nodes,
        faults=tally.faults,
        repairs=Counter(str(each.status.phase) for each in repairs),
        held=Counter(reason for each in repairs for reason in waits(each)),
        most_disrupted=tally.most_disrupted,
        limit_violations=tally.limit_violations,
        violations=tuple(tally.violations),
        unfinished=_unfinished(tally, repairs),
        latency_ms=tally.latency,
        real_node=RealNode(
            name=real,
            faults=tuple(each.spec.rule for each in mine),
            fault_source=source,
            evidence=tuple(text for each in mine for text in each.spec.evidence),
            outcome=mine[-1].status.phase if mine else "",
        ),
        frozen=tally.frozen,
        seconds=round(tally.took.total_seconds(), 1),
    )


def waits(repair: NodeRepair) -> list[str]:
    """Name the reasons for which a repair had to wait, each once."""
    waiting = f"{Phase.WAITING} ("
    texts = [line.text for line in repair.status.log if line.text.startswith(waiting)]
    return sorted({text.removeprefix(waiting).split(")", 1)[0] for text in texts})


def goes_on(repair: NodeRepair) -> bool:
    """Say whether a repair has neither ended nor called a person."""
    return plan.is_open(repair) and repair.status.phase not in GIVEN_UP


def _unfinished(tally: Tally, repairs: Sequence[NodeRepair]) -> tuple[str, ...]:
    going = [
        f"the repair of {each.spec.target.node} is still {each.status.phase}"
        for each in repairs
        if goes_on(each)
    ]
    named = {each.spec.target.node for each in repairs if goes_on(each)}
    sick = [f"{name} is still sick" for name in tally.left_sick if name not in named]
    late = [f"{tally.to_come} faults were still to come"] if tally.to_come else []
    return (*going, *sick, *late)
