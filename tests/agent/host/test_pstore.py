"""What the kernel left of a crash is copied once, and never more of it than there is room for."""

import errno
import os
from pathlib import Path

import pytest

from agent.host import pstore
from tests.agent.trees import Tree

MADE = 1_760_000_000  # 2025-10-09T08:53:20Z
TIME = "20251009T085320"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine of which nothing is known."""
    return Tree(root=tmp_path / "host")


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """Where copies are to lie."""
    return tmp_path / "state" / "pstore"


def leave(tree: Tree, path: str, content: str = "Panic#1 Part1\n", *, at: int = 0) -> Path:
    tree.write(path, content)
    os.utime(tree.root / path, (MADE + at,) * 2)
    return tree.root / path


def copies(into: Path) -> list[str]:
    return sorted(each.name for each in into.iterdir())


def test_records_are_copied_under_the_time_at_which_they_were_made(tree: Tree, into: Path) -> None:
    left = leave(tree, "sys/fs/pstore/dmesg-efi-17600001")
    leave(tree, "sys/fs/pstore/console-ramoops-0")
    leave(tree, "var/lib/systemd/pstore/1760000002/dmesg.txt", at=2)

    pstore.keep(tree.root, into)

    first, second = copies(into)
    assert (first, second) == (f"{TIME}-dmesg-efi-17600001", "20251009T085322-1760000002-dmesg.txt")
    assert (into / first).read_bytes() == left.read_bytes()


def test_what_was_copied_stays_though_the_firmware_makes_room(tree: Tree, into: Path) -> None:
    left = leave(tree, "sys/fs/pstore/dmesg-efi-1")
    pstore.keep(tree.root, into)
    left.unlink()

    pstore.keep(tree.root, into)

    assert copies(into) == [f"{TIME}-dmesg-efi-1"]


def test_a_record_is_copied_once(tree: Tree, into: Path) -> None:
    leave(tree, "sys/fs/pstore/dmesg-efi-1")
    pstore.keep(tree.root, into)
    (into / f"{TIME}-dmesg-efi-1").write_text("ours")

    pstore.keep(tree.root, into)

    assert (into / f"{TIME}-dmesg-efi-1").read_text() == "ours"


def test_a_name_that_the_firmware_uses_again_is_another_record(tree: Tree, into: Path) -> None:
    for at in (0, 60):
        leave(tree, "sys/fs/pstore/dmesg-ramoops-0", at=at)
        pstore.keep(tree.root, into)

    assert len(copies(into)) == 2


def test_of_too_many_the_oldest_are_dropped_and_not_copied_again(tree: Tree, into: Path) -> None:
    for number in range(pstore.MOST):
        leave(tree, f"sys/fs/pstore/dmesg-efi-{number}", at=number)
    pstore.keep(tree.root, into)
    for number in range(3):
        leave(tree, f"sys/fs/pstore/dmesg-new-{number}", at=3600 + number)

    for _ in range(2):
        pstore.keep(tree.root, into)

        assert len(copies(into)) == pstore.MOST
        assert copies(into)[0].endswith("-dmesg-efi-3")
        assert copies(into)[-1].endswith("-dmesg-new-2")


def test_of_records_that_are_too_large_there_are_fewer_and_only_their_ends(
    tree: Tree, into: Path
) -> None:
    for number in range(20):
        text = "x" * pstore.LARGEST + f"the end of {number}"
        leave(tree, f"sys/fs/pstore/dmesg-ramoops-{number:02}", text, at=number)

    pstore.keep(tree.root, into)

    sizes = [(into / each).stat().st_size for each in copies(into)]
    assert sizes == [pstore.LARGEST] * (pstore.MOST_BYTES // pstore.LARGEST)
    assert (into / copies(into)[-1]).read_text().rstrip().endswith("the end of 19")


def test_where_there_is_nothing_nothing_is_made(tree: Tree, into: Path) -> None:
    pstore.keep(tree.root, into)

    assert not into.exists()


def test_a_disk_that_takes_nothing_is_said(tree: Tree, into: Path) -> None:
    leave(tree, "sys/fs/pstore/dmesg-efi-1")
    into.parent.write_text("no folder")

    with pytest.raises(OSError, match="Not a directory") as raised:
        pstore.keep(tree.root, into)

    assert raised.value.errno == errno.ENOTDIR
