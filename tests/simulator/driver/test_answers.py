"""What unmodified pynvml makes of the answers of a recorded machine."""

import ctypes
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pynvml
import pytest

from simulator.driver import build, functions, recording
from simulator.driver.control import Driver, error
from tests.simulator.driver.clients import Client

GPU: Final = {"gpu": 3}

PLAIN: Final[Mapping[str, object]] = {
    "nvmlDeviceGetUUID": "GPU-4a1f0c52-8d11-4c0e-9b5e-000000000103",
    "nvmlDeviceGetSerial": "1650000000103",
    "nvmlDeviceGetName": "NVIDIA H100 80GB HBM3",
    "nvmlDeviceGetMinorNumber": 3,
    "nvmlDeviceGetIndex": 3,
    "nvmlDeviceGetVbiosVersion": "96.00.99.00.01",
    "nvmlDeviceGetGspFirmwareVersion": "570.124.06",
    "nvmlDeviceGetGspFirmwareMode": [1, 1],
    "nvmlDeviceGetArchitecture": 9,
    "nvmlDeviceGetRemappedRows": [0, 0, 0, 0],
    "nvmlDeviceGetEccMode": [1, 1],
    "nvmlDeviceGetMigMode": [0, 0],
    "nvmlDeviceGetMaxMigDeviceCount": 7,
    "nvmlDeviceGetMarginTemperature": 55,
    "nvmlDeviceGetPowerUsage": 71002,
    "nvmlDeviceGetEnforcedPowerLimit": 700000,
    "nvmlDeviceGetCurrentClocksEventReasons": 1,
    "nvmlDeviceGetCurrentClocksThrottleReasons": 1,
    "nvmlDeviceGetPerformanceState": 0,
    "nvmlDeviceGetPersistenceMode": 1,
    "nvmlDeviceGetUtilizationRates": {"gpu": 0, "memory": 0},
    "nvmlDeviceGetCurrPcieLinkWidth": 16,
    "nvmlDeviceGetMaxPcieLinkWidth": 16,
    "nvmlDeviceGetCurrPcieLinkGeneration": 5,
    "nvmlDeviceGetMaxPcieLinkGeneration": 5,
    "nvmlDeviceGetPcieReplayCounter": 0,
    "nvmlDeviceGetSupportedEventTypes": 0x9F,
    "nvmlDeviceValidateInforom": None,
    "nvmlDeviceGetComputeRunningProcesses_v3": [],
    "nvmlDeviceGetRowRemapperHistogram": {
        "max": 2560,
        "high": 0,
        "partial": 0,
        "low": 0,
        "none": 0,
    },
}
"""What a function gives that needs but a handle."""

SET: Final[Mapping[str, tuple[object, object]]] = {
    "nvmlDeviceGetRemappedRows": ([7, 2, 1, 1], [7, 2, 1, 1]),
    "nvmlDeviceGetCurrentClocksEventReasons": (1 << 40 | 0x48, 1 << 40 | 0x48),
    "nvmlDeviceGetPowerUsage": (4_000_000_000, 4_000_000_000),
    "nvmlDeviceGetMarginTemperature": (-3, -3),
    "nvmlDeviceGetUnrepairableMemoryFlag_v1": (1, 1),
    "nvmlDeviceGetRepairStatus": ([1, 0], [1, 0]),
    "nvmlDeviceGetRetiredPagesPendingStatus": (1, 1),
    "nvmlDeviceGetUtilizationRates": ({"gpu": 99, "memory": 40}, {"gpu": 99, "memory": 40}),
    "nvmlDeviceGetEccMode": ([0, 1], [0, 1]),
    "nvmlDeviceGetSerial": ("1" * 29, "1" * 29),
    "nvmlDeviceGetRowRemapperHistogram": (
        {"max": 1, "high": 2, "partial": 3, "low": 4, "none": 5},
        {"max": 1, "high": 2, "partial": 3, "low": 4, "none": 5},
    ),
}
"""What is put in, and what comes out."""


def test_every_function_gives_what_the_recording_says(client: Client) -> None:
    said = {name: client.ask(name, GPU) for name in PLAIN}

    assert said == PLAIN


def test_every_answer_can_be_changed_while_nvml_is_open(driver: Driver, client: Client) -> None:
    for name, (value, _) in SET.items():
        driver.set(3, name, value)
    said = {name: client.ask(name, GPU) for name in SET}

    assert said == {name: expected for name, (_, expected) in SET.items()}


