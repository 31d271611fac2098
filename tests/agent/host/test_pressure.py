"""Who waited for what, and for how long, is read off the kernel's own table."""

from pathlib import Path

import pytest

from agent.host import pressure
from tests.agent.trees import Tree

SAID = """some avg10=90.00 avg60=80.00 avg300=70.50 total=900
full avg10=50.00 avg60=12.34 avg300=5.00 total=500"""


@pytest.mark.parametrize(
    ("whose", "window", "share"),
    [("some", "avg300", 0.705), ("full", "avg60", 0.1234), ("full", "avg10", 0.5)],
)
def test_each_share_is_found_in_its_place(
    tmp_path: Path, whose: str, window: str, share: float
) -> None:
    Tree(root=tmp_path).write("pressure/io", SAID)

    assert pressure.share(tmp_path, "io", whose=whose, window=window) == share


def test_a_kernel_without_it_says_none(tmp_path: Path) -> None:
    assert pressure.share(tmp_path, "cpu", whose="some", window="avg300") is None
