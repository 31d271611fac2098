"""After how many failures a part is left to people is said in the policy, or never."""

from datetime import timedelta
from pathlib import Path

import pytest

from nodehealth.repair import PartKind
from remediator.rules import load
from remediator.rules.policy import Condemning

POLICY = """\
apiVersion: nodemend.dev/v1alpha1
kind: Policy
spec:
  mode: enforce
"""


def read(directory: Path, text: str) -> Condemning:
    (directory / "policy.yaml").write_text(POLICY + text)
    return load.policy(directory / "policy.yaml").condemned


@pytest.mark.parametrize(
    ("text", "gpus", "hosts"),
    [
        ("", 2, 3),
        ("  condemned: {gpus: 4}\n", 4, 3),
        ("  condemned: {hosts: 2}\n", 2, 2),
        ("  condemned: never\n", float("inf"), float("inf")),
    ],
)
def test_each_kind_of_part_has_a_number_of_its_own(
    tmp_path: Path, text: str, gpus: float, hosts: float
) -> None:
    manners = read(tmp_path, text)

    assert (manners.most(PartKind.GPU), manners.most(PartKind.HOST)) == (gpus, hosts)


def test_how_far_back_repairs_count_is_said_too(tmp_path: Path) -> None:
    assert read(tmp_path, "  condemned: {within: 7d}\n").within == timedelta(days=7)
    assert read(tmp_path, "").within == timedelta(days=30)
