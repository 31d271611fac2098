"""What the demo leaves behind: one JSON object that says what happened and whether it was right."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta

import msgspec

from nodehealth.repair import NodeRepair, Phase
from remediator.decide import plan


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
    limit_violations: int
    """As the independent observer counted them."""
    violations: tuple[str, ...]
    """Every broken promise that it saw, in words."""
    real_node: RealNode
    seconds: float

    def is_good(self) -> bool:
        """Say whether every sick node was repaired and no promise was broken."""
        mended = self.repairs.get(Phase.RECOVERED, 0)
        return mended == sum(self.repairs.values()) >= self.faults and not self.violations


def made(
    *,
    nodes: int,
    faults: int,
    repairs: Sequence[NodeRepair],
    violations: Sequence[str],
    limit_violations: int,
    real: str,
    fault_source: str,
    took: timedelta,
) -> Report:
    """Put the report together from what the cluster holds at the end."""
    mine = [each for each in repairs if each.spec.target.node == real]
    real_node = RealNode(
        name=real,
        faults=tuple(each.spec.rule for each in mine),
        fault_source=fault_source,
        evidence=tuple(text for each in mine for text in each.spec.evidence),
        outcome=mine[-1].status.phase if mine else "",
    )
    return Report(
        nodes=nodes,
        faults=faults,
        repairs=Counter(str(each.status.phase) for each in repairs),
        held=Counter(reason for each in repairs for reason in waits(each)),
        limit_violations=limit_violations,
        violations=tuple(violations),
        real_node=real_node,
        seconds=round(took.total_seconds(), 1),
    )


def waits(repair: NodeRepair) -> list[str]:
    """Name the reasons for which a repair had to wait, each once."""
    waiting = f"{Phase.WAITING} ("
    texts = [line.text for line in repair.status.log if line.text.startswith(waiting)]
    return sorted({text.removeprefix(waiting).split(")", 1)[0] for text in texts})


def ended(repairs: Sequence[NodeRepair], sick: int) -> bool:
    """Say whether there is a repair for every sick node and none goes on."""
    going = [each for each in repairs if plan.is_open(each) and not _is_given_up(each)]
    return len(repairs) >= sick and not going


def _is_given_up(repair: NodeRepair) -> bool:
    return repair.status.phase is Phase.NEEDS_HUMAN
