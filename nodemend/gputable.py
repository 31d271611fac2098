"""GPUs as they are drawn for a person: a row each, as much of it as the terminal is wide."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from agent.host.nvml.facts import Driver, Standing
from nodemend.gpus import Gpu, Machine

_GIB: Final = 2**30
_NOTHING: Final = "-"
_STYLES: Final = {
    Standing.ANSWERS: "green",
    Standing.LOST: "bold red",
    Standing.HUNG: "bold red",
    Standing.RESTING: "yellow",
    Standing.UNASKED: "yellow",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """A column of the table, and from which width of the terminal on it is shown."""

    title: str
    cell: Callable[[Gpu], str | Text]
    from_width: int = 0


@dataclass(frozen=True, slots=True)
class GpuTable:
    """Draws a machine's GPUs."""

    machine: Machine

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        """Draw as much as there is room for."""
        yield from _heading(self.machine)
        if self.machine.gpus:
            yield _table(self.machine.gpus, options.max_width)
        for gpu in self.machine.gpus:
            yield from _ailments(gpu)


def _heading(machine: Machine) -> Iterator[Text]:
    names = dict.fromkeys(each.name or "GPU of unknown model" for each in machine.gpus)
    counts = [
        (sum((g.name or "GPU of unknown model") == name for g in machine.gpus), name)
        for name in names
    ]
    models = ", ".join(f"{count} x {name}" for count, name in counts) or "no GPU that answers"
    yield Text(f"{models}; {machine.on_the_bus} on the bus", style="bold")
    versions = {
        "driver": machine.driver_version,
        "NVML": machine.nvml_version,
        "CUDA": machine.cuda_version,
        "VBIOS": _of_all(each.vbios for each in machine.gpus),
        "GSP": _of_all(each.gsp for each in machine.gpus),
    }
    yield Text(", ".join(f"{what} {version}" for what, version in versions.items() if version))
    if machine.driver is not Driver.UP:
        why = f": {machine.refused}" if machine.refused else ""
        yield Text(f"the driver is {machine.driver}{why}", style="bold red")
    fabric = _of_all(each.fabric for each in machine.gpus)
    if fabric and (machine.switches or fabric != "none"):
        well = "" if fabric == "completed" else "yellow"
        switches = f", {machine.switches} NVSwitches" if machine.switches else ""
        yield Text(f"NVLink fabric {fabric}{switches}", style=well)


def _of_all(values: Iterator[str | None]) -> str:
    return ", ".join(sorted({each for each in values if each}))


def _table(gpus: Sequence[Gpu], width: int) -> Table:
    columns = [each for each in _COLUMNS if width >= each.from_width]
    table = Table(*(each.title for each in columns), box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for each in table.columns:
        each.no_wrap = True
    for gpu in gpus:
        is_stale = gpu.standing is not Standing.ANSWERS
        style = "dim" if is_stale else "red" if gpu.amiss else ""
        table.add_row(*(each.cell(gpu) for each in columns), style=style)
    return table


def _ailments(gpu: Gpu) -> Iterator[Text]:
    if gpu.amiss:
        yield Text(f"GPU {gpu.index} {gpu.uuid or gpu.pci}: {'; '.join(gpu.amiss)}", style="red")


def _pci(gpu: Gpu) -> str:
    return gpu.pci.removeprefix("0000:")


def _uuid(gpu: Gpu) -> str:
    return gpu.uuid[:12] or _NOTHING


def _temperature(gpu: Gpu) -> str:
    margin = "" if gpu.margin_celsius is None else f" +{gpu.margin_celsius}"
    return _NOTHING if gpu.celsius is None else f"{gpu.celsius}{margin}"


def _memory(gpu: Gpu) -> str:
    if gpu.memory_used is None or gpu.memory_total is None:
        return _NOTHING
    return f"{gpu.memory_used / _GIB:.0f}/{gpu.memory_total / _GIB:.0f}"


def _pcie(gpu: Gpu) -> str:
    if gpu.pcie_generation is None or gpu.pcie_lanes is None:
        return _NOTHING
    now = f"{gpu.pcie_generation}x{gpu.pcie_lanes}"
    most = f"{gpu.pcie_generation_most}x{gpu.pcie_lanes_most}"
    is_known = gpu.pcie_generation_most is not None and gpu.pcie_lanes_most is not None
    return f"{now}/{most}" if is_known and most != now else now


def _standing(gpu: Gpu) -> Text:
    if gpu.standing is Standing.ANSWERS:
        return Text("amiss", style="bold red") if gpu.amiss else Text("ok", style="green")
    return Text(gpu.standing.value, style=_STYLES[gpu.standing])


def _pair(one: int | None, other: int | None) -> str:
    if one is None and other is None:
        return _NOTHING
    return "/".join(_NOTHING if each is None else str(each) for each in (one, other))


_COLUMNS: Final = (
    _Column(title="#", cell=lambda gpu: str(gpu.index)),
    _Column(title="PCI", cell=_pci),
    _Column(title="UUID", cell=_uuid, from_width=100),
    _Column(title="°C", cell=_temperature),
    _Column(title="W", cell=lambda gpu: _pair(gpu.watts, gpu.watts_limit)),
    _Column(title="%", cell=lambda gpu: _pair(gpu.utilization_percent, None).split("/")[0]),
    _Column(title="GiB", cell=_memory),
    _Column(title="ECC", cell=lambda gpu: _pair(gpu.ecc_corrected, gpu.ecc_uncorrected)),
    _Column(title="REMAP", cell=lambda gpu: _pair(gpu.remap_pending, gpu.remap_failed)),
    _Column(title="NVLINK", cell=lambda gpu: _pair(gpu.nvlinks_up, gpu.nvlinks)),
    _Column(title="PCIE", cell=_pcie),
    _Column(title="DO", cell=lambda gpu: gpu.recovery_action or _NOTHING, from_width=100),
    _Column(
        title="MIG",
        cell=lambda gpu: _NOTHING if gpu.mig is None else ("on" if gpu.mig else "off"),
        from_width=100,
    ),
    _Column(title="SERIAL", cell=lambda gpu: gpu.serial or _NOTHING, from_width=130),
    _Column(title="NAME", cell=lambda gpu: gpu.name or _NOTHING, from_width=150),
    _Column(title="IS", cell=_standing),
)
