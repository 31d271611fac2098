"""How others are met is said in the policy: what faults show as, which locks count."""

from pathlib import Path

import pytest

from remediator.rules import load
from remediator.rules.documents import ProblemsError
from remediator.rules.policy import Beside, Coexistence, Conditions, Names, Policy

POLICY = """\
apiVersion: nodemend.dev/v1alpha1
kind: Policy
spec:
  mode: enforce
"""


def read(directory: Path, text: str) -> Policy:
    (directory / "policy.yaml").write_text(POLICY + text)
    return load.policy(directory / "policy.yaml")


def test_by_default_conditions_are_our_own_and_no_lock_is_read(tmp_path: Path) -> None:
    found = read(tmp_path, "")

    assert found.conditions == Conditions(names=Names.NODEMEND)
    assert (found.coexistence, found.competitors) == (Coexistence(), Beside.WARN)
    assert not found.coexistence.is_anything()


def test_all_of_it_may_be_said(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "  conditions: {names: karpenter, everyNode: true, lifecycle: true}\n"
        "  coexistence: {medik8s: true, kured: kube-system/kured, machines: true}\n"
        "  competitors: refuse\n",
    )

    assert found.conditions == Conditions(names=Names.KARPENTER, every_node=True, lifecycle=True)
    assert found.coexistence == Coexistence(
        medik8s=True, kured=("kube-system", "kured"), machines=True
    )
    assert found.competitors is Beside.REFUSE


@pytest.mark.parametrize("name", ["kured", "a/b/c", "/kured", "kube-system/"])
def test_a_daemon_set_is_named_with_its_namespace(tmp_path: Path, name: str) -> None:
    with pytest.raises(ProblemsError, match=r"coexistence\.kured: expected namespace/name"):
        read(tmp_path, f"  coexistence: {{kured: {name}}}\n")


def test_an_unknown_name_of_conditions_is_refused_with_those_that_are_known(
    tmp_path: Path,
) -> None:
    with pytest.raises(ProblemsError, match="conditions"):
        read(tmp_path, "  conditions: {names: eks}\n")
