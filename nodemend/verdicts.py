"""What the rules make of one sweep of a machine, without a cluster and without waiting."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from nodehealth.health import NodeHealth, NodeHealthStatus
from nodehealth.kube.objects import Metadata, Node
from remediator import files
from remediator.decide.answers import Truth
from remediator.decide.facts import Facts
from remediator.decide.judge import Judgement, Mark, judge
from remediator.rules import load
from remediator.rules.rule import RuleSet


def suspected(status: NodeHealthStatus, rules: RuleSet, now: datetime) -> Mapping[str, Mark]:
    """Find the rules that hold, or would if what was seen lasts."""
    node = Node(metadata=Metadata(name="this machine", uid=status.node_uid))
    facts = Facts(node=node, health=NodeHealth(status=status), heard_at=now)
    marks = judge(rules.rules, facts, Judgement(), now).marks
    return {name: mark for name, mark in marks.items() if mark.truth >= Truth.SUSPECTED}


def faults(status: NodeHealthStatus, rules: Path, now: datetime) -> Sequence[str]:
    """Say which rules hold, or would if what was seen lasts.

    Raises:
        remediator.rules.documents.ProblemsError: the rules can't be used.
    """
    known = load.rules(rules, files.remedy)
    return [
        f"{name}: {'; '.join(mark.evidence)} ({known.by_name[name].about})"
        for name, mark in suspected(status, known, now).items()
    ]
