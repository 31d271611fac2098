"""Recordings that are none are refused with the place of what is wrong."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from simulator.driver import recording
from simulator.driver.recording import RecordingError

GPU: Mapping[str, Any] = {
    "nvmlDeviceGetUUID": "GPU-1",
    "nvmlDeviceGetPciInfo_v3": {"busId": "00000000:3B:00.0"},
}


def machine(*gpus: object, **more: object) -> dict[str, object]:
    return {"about": "one", "system": {}, "gpus": list(gpus), **more}


def test_every_machine_that_comes_with_the_simulator_can_be_loaded() -> None:
    names = recording.shipped()

    assert {"h100x8", "h200x8", "a100x8", "b200x8", "h100-mig", "l40sx4", "v100x4", "t4"} <= {
        *names
    }
    assert all(recording.load(name).gpus for name in names)


def test_a_recording_can_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text((recording.SHIPPED / "t4.yaml").read_text())

    assert recording.load(path) == recording.load("t4")


def test_an_address_is_told_as_sysfs_has_it() -> None:
    assert recording.parse(machine(GPU), "here").pci(0) == "0000:3b:00.0"
    assert recording.sysfs_address("00010000:0A:00.0") == "10000:0a:00.0"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ([], "here: must be a mapping, is list"),
        (machine(cards=1), "here: has about, system, gpus and absent, not cards"),
        ({"system": {}, "gpus": 8}, "here.gpus: must be a list of at most 64 GPUs"),
        (machine(*[GPU] * 65), "here.gpus: must be a list of at most 64 GPUs"),
        (machine(GPU, GPU), "here.gpus: each nvmlDeviceGetUUID must be there once"),
        (machine({}), "here.gpus[0].nvmlDeviceGetUUID: must be a text, is None"),
        (
            machine({**GPU, "nvmlDeviceGetPciInfo_v3": {"busId": "3b:00.0"}}),
            (
                "here.gpus[0].nvmlDeviceGetPciInfo_v3.busId: must be like 00000000:3B:00.0, "
                "is '3b:00.0'"
            ),
        ),
        (
            machine({**GPU, "nvmlDeviceGetFieldValues": {"ecc": 1}}),
            "here.gpus[0].nvmlDeviceGetFieldValues: keys are like 230 or 165/3, not 'ecc'",
        ),
        (
            machine({**GPU, "power": 1}),
            "here.gpus[0]: functions are called nvml…, not 'power'",
        ),
        (
            machine({**GPU, "nvmlDeviceGetSerial": b"1"}),
            (
                "here.gpus[0].nvmlDeviceGetSerial: must be a number, a text, a list or a mapping, "
                "is bytes"
            ),
        ),
        (machine(absent="nvmlInit"), "here.absent: must be a list of functions, is str"),
        (machine(absent=["init"]), "here.absent: functions are called nvml…, not 'init'"),
    ],
)
def test_what_is_no_recording_is_refused(content: object, complaint: str) -> None:
    with pytest.raises(RecordingError) as refused:
        recording.parse(content, "here")

    assert str(refused.value) == complaint


def test_a_file_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"nothing.yaml: a file or one of a100x8, b200x8"):
        recording.load(tmp_path / "nothing.yaml")


def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("a: [")

    with pytest.raises(RecordingError, match=r"bad.yaml: must be YAML"):
        recording.load(tmp_path / "bad.yaml")
