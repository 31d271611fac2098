"""Whether a GPU needs a reset, and whether it is well after one."""

from dataclasses import replace

import pytest

from nodemend.mending import need, sight
from nodemend.mending.sight import Gpu, Sight

WELL = Gpu(uuid="GPU-2", pci="0000:3b:00.0", minor=2, action=0, pending=False)


def seen(*gpus: Gpu) -> Sight:
    return Sight(gpus=gpus, by_uuid={each.uuid: each for each in gpus})


def test_a_gpu_against_which_the_driver_has_nothing_needs_none() -> None:
    assert need.reasons([WELL, replace(WELL, action=None, pending=None)]) == ()


@pytest.mark.parametrize(
    ("sick", "why"),
    [
        (replace(WELL, action=1), "GPU-2 asks for a reset"),
        (replace(WELL, action=2), "GPU-2 asks for a reboot"),
        (replace(WELL, action=9), "GPU-2 asks for recovery action 9"),
        (replace(WELL, pending=True), "GPU-2 has rows to be remapped"),
        (replace(WELL, error=16), "GPU-2 does not answer (error 16)"),
    ],
)
def test_what_the_driver_has_against_a_gpu_is_said(sick: Gpu, why: str) -> None:
    assert need.reasons([sick]) == (why,)
    assert need.complaints([WELL], seen(sick)) == (why,)


def test_a_gpu_that_did_not_come_back_is_missed() -> None:
    assert need.complaints([WELL], seen()) == ("GPU-2 is gone from the driver",)


def test_a_gpu_that_comes_back_elsewhere_is_not_taken_for_the_same() -> None:
    moved = replace(WELL, pci="0000:5d:00.0")

    assert need.complaints([WELL], seen(moved)) == (
        "GPU-2 moved from 0000:3b:00.0 to 0000:5d:00.0",
    )


def test_a_driver_that_is_gone_is_no_success() -> None:
    assert need.complaints([WELL], Sight(code=9)) == ("NVML cannot be used any more (error 9)",)


def test_answers_of_nvml_are_read() -> None:
    told = {
        "code": 0,
        "gpus": [
            {
                "nvmlDeviceGetUUID": "GPU-0",
                "nvmlDeviceGetPciInfo_v3": {"busId": "00000000:3B:00.0"},
                "nvmlDeviceGetMinorNumber": 5,
                "nvmlDeviceGetFieldValues": {"230": 4},
                "nvmlDeviceGetRemappedRows": [0, 1, 1, 0],
                "nvmlDeviceGetMigMode": [1, 1],
                "nvmlDeviceGetPersistenceMode": 1,
                "nvmlDeviceGetNvLinkRemotePciInfo_v2": {"0": "00000000:5D:00.0"},
            },
            {
                "nvmlDeviceGetUUID": "GPU-1",
                "nvmlDeviceGetFieldValues": {"230": {"error": 3}},
                "nvmlDeviceGetRemappedRows": {"error": 3},
                "nvmlDeviceGetMigMode": {"error": 3},
                "nvmlDeviceGetNvLinkState": {"0": 0},
            },
            {"nvmlDeviceGetHandleByIndex_v2": {"error": 15}},
        ],
    }

    rich, poor, lost = sight.read(told).gpus

    assert rich == Gpu(
        uuid="GPU-0",
        pci="0000:3b:00.0",
        minor=5,
        action=4,
        pending=True,
        mig=True,
        persistence=True,
        peers=frozenset({"0000:5d:00.0"}),
    )
    assert poor == Gpu(uuid="GPU-1")
    assert (lost.uuid, lost.error) == ("", 15)


def test_where_there_are_switches_links_that_are_down_lead_to_them_too() -> None:
    told = {"gpus": [{"nvmlDeviceGetUUID": "GPU-1", "nvmlDeviceGetNvLinkState": {"0": 0}}]}

    assert [each.switched for each in sight.read(told, switches=True).gpus] == [True]
