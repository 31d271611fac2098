"""A small file is written and read back, never two of them, and none is left."""

import errno
from pathlib import Path

import pytest

from agent.host import writing
from agent.host.writing import CorruptError, NotTriedError


def test_what_is_written_is_read_back_and_nothing_is_left(tmp_path: Path) -> None:
    seconds = writing.write(str(tmp_path))

    assert 0 < seconds < 60
    assert list(tmp_path.iterdir()) == []


def test_what_a_crash_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / writing.NAME).write_bytes(b"x" * 100)

    writing.write(str(tmp_path))

    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_through_a_link_that_somebody_laid(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("dear")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / writing.NAME).symlink_to(victim)

    writing.write(str(folder))

    assert victim.read_text() == "dear"


@pytest.mark.parametrize("name", ["nowhere", "file", "link"])
def test_what_is_no_directory_is_not_tried(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)

    with pytest.raises(NotTriedError):
        writing.write(str(tmp_path / name))


@pytest.mark.parametrize("folder", ["/proc/self", "/sys/kernel"])
def test_what_takes_no_files_is_not_tried_or_says_why(folder: str) -> None:
    with pytest.raises((NotTriedError, OSError)):
        writing.write(folder)


def test_what_went_wrong_has_a_short_name() -> None:
    known = [OSError(errno.EIO, "Input/output error"), OSError("odd"), CorruptError("changed")]

    assert [writing.named(each) for each in known] == ["EIO", "other", "corrupt"]


def test_no_file_stays_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(10):
        writing.write(str(tmp_path))

    assert len(list(Path("/proc/self/fd").iterdir())) == before