def test_every_function_gives_the_error_that_it_is_told_to(driver: Driver, client: Client) -> None:
    functions = {*PLAIN, *SET} - {"nvmlDeviceGetIndex", "nvmlDeviceGetCurrentClocksThrottleReasons"}
    for name in functions:
        driver.set(3, name, error(999))
    said = {name: client.ask(name, GPU) for name in functions}

    assert said == {name: {"error": 999} for name in functions}
    assert client.ask("nvmlDeviceGetPowerUsage", {"gpu": 2}) == 71002


def test_a_function_that_the_recording_does_not_name_is_not_supported(client: Client) -> None:
    assert client.ask("nvmlDeviceGetUnrepairableMemoryFlag_v1", GPU) == {"error": 3}


def test_the_system_says_its_versions(client: Client) -> None:
    names = (
        "nvmlSystemGetDriverVersion",
        "nvmlSystemGetNVMLVersion",
        "nvmlSystemGetCudaDriverVersion_v2",
        "nvmlGetExcludedDeviceCount",
    )

    assert [client.ask(name) for name in names] == ["570.124.06", "12.570.124.06", 12080, 0]


def test_a_gpu_is_found_by_index_uuid_and_address(driver: Driver, client: Client) -> None:
    ways = (
        ("nvmlDeviceGetHandleByIndex", 3),
        ("nvmlDeviceGetHandleByUUID", driver.uuid(3)),
        ("nvmlDeviceGetHandleByPciBusId", "00000000:61:00.0"),
        ("nvmlDeviceGetHandleByPciBusId", "0000:61:00.0"),
    )

    assert [client.ask(*way) for way in ways] == [3, 3, 3, 3]


def test_what_is_not_there_is_not_found(client: Client) -> None:
    ways = (
        ("nvmlDeviceGetHandleByIndex", 8),
        ("nvmlDeviceGetHandleByUUID", "GPU-0"),
        ("nvmlDeviceGetHandleByPciBusId", "00000000:62:00.0"),
        ("nvmlDeviceGetHandleByPciBusId", "there"),
    )

    assert [client.ask(*way)["error"] for way in ways] == [2, 6, 6, 2]


def test_an_address_is_told_in_all_its_parts(client: Client) -> None:
    assert client.ask("nvmlDeviceGetPciInfo_v3", GPU) == {
        "busIdLegacy": "0000:61:00.0",
        "domain": 0,
        "bus": 0x61,
        "device": 0,
        "pciDeviceId": 0x233010DE,
        "pciSubSystemId": 0x16C110DE,
        "busId": "00000000:61:00.0",
    }


def test_fields_have_each_its_own_code_type_and_time(driver: Driver, client: Client) -> None:
    driver.field(3, 4, (1 << 40) + 5)
    driver.field(3, 82, error(999))
    driver.field(3, 186, 1.5)
    said = client.fields(3, [230, 4, 193, 186, 82, 999])

    assert [(one["code"], one["type"], one["value"]) for one in said if one["code"] == 0] == [
        (0, pynvml.NVML_VALUE_TYPE_UNSIGNED_INT, 0),
        (0, pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG, (1 << 40) + 5),
        (0, pynvml.NVML_VALUE_TYPE_SIGNED_INT, -8),
        (0, pynvml.NVML_VALUE_TYPE_DOUBLE, 1.5),
    ]
    assert [one["code"] for one in said] == [0, 0, 0, 0, 999, 3]
    assert all(one["latency"] >= 0 and one["timestamp"] > 0 for one in said)


def test_a_field_of_links_is_told_of_each_link_that_there_is(
    driver: Driver, client: Client
) -> None:
    driver.field(3, "161/5", 9)
    said = client.fields(3, [[161, link] for link in (0, 5, 17, 18)])

    assert [(one["code"], one["value"]) for one in said] == [(0, 0), (0, 9), (0, 0), (3, 0)]


def test_a_slow_call_says_in_its_fields_how_long_it_took(driver: Driver, client: Client) -> None:
    driver.slow(50, 3, "nvmlDeviceGetFieldValues")

    assert client.fields(3, [230])[0]["latency"] >= 50_000


def test_temperature_is_told_by_both_names_of_the_function(driver: Driver, client: Client) -> None:
    driver.set(3, "nvmlDeviceGetTemperatureV", 91)
    names = ("nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature")

    assert [client.ask(name, GPU, 0) for name in names] == [91, 91]
    assert [client.ask(name, GPU, 1) for name in names] == [{"error": 2}, {"error": 2}]


