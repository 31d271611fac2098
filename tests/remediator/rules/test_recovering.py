"""What becomes of a fault that goes away or comes back is said by its rule, or by the policy."""

from datetime import timedelta
from pathlib import Path

import pytest

from nodehealth.repair import Recovery
from remediator.files import remedy
from remediator.rules import load
from remediator.rules.documents import ProblemsError
from remediator.rules.policy import COOLDOWN
from remediator.rules.rule import Rule

RULE = """\
apiVersion: nodemend.dev/v1alpha1
kind: Rule
metadata: {name: full}
spec:
  about: A disk is full.
  severity: critical
  when: {signal: disk.free_ratio, where: "value < 0.05"}
  ladder: [drain]
"""
POLICY = """\
apiVersion: nodemend.dev/v1alpha1
kind: Policy
spec:
  mode: enforce
"""


def rule(directory: Path, text: str) -> Rule:
    (directory / "rule.yaml").write_text(RULE + text)
    (found,) = load.rules(directory, remedy).rules
    return found


def cooldown(directory: Path, text: str) -> timedelta:
    (directory / "policy.yaml").write_text(POLICY + text)
    return load.policy(directory / "policy.yaml").cooldown


def test_a_drain_is_finished_unless_the_rule_says_otherwise(tmp_path: Path) -> None:
    assert rule(tmp_path, "").on_recovery is Recovery.FINISH
    assert rule(tmp_path, "  onRecovery: abort\n").on_recovery is Recovery.ABORT


def test_a_rule_may_have_a_cooldown_of_its_own(tmp_path: Path) -> None:
    assert rule(tmp_path, "").cooldown is None
    assert rule(tmp_path, "  cooldown: 2h\n").cooldown == timedelta(hours=2)
    assert cooldown(tmp_path, "") == COOLDOWN
    assert cooldown(tmp_path, "  cooldown: 0s\n") == timedelta()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("  onRecovery: stop\n", "rule.yaml:9: spec.onRecovery: "),
        ("  cooldown: soon\n", "rule.yaml:9: spec.cooldown: "),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ProblemsError, match=says):
        rule(tmp_path, text)


def test_a_node_that_is_not_ready_is_left_alone_once_its_kubelet_is_back() -> None:
    shipped = load.rules(Path(__file__).parents[3] / "rules", remedy)
    aborted = [each.name for each in shipped.rules if each.on_recovery is Recovery.ABORT]

    assert aborted == ["not-ready"]
