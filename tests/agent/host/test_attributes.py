"""A property that is not there is no error; one that cannot be read is."""

from pathlib import Path

import pytest

from agent.host import attributes


def test_a_file_says_what_it_says_without_the_end_of_its_line(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("live\n")

    assert attributes.text(tmp_path / "state") == "live"


@pytest.mark.parametrize(("said", "number"), [("0", 0), ("17", 17), ("0x1f", 31), ("-1", -1)])
def test_a_number_is_read_as_the_kernel_writes_it(tmp_path: Path, said: str, number: int) -> None:
    (tmp_path / "size").write_text(f"{said}\n")

    assert attributes.number(tmp_path / "size") == number


def test_what_is_not_there_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert attributes.text(tmp_path / "gone") is None
    assert attributes.number(tmp_path / "file/gone") is None
    assert attributes.names(tmp_path / "gone") is None


def test_what_does_not_apply_says_nothing() -> None:
    without_a_link_speed = Path("/sys/class/net/lo/speed")

    assert attributes.number(without_a_link_speed) is None


def test_an_error_of_the_device_is_an_error() -> None:
    nothing_at_address_0 = Path("/proc/self/mem")

    with pytest.raises(OSError, match="Input/output error"):
        attributes.text(nothing_at_address_0)


def test_what_is_there_but_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        attributes.text(tmp_path)


def test_names_come_in_their_order(tmp_path: Path) -> None:
    for name in ("sdb", "sda"):
        (tmp_path / name).touch()

    assert attributes.names(tmp_path) == ("sda", "sdb")
