"""A crash is told from an orderly end by what was written down, and by what was left behind."""

import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Final

import pytest

from agent.host import boots
from agent.host.boots import Ending
from tests.agent.trees import Tree
from tests.lacking import lacking

BOOTED: Final = 1_760_000_000
DAY: Final = 86400
BOOT: Final = (2, "reboot")
SHUTDOWN: Final = (1, "shutdown")
RUNLEVEL: Final = (1, "runlevel")
LOGIN: Final = (7, "shutdown")
"""Somebody of this name logged in."""

Mark = tuple[tuple[int, str], int]
CRASHED: Final = ((BOOT, -DAY), (RUNLEVEL, -DAY + 9), (LOGIN, -9), (BOOT, 5), (RUNLEVEL, 20))
ORDERLY: Final = ((BOOT, -DAY), (LOGIN, -99), (SHUTDOWN, -60), (BOOT, 5), (RUNLEVEL, 20))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine that has booted, and is older than its boot."""
    machine = Tree(root=tmp_path)
    machine.write("proc/stat", f"cpu 1 2 3\nbtime {BOOTED}\nprocesses 9")
    machine.write("etc/machine-id", "0123456789abcdef0123456789abcdef")
    os.utime(machine.root / "etc/machine-id", (BOOTED - 9 * DAY,) * 2)
    (machine.root / "var/log").mkdir(parents=True)
    return machine


def record(kind: int, user: str, at: int, *, wide: bool) -> bytes:
    """Write a record as glibc does, where it keeps to old programs, and where it need not."""
    head = struct.pack("<hxxi32s4s32s256shh", kind, 0, b"~", b"~~", user.encode(), b"6.1", 0, 0)
    time = struct.pack("<iii", 0, at, 0) if not wide else struct.pack("<qqq", 0, at, 0)
    return (head + time + bytes(16 + 20)).ljust(400 if wide else 384, b"\0")


def write_down(tree: Tree, marks: tuple[Mark, ...], *, wide: bool = False) -> None:
    written = b"".join(record(*what, BOOTED + at, wide=wide) for what, at in marks)
    (tree.root / "var/log/wtmp").write_bytes(written)


def leave(tree: Tree, path: str, at: int) -> None:
    tree.write(path, "Panic#1 Part1")
    os.utime(tree.root / path, (BOOTED + at,) * 2)


@pytest.mark.parametrize("wide", [False, True])
def test_a_boot_that_follows_a_boot_followed_a_crash(tree: Tree, *, wide: bool) -> None:
    write_down(tree, CRASHED, wide=wide)

    assert boots.ended(tree.root) == Ending(is_orderly=False)


@pytest.mark.parametrize("wide", [False, True])
def test_a_boot_that_follows_a_shutdown_was_wanted(tree: Tree, *, wide: bool) -> None:
    write_down(tree, ORDERLY, wide=wide)

    assert boots.ended(tree.root) == Ending(is_orderly=True)


def test_a_log_that_begins_with_this_boot_tells_nothing_of_the_last(tree: Tree) -> None:
    write_down(tree, ((BOOT, 5), (RUNLEVEL, 20)))

    assert boots.ended(tree.root).is_orderly is None


def test_a_log_in_which_this_boot_is_missing_tells_nothing(tree: Tree) -> None:
    write_down(tree, ((BOOT, -9 * DAY), (BOOT, -DAY)))

    assert boots.ended(tree.root).is_orderly is None


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"no log of logins at all" * 37])
def test_what_is_no_log_tells_nothing(tree: Tree, content: bytes) -> None:
    (tree.root / "var/log/wtmp").write_bytes(content)

    assert boots.ended(tree.root) == Ending(is_orderly=None)


@pytest.mark.parametrize("wide", [False, True])
def test_of_a_long_log_the_end_is_enough(tree: Tree, *, wide: bool) -> None:
    logins: tuple[Mark, ...] = ((LOGIN, -2 * DAY),) * 12_000
    write_down(tree, (*logins, *CRASHED), wide=wide)

    assert (tree.root / "var/log/wtmp").stat().st_size > 4 << 20
    assert boots.ended(tree.root).is_orderly is False


@pytest.mark.parametrize(
    "path", ["sys/fs/pstore/dmesg-efi-17600001", "var/lib/systemd/pstore/1760000002"]
)
def test_what_the_kernel_left_at_the_time_of_the_boot_is_named(tree: Tree, path: str) -> None:
    leave(tree, path, -30)
    leave(tree, "sys/fs/pstore/console-ramoops-0", -30)
    leave(tree, "var/lib/systemd/pstore/1700000000", -30 * DAY)

    assert boots.ended(tree.root).records == (path.rpartition("/")[2],)


def test_the_first_boot_of_a_machine_followed_nothing(tree: Tree) -> None:
    write_down(tree, CRASHED)
    leave(tree, "sys/fs/pstore/dmesg-efi-1", -30)
    os.utime(tree.root / "etc/machine-id", (BOOTED + 3,) * 2)

    assert boots.ended(tree.root) == Ending(is_orderly=None)


def test_a_machine_without_any_of_it_tells_nothing(tmp_path: Path) -> None:
    assert boots.ended(tmp_path) == Ending(is_orderly=None)


@pytest.mark.parametrize(("word", "is_orderly"), [("shutdown", True), ("runlevel", False)])
def test_what_the_systems_own_program_writes_is_understood(
    tree: Tree, word: str, *, is_orderly: bool
) -> None:
    utmpdump = shutil.which("utmpdump")
    if utmpdump is None:
        lacking("needs utmpdump, of util-linux")
    tree.write("proc/stat", "btime 1760000000")  # 2025-10-09T08:53:20Z
    lines = "".join(
        f"[{kind}] [00000] [~~  ] [{user:8}] [~           ] [6.1.0               ] "
        f"[0.0.0.0        ] [2025-10-{when},000000+00:00]\n"
        for kind, user, when in (
            (2, "reboot", "08T08:53:25"),
            (1, word, "09T08:50:00"),
            (2, "reboot", "09T08:53:25"),
        )
    )
    with (tree.root / "var/log/wtmp").open("wb") as wtmp:
        subprocess.run(
            [utmpdump, "--reverse"], input=lines.encode(), stdout=wtmp, check=True, timeout=30
        )

    assert boots.ended(tree.root).is_orderly is is_orderly
