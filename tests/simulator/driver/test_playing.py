"""A person makes and breaks GPUs that are not there, a command each."""

import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest

from simulator.driver.__main__ import main
from simulator.driver.control import Driver
from tests.lacking import lacking


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Name a folder with blanks."""
    return tmp_path / "a box of mine"


def played(folder: Path, capsys: pytest.CaptureFixture[str], what: str = "h100x8") -> str:
    if main(["play", str(folder), what]):
        lacking(capsys.readouterr().err)
    return capsys.readouterr().out


def exported(said: str) -> Mapping[str, str]:
    """Read what a shell would make of what was said."""
    words = shlex.split(said, comments=True)
    return dict(each.split("=", 1) for each in words if "=" in each)


def test_a_machine_is_made_and_it_is_said_how_to_find_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = exported(played(folder, capsys))

    assert Path(found["HOST_ROOT"], "usr/lib64/libnvidia-ml.so.1").is_file()
    assert Path(found["NODEMEND_FAKE_NVML"]).is_file()
    (program,) = shlex.split(found["NODEMEND_NVIDIA_SMI"])
    assert Path(program).is_file()


def test_what_is_broken_is_well_again_when_the_machine_is_made_anew(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    played(folder, capsys)
    place = str(folder)

    codes = [
        main(["field", place, "3", "230", "1"]),
        main(["say", place, "2", "nvmlDeviceGetRemappedRows", "[0, 1, 1, 0]"]),
        main(["lose", place, "5"]),
        main(["unload", place]),
    ]

    state = Driver(folder).state()
    assert codes == [0] * 4
    assert state.gpus[3]["nvmlDeviceGetFieldValues"]["230"] == 1
    assert state.gpus[2]["nvmlDeviceGetRemappedRows"] == [0, 1, 1, 0]
    assert (state.lost, state.loaded) == ([5], False)
    played(folder, capsys)
    state = Driver(folder).state()
    assert (state.lost, state.loaded) == ([], True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("lose", "", "8"), "expected a GPU from 0 to 7, got 8"),
        (("say", "", "1", "nvmlDeviceGetGhost", "1"), "nvmlDeviceGetGhost: the library has no"),
        (("play", "", "ghost"), "ghost: a file or one of a100x8, "),
        (("unload", "/nowhere"), "expected a folder in which `play` made a machine, found none"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    played(folder, capsys)

    code = main([each or str(folder) for each in words])

    said = capsys.readouterr().err
    assert code == 2
    assert says in said
    assert said.count("\n") == 1


def test_a_folder_of_somebody_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letter").touch()

    assert main(["play", str(tmp_path), "t4"]) == 2
    assert "expected an empty folder" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["letter"]
