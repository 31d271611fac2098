"""What a person and a script are shown of GPUs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from agent.host.nvml.facts import Driver, Gpus, Standing
from nodemend import gpus, probe
from nodemend.gputable import GpuTable
from nodemend.probe import Sweep
from tests.agent.gpuprobes import Sweeps
from tests.agent.gpus import H100, card, fields, machine, uuid, with_card, without_driver

VERSIONS = {
    "nvmlSystemGetDriverVersion": "570.124.06",
    "nvmlSystemGetNVMLVersion": "12.570.124.06",
    "nvmlSystemGetCudaDriverVersion_v2": 12080,
}
DOWN = {"nvmlDeviceGetNvLinkState": {str(link): int(link not in {3, 9}) for link in range(18)}}


def sick() -> Gpus:
    """Return a machine of eight GPUs, of which one needs a reset, one lacks links, one is lost."""
    well = [card(index) for index in range(5)]
    gpus = machine(*well, card(5, fields({"230": 1, "4": 2})), card(6, DOWN), card(7))
    return replace(with_card(gpus, 7, standing=Standing.LOST), system=VERSIONS)


async def swept(root: Path, last: Gpus) -> Sweep:
    """Look at a machine that was well until lately."""
    sweeps = Sweeps(root, machine())
    await sweeps.sweep()
    await sweeps.sweep()
    return Sweep(status=await sweeps.sweep(last), gpus=last)


def drawn(sweep: Sweep, width: int) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as seen:
        console.print(probe.render(sweep, []))
    return [line.rstrip() for line in seen.get().splitlines()]


def table(sweep: Sweep, width: int) -> list[str]:
    lines = drawn(sweep, width)
    start = next(at for at, line in enumerate(lines) if line.startswith("#"))
    return [" ".join(line.split()) for line in lines[start : start + 1 + len(sweep.gpus.cards)]]


async def test_every_gpu_has_a_row_that_fits_a_narrow_terminal(tmp_path: Path) -> None:
    sweep = await swept(tmp_path, sick())

    title, first, *_, reset, links, lost = table(sweep, 80)

    assert title == "# PCI °C W % GiB ECC REMAP NVLINK PCIE IS"
    assert first == "0 1b:00.0 34 +53 71/700 0 0/80 0/0 0/0 18/18 5x16 ok"
    assert reset == "5 20:00.0 34 +53 71/700 0 0/80 0/2 0/0 18/18 5x16 amiss"
    assert links.endswith(" 16/18 5x16 amiss")
    assert lost.endswith(" lost")
    assert max(map(len, drawn(sweep, 80))) <= 80


async def test_a_wide_terminal_shows_what_the_narrow_one_has_no_room_for(tmp_path: Path) -> None:
    sweep = await swept(tmp_path, sick())

    title, *_, reset, _, _ = table(sweep, 160)

    assert title == "# PCI UUID °C W % GiB ECC REMAP NVLINK PCIE DO MIG SERIAL NAME IS"
    assert {uuid(5)[:12], "reset", "off", "1650000000005"} <= set(reset.split())


@pytest.mark.parametrize("width", [80, 160])
async def test_what_is_amiss_is_said_in_words(tmp_path: Path, width: int) -> None:
    said = " ".join(drawn(await swept(tmp_path, sick()), width))

    assert "8 x NVIDIA H100 80GB HBM3; 8 on the bus" in said
    assert "driver 570.124.06, NVML 12.570.124.06, CUDA 12.8, VBIOS 96.00.99.00.01" in said
    assert "NVLink fabric completed, 4 NVSwitches" in said
    assert f"GPU 5 {uuid(5)}: ecc uncorrected 2; recovery action (reset)" in said
    assert f"GPU 6 {uuid(6)}: nvlinks down 2 (3,9)" in said
    assert f"GPU 7 {uuid(7)}: lost (nvml)" in said


async def test_what_is_the_same_of_several_gpus_takes_one_line(tmp_path: Path) -> None:
    well = drawn(await swept(tmp_path / "well", machine()), 80)
    ill = drawn(await swept(tmp_path / "ill", sick()), 80)
    rows = [line.split() for line in ill]

    assert len(well) < 60
    assert len(ill) < len(well) + 20
    assert ["gpu.ecc_uncorrected", "6", "GPUs", "0"] in rows
    assert ["gpu.ecc_uncorrected", "GPU", "5", "2"] in rows
    assert ["26", "other", "signals", "GPU", "7", "unknown"] in rows


async def test_a_driver_that_is_away_is_said(tmp_path: Path) -> None:
    sweep = await swept(tmp_path, without_driver(machine(), Driver.HUNG))

    assert "the driver is hung" in drawn(sweep, 80)
    assert {row.split()[-1] for row in table(sweep, 80)[1:]} == {"unasked"}


async def test_gpus_that_tell_nothing_are_shown_all_the_same(tmp_path: Path) -> None:
    bare = machine(card(0, of={}), replace(card(1, of={}), uuid=""))

    status = await Sweeps(tmp_path, bare).sweep()

    assert table(Sweep(status=status, gpus=bare), 80)[1] == "0 1b:00.0 - - - - - - - - ok"


async def test_a_gpu_that_the_driver_keeps_from_us_is_shown_too(tmp_path: Path) -> None:
    refused = {"nvmlDeviceGetHandleByPciBusId_v2": {"error": 6}}
    nameless = replace(card(1, of=refused), uuid="", serial="", standing=Standing.UNASKED)
    gpus = machine(card(0), nameless)
    sweep = Sweep(status=await Sweeps(tmp_path, gpus).sweep(), gpus=gpus)

    said = " ".join(drawn(sweep, 120))

    assert "GPU 1 0000:1c:00.0: the driver does not let us speak to it (not found)" in said
    assert ["gpu.count", "1", "expected=2"] in [line.split() for line in drawn(sweep, 120)]


async def test_links_that_mig_makes_no_use_of_are_not_shown(tmp_path: Path) -> None:
    gpus = machine(card(0, {"nvmlDeviceGetMigMode": [1, 1]}))
    sweep = Sweep(status=await Sweeps(tmp_path, gpus).sweep(), gpus=gpus)

    assert table(sweep, 80)[1] == "0 1b:00.0 34 +53 71/700 0 0/80 0/0 0/0 - 5x16 ok"


def test_a_machine_without_gpus_shows_none() -> None:
    assert gpus.seen(Gpus(), []) is None


async def test_a_script_reads_the_same(tmp_path: Path) -> None:
    read = json.loads(probe.as_json(await swept(tmp_path, sick()), []))["gpus"]

    assert (read["driver"], read["cudaVersion"], read["switches"]) == ("up", "12.8", 4)
    assert len(read["gpus"]) == 8
    assert (
        read["gpus"][5]
        | {
            "uuid": uuid(5),
            "eccUncorrected": 2,
            "recoveryAction": "reset",
            "amiss": ["ecc uncorrected 2", "recovery action (reset)"],
            "memoryTotal": H100["nvmlDeviceGetMemoryInfo"]["total"],
            "pcieLanes": 16,
        }
        == read["gpus"][5]
    )


def test_models_are_counted_apart() -> None:
    mixed = machine(card(0), card(1, {"nvmlDeviceGetName": "NVIDIA T4"}), card(2, of={}))
    seen = gpus.seen(mixed, [])
    assert seen is not None
    console = Console(width=120, color_system=None)
    with console.capture() as shown:
        console.print(GpuTable(seen))

    first = shown.get().splitlines()[0].rstrip()
    assert (
        first == "1 x NVIDIA H100 80GB HBM3, 1 x NVIDIA T4, 1 x GPU of unknown model; 3 on the bus"
    )


async def test_why_nvml_cannot_be_opened_is_said_from_the_first_moment(tmp_path: Path) -> None:
    mismatch = replace(without_driver(machine(), Driver.STARTING), code=18)

    lines = drawn(await swept(tmp_path, mismatch), 100)

    assert "the driver is starting: versions of NVML and kernel module differ" in lines
