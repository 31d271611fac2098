"""What makes good what happened before, and what excuses a subject, is checked like all else."""

from pathlib import Path

import pytest

from remediator.files import remedy
from remediator.rules import load
from remediator.rules.documents import ProblemsError
from remediator.rules.rule import Sign

GOOD = """\
apiVersion: nodemend.dev/v1alpha1
kind: Rule
metadata: {name: hurt}
spec:
  about: A GPU is hurt.
  severity: critical
  when:
    signal: gpu.xid
    where: "code == 95"
    since: gpu.reset
    unless: {signal: gpu.recovery_action, where: "value == 0.0"}
  ladder: [drain]
"""


def test_both_are_read(tmp_path: Path) -> None:
    (tmp_path / "rule.yaml").write_text(GOOD)

    (asked,) = load.rules(tmp_path, remedy).rules[0].questions

    assert asked.since == "gpu.reset"
    assert asked.unless is not None
    assert asked.unless.signal.name == "gpu.recovery_action"
    assert (asked.unless.where({"value": 0.0}), asked.unless.where({"value": 1.0})) == (True, False)


@pytest.mark.parametrize(
    ("good", "bad", "says"),
    [
        (
            "since: gpu.reset",
            "since: gpu.rest",
            "rule.yaml:10: spec.when.since: unknown signal gpu.rest; nearest of ",
        ),
        (
            "since: gpu.reset",
            "since: gpu.lost",
            "rule.yaml:10: spec.when.since: expected an event, got the level gpu.lost",
        ),
        (
            "signal: gpu.recovery_action",
            "signal: gpu.reset",
            "rule.yaml:11: spec.when.unless.signal: expected a level, got the event gpu.reset",
        ),
        (
            "signal: gpu.recovery_action",
            "signal: gpu.recovery",
            "rule.yaml:11: spec.when.unless.signal: unknown signal gpu.recovery; nearest of ",
        ),
        (
            "value == 0.0",
            "value > 0.5",
            (
                "rule.yaml:11: spec.when.unless.where: gpu.recovery_action only takes multiples "
                "of 1, got 0.5; the nearest is 0"
            ),
        ),
        (
            "value == 0.0",
            "level == 0.0",
            "rule.yaml:11: spec.when.unless.where: 'level == 0.0': ",
        ),
    ],
)
def test_a_mistake_in_them_is_named(tmp_path: Path, good: str, bad: str, says: str) -> None:
    (tmp_path / "rule.yaml").write_text(GOOD.replace(good, bad))

    with pytest.raises(ProblemsError) as found:
        load.rules(tmp_path, remedy)

    (problem,) = (str(each).removeprefix(f"{tmp_path}/") for each in found.value.problems)
    assert problem.startswith(says)


SIGNED = GOOD.replace("  ladder", "  condition: {type: StorageReady, reason: DiskFull}\n  ladder")


def test_a_condition_is_read(tmp_path: Path) -> None:
    (tmp_path / "rule.yaml").write_text(SIGNED)

    (made,) = load.rules(tmp_path, remedy).rules

    assert made.condition == Sign(type="StorageReady", reason="DiskFull")


def test_a_condition_may_have_another_name_with_node_problem_detector(tmp_path: Path) -> None:
    (tmp_path / "rule.yaml").write_text(SIGNED.replace("DiskFull}", "DiskFull, npd: NoSpace}"))

    (made,) = load.rules(tmp_path, remedy).rules

    assert made.condition == Sign(type="StorageReady", reason="DiskFull", npd="NoSpace")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("type: Ready", "spec.condition.type: Kubernetes writes Ready itself"),
        ("type: Drained", "spec.condition.type: Kubernetes writes Drained itself"),
        ("type: storage-ready", "spec.condition.type"),
    ],
)
def test_a_type_that_is_kubernetes_own_or_no_word_is_refused(
    tmp_path: Path, wrong: str, says: str
) -> None:
    (tmp_path / "rule.yaml").write_text(SIGNED.replace("type: StorageReady", wrong))

    with pytest.raises(ProblemsError, match=says):
        load.rules(tmp_path, remedy)