def test_thresholds_and_links_are_told_one_by_one(driver: Driver, client: Client) -> None:
    driver.set(3, "nvmlDeviceGetNvLinkState", {"0": 1, "1": 0, "2": error(999)})
    limits = [client.ask("nvmlDeviceGetTemperatureThreshold", GPU, which) for which in range(5)]
    links = [client.ask("nvmlDeviceGetNvLinkState", GPU, link) for link in range(4)]

    assert limits == [92, 89, 95, 87, {"error": 3}]
    assert links == [1, 0, {"error": 999}, {"error": 3}]


def test_the_other_end_of_a_link_is_told(client: Client) -> None:
    peer = client.ask("nvmlDeviceGetNvLinkRemotePciInfo", GPU, 4)

    assert (peer["busId"], peer["bus"]) == ("00000000:08:00.0", 8)
    assert client.ask("nvmlDeviceGetNvLinkRemoteDeviceType", GPU, 4) == 2


def test_one_link_can_go_down(driver: Driver, client: Client) -> None:
    driver.part(3, "nvmlDeviceGetNvLinkState", 1, 0)
    links = [client.ask("nvmlDeviceGetNvLinkState", GPU, link) for link in range(18)]

    assert links == [1, 0, *[1] * 16]


def test_counts_by_two_arguments_are_told(driver: Driver, client: Client) -> None:
    driver.set(3, "nvmlDeviceGetTotalEccErrors", {"0/0": 1, "0/1": 2, "1/0": 3, "1/1": 1 << 33})
    said = [client.ask("nvmlDeviceGetTotalEccErrors", GPU, *which) for which in ((0, 1), (1, 1))]

    assert said == [2, 1 << 33]


def test_memory_is_told_with_and_without_what_is_reserved(driver: Driver, client: Client) -> None:
    driver.set(3, "nvmlDeviceGetMemoryInfo", {"total": 1000, "used": 300, "free": 600})
    second = client.ask("nvmlDeviceGetMemoryInfo", GPU, pynvml.nvmlMemory_v2)

    assert client.ask("nvmlDeviceGetMemoryInfo", GPU) == {"total": 1000, "used": 400, "free": 600}
    assert (second["used"], second["free"], second["reserved"]) == (300, 600, 100)
    assert client.ask("nvmlDeviceGetMemoryInfo", GPU, 0x03000028) == {"error": 25}


@pytest.mark.parametrize("version", ["c_nvmlGpuFabricInfo_v2_t", "c_nvmlGpuFabricInfo_v3_t"])
def test_the_fabric_is_told_in_both_versions(driver: Driver, client: Client, version: str) -> None:
    uuid = "01020304-0506-0708-090a-0b0c0d0e0f10"
    driver.set(
        3,
        "nvmlDeviceGetGpuFabricInfoV",
        {"state": 2, "status": 27, "cliqueId": 5, "healthMask": 0x2A5, "healthSummary": 2}
        | {"clusterUuid": uuid},
    )
    said = client.ask("nvmlDeviceGetGpuFabricInfoV", GPU, {"struct": version})

    assert said["clusterUuid"] == list(range(1, 17))
    assert [said[name] for name in ("state", "status", "cliqueId", "healthMask")] == [
        *(2, 27, 5, 0x2A5)
    ]
    assert said.get("healthSummary", 2) == 2


def test_the_older_function_tells_of_the_fabric_too(client: Client) -> None:
    said = client.ask("nvmlDeviceGetGpuFabricInfo", GPU, {"struct": "c_nvmlGpuFabricInfo_t"})

    assert (said["state"], said["status"], said["cliqueId"]) == (3, 0, 0)


def test_errors_of_sram_are_told(driver: Driver, client: Client) -> None:
    names = [name for name, _ in pynvml.c_nvmlEccSramErrorStatus_v1_t._fields_][1:-1]
    counts = {name: (1 << 40) + at for at, name in enumerate(names)}
    driver.set(3, "nvmlDeviceGetSramEccErrorStatus", {**counts, "thresholdExceeded": 1})
    said = client.ask(
        "nvmlDeviceGetSramEccErrorStatus", GPU, {"struct": "c_nvmlEccSramErrorStatus_v1_t"}
    )

    assert {name: said[name] for name in names} == counts
    assert said["bThresholdExceeded"] == 1


def test_processes_are_told_however_many_there_are(driver: Driver, client: Client) -> None:
    processes = [{"pid": 100 + at, "usedGpuMemory": at << 33} for at in range(40)]
    driver.set(3, "nvmlDeviceGetComputeRunningProcesses_v3", processes)
    said = client.ask("nvmlDeviceGetComputeRunningProcesses", GPU)

    assert [{key: one[key] for key in ("pid", "usedGpuMemory")} for one in said] == processes


