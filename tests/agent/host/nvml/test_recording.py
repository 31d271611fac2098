"""A recording says what a machine said, but not whose it is."""

import asyncio
from pathlib import Path
from typing import Any

from agent.host.nvml import recording
from agent.host.nvml.facts import Card, Driver, Gpus
from simulator.driver import recording as played
from tests.agent.host.nvml.stands import standing

UUID = "GPU-4a1f0c52-8d11-4c0e-9b5e-0123456789ab"
CLUSTER = "5fa0c52a-8d11-4c0e-9b5e-0123456789ab"


def gpus(*answers: dict[str, Any]) -> Gpus:
    """Return GPUs that said so."""
    cards = [
        Card(pci=f"0000:0{at}:00.0", uuid=f"{UUID}{at}", answers=each)
        for at, each in enumerate(answers)
    ]
    system = {"nvmlSystemGetDriverVersion": "570.1"}
    return Gpus(driver=Driver.UP, system=system, cards=tuple(cards))


def test_where_sysfs_tells_no_version_of_the_driver_nvml_may() -> None:
    refused = Gpus(system={"nvmlSystemGetDriverVersion": {"error": 999}})

    assert gpus().version == "570.1"
    assert (refused.version, Gpus().version) == ("", "")


def test_identities_are_others_but_the_same_ones_throughout() -> None:
    fabric = {"clusterUuid": CLUSTER, "state": 3}
    first = {"nvmlDeviceGetUUID": UUID, "nvmlDeviceGetSerial": "1654422007", "f": fabric}
    second = {
        "nvmlDeviceGetUUID": f"{UUID[:-1]}c",
        "nvmlDeviceGetSerial": "1654422008",
        "f": fabric,
    }

    found = recording.recorded(gpus(first, second), {})

    text = str(found)
    assert not any(each in text for each in (UUID, CLUSTER, "1654422007", "1654422008"))
    one, other = found["gpus"]
    assert one["nvmlDeviceGetUUID"] != other["nvmlDeviceGetUUID"]
    assert (one["nvmlDeviceGetSerial"], other["nvmlDeviceGetSerial"]) == (
        "0000000001",
        "0000000002",
    )
    assert one["f"] == other["f"] != fabric
    assert len(one["nvmlDeviceGetUUID"]) == len(UUID)


def test_what_there_is_not_is_left_out_and_what_failed_is_not() -> None:
    said = {"nvmlDeviceGetUUID": UUID, "a": {"error": 3}, "b": {"error": 999}, "c": {"error": 13}}

    found = recording.recorded(gpus(said), {})

    assert found["gpus"][0].keys() == {"nvmlDeviceGetUUID", "b"}
    assert found["absent"] == ["c"]


def test_an_old_function_is_recorded_by_its_own_name() -> None:
    said = {"nvmlDeviceGetTemperatureV": 41, "nvmlDeviceGetMemoryInfo": {"free": 1}}

    found = recording.recorded(gpus(said), {"0000:00:00.0": ["nvmlDeviceGetTemperatureV"]})

    assert found["gpus"][0] == {
        "nvmlDeviceGetTemperature": 41,
        "nvmlDeviceGetMemoryInfo": {"free": 1},
    }


def test_it_says_what_kind_of_machine_it_is() -> None:
    named = {"nvmlDeviceGetName": "NVIDIA H100"}

    assert recording.recorded(gpus(named, named), {})["about"] == "2 x NVIDIA H100, driver 570.1"


async def test_what_was_recorded_says_the_same_when_it_is_played(
    tmp_path: Path, cache: Path
) -> None:
    async with standing(tmp_path / "a", cache, gpus=2) as stand:
        await stand.settled()
        first = recording.recorded(stand.gpus, stand.supervisor.missing())
    again = await asyncio.to_thread(played.parse, first, "first")

    async with standing(tmp_path / "b", cache, recorded=again) as stand:
        await stand.settled()
        second = recording.recorded(stand.gpus, stand.supervisor.missing())

    assert second == first
