"""Errors of memory are found where the kernel counts them, and counted once."""

from pathlib import Path

import pytest

from agent.host import edac
from agent.host.edac import Module
from tests.agent.trees import Tree

MC = "sys/devices/system/edac/mc"


def module(name: str, corrected: int, uncorrected: int = 0, *, label: str = "") -> Module:
    return Module(name=name, label=label, corrected=corrected, uncorrected=uncorrected)


def control(tree: Tree, name: str, corrected: int, uncorrected: int = 0) -> None:
    tree.write(f"{MC}/{name}/ce_count", corrected)
    tree.write(f"{MC}/{name}/ue_count", uncorrected)


def plug(tree: Tree, name: str, corrected: int, uncorrected: int = 0, *, label: str = "") -> None:
    tree.write(f"{MC}/{name}/dimm_ce_count", corrected)
    tree.write(f"{MC}/{name}/dimm_ue_count", uncorrected)
    tree.write(f"{MC}/{name}/dimm_label", label)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine without memory that anybody watches."""
    return Tree(root=tmp_path)


def test_each_module_is_told_by_its_place_and_its_label(tree: Tree) -> None:
    control(tree, "mc0", 3, 1)
    plug(tree, "mc0/dimm0", 2, label="DIMM_A1")
    plug(tree, "mc0/rank1", 1, 1)

    assert edac.read(tree.root) == (
        module("mc0/dimm0", 2, label="DIMM_A1"),
        module("mc0/rank1", 1, 1),
        module("mc0", 0),
    )


def test_what_no_module_is_blamed_for_is_its_controllers(tree: Tree) -> None:
    control(tree, "mc1", 7, 2)
    plug(tree, "mc1/dimm0", 2)

    assert edac.read(tree.root) == (module("mc1/dimm0", 2), module("mc1", 5, 2))


def test_counts_that_were_read_at_different_moments_are_never_below_zero(tree: Tree) -> None:
    control(tree, "mc0", 1)
    plug(tree, "mc0/dimm0", 2)

    assert edac.read(tree.root) == (module("mc0/dimm0", 2), module("mc0", 0))


def test_what_lies_beside_controllers_and_modules_is_neither(tree: Tree) -> None:
    control(tree, "mc0", 0)
    tree.write(f"{MC}/power/control", "auto")
    tree.write(f"{MC}/mc0/csrow0/ce_count", 9)

    assert edac.read(tree.root) == (module("mc0", 0),)


def test_memory_that_nobody_watches_is_none(tree: Tree) -> None:
    tree.write(f"{MC}/power/control", "auto")

    assert edac.read(tree.root) is None
    assert edac.read(tree.root / "nowhere") is None
