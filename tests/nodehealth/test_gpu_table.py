"""The table of who else sees a signal of GPUs leaves out none of ours."""

from pathlib import Path
from typing import Final

from nodehealth.catalogue import CATALOGUE

LINES: Final = (Path(__file__).parents[2] / "docs/gpus.md").read_text(encoding="utf-8").splitlines()
PEERS: Final = 4


def cells(line: str) -> list[str]:
    """Return the cells of a row."""
    return [cell.strip() for cell in line.strip("|").split("|")]


ROWS: Final = [cells(line) for line in LINES if line.startswith("| `gpu.")]


def test_every_signal_of_gpus_has_one_row_and_nothing_else_has() -> None:
    named = [row[0].strip("`") for row in ROWS]

    assert sorted(named) == sorted(name for name in CATALOGUE if name.startswith("gpu."))


def test_every_peer_has_a_mark_that_is_explained_and_every_mark_is_used() -> None:
    pairs = [cells(line) for line in LINES if line.startswith("| ") and line.count("|") == 3]
    explained = {pair[0] for pair in pairs} - {"mark"}

    assert {len(row) for row in ROWS} == {1 + PEERS + 1}
    assert {mark for row in ROWS for mark in row[1 : 1 + PEERS]} == explained
