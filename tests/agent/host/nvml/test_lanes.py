"""A link is held against what both of its ends can do, and not against what one of them could."""

from pathlib import Path

import pytest

from agent.host.nvml import bus
from tests.agent.trees import Tree

PCI = "0000:1b:00.0"


@pytest.mark.parametrize(
    ("card", "slot", "lanes"),
    [
        (16, 16, (8, 16)),
        (16, 8, (8, 8)),
        (8, 16, (8, 8)),
        (16, None, (8, 8)),
    ],
)
def test_a_link_can_be_as_wide_as_its_narrower_end(
    tmp_path: Path, card: int, slot: int | None, lanes: tuple[int, int]
) -> None:
    tree, port = Tree(root=tmp_path), "sys/devices/pci0000:1a/0000:1a:01.0"
    if slot is not None:
        tree.write(f"{port}/max_link_width", slot)
    files = {"vendor": "0x10de", "class": "0x030200", "max_link_width": card}
    for name, said in {**files, "current_link_width": 8}.items():
        tree.write(f"{port}/{PCI}/{name}", said)
    tree.link(f"sys/bus/pci/devices/{PCI}", f"{port}/{PCI}")

    assert bus.scan(tmp_path).bus.lanes == {PCI: lanes}