def test_retired_pages_are_told_by_cause(driver: Driver, client: Client) -> None:
    driver.set(3, "nvmlDeviceGetRetiredPages_v2", {"0": [0x1000, 0x2000], "1": []})
    said = [client.ask("nvmlDeviceGetRetiredPages_v2", GPU, cause) for cause in (0, 1)]

    assert [[page["address"] for page in pages] for pages in said] == [[0x1000, 0x2000], []]


def test_every_error_has_words(client: Client) -> None:
    assert client.ask("nvmlErrorString", 15) == "GPU is lost"
    assert client.ask("nvmlErrorString", 4711) == "Unknown Error"


def test_structures_are_as_large_as_those_of_pynvml() -> None:
    # the tests above see that each member comes through; here stand the sizes that versions carry
    sizes = {
        pynvml.nvmlTemperature_v1: pynvml.c_nvmlTemperature_v1_t,
        pynvml.nvmlMarginTemperature_v1: pynvml.c_nvmlMarginTemperature_v1_t,
        pynvml.nvmlMemory_v2: pynvml.c_nvmlMemory_v2_t,
        pynvml.nvmlGpuFabricInfo_v2: pynvml.c_nvmlGpuFabricInfo_v2_t,
        pynvml.nvmlGpuFabricInfo_v3: pynvml.c_nvmlGpuFabricInfo_v3_t,
        pynvml.nvmlEccSramErrorStatus_v1: pynvml.c_nvmlEccSramErrorStatus_v1_t,
        pynvml.nvmlRepairStatus_v1: pynvml.c_nvmlRepairStatus_t,
        pynvml.nvmlUnrepairableMemory_v1: pynvml.c_nvmlUnrepairableMemory_v1_t,
    }

    assert {version: version & 0xFFFFFF for version in sizes} == {
        version: ctypes.sizeof(structure) for version, structure in sizes.items()
    }


def test_what_the_library_has_is_known(library_folder: Path) -> None:
    assert functions.known() == _exported(build.build(library_folder))


def test_what_is_said_of_an_unknown_function_is_refused(driver: Driver) -> None:
    with pytest.raises(LookupError, match="nvmlDeviceGetPwrUsage: the library has no such"):
        driver.set(3, "nvmlDeviceGetPwrUsage", 1)
    with pytest.raises(LookupError):
        driver.block(3, "nvmlDeviceGetPwrUsage")


def test_a_function_may_be_called_as_pynvml_calls_it() -> None:
    names = ("nvmlInit", "nvmlInitWithFlags", "nvmlDeviceGetCount", "nvmlDeviceGetPciInfo")

    assert [functions.named(name) for name in names] == [
        *("nvmlInit_v2", "nvmlInit_v2", "nvmlDeviceGetCount_v2", "nvmlDeviceGetPciInfo_v3")
    ]


@pytest.mark.parametrize("name", recording.shipped())
def test_a_shipped_recording_names_only_functions_that_there_are(name: str) -> None:
    machine = recording.load(name)
    named = {function for gpu in machine.gpus for function in gpu} | {*machine.system}

    assert named | {*machine.absent} <= functions.known()


@pytest.mark.parametrize("name", recording.shipped())
def test_a_shipped_recording_comes_through_pynvml(
    name: str, install: Callable[[str], Driver], start: Callable[[], Client]
) -> None:
    install(name)
    machine = recording.load(name)
    client = start().open()
    said = [client.ask("nvmlDeviceGetUUID", {"gpu": gpu}) for gpu in range(len(machine.gpus))]
    fields = machine.gpus[0][recording.FIELDS]
    read = client.fields(0, [int(key) for key in fields])

    assert said == [gpu["nvmlDeviceGetUUID"] for gpu in machine.gpus]
    assert {str(one["field"]): one["value"] for one in read} == fields
    assert "by hand" in machine.about


def test_an_old_driver_has_only_the_older_functions(
    install: Callable[[str], Driver], start: Callable[[], Client]
) -> None:
    install("a100x8")
    client = start().open()

    assert client.ask("nvmlDeviceGetTemperatureV", GPU, 0) == {"error": 13}
    assert client.ask("nvmlDeviceGetTemperature", GPU, 0) == 30
    assert client.ask("nvmlDeviceGetCurrentClocksThrottleReasons", GPU) == 1
    assert client.fields(3, [230])[0]["code"] == 3


def _exported(library: Path) -> set[str]:
    symbols = subprocess.run(
        ["nm", "-D", "--defined-only", str(library)], capture_output=True, text=True, check=True
    ).stdout
    return {line.split()[-1] for line in symbols.splitlines()}
