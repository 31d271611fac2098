"""`nodemend probe`: one sweep of this machine, shown to a person or a script; no cluster needed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agent import main
from agent.host.nvml.facts import Driver, Gpus
from agent.monitor import Monitor
from agent.settings import Settings
from nodehealth.catalogue import CATALOGUE
from nodehealth.health import Event, Level, NodeHealthStatus, ProbeState
from nodehealth.kit import clocks
from nodehealth.kit.clocks import Clock
from nodehealth.signals import Knowledge, Unit
from nodemend import gpus
from nodemend.gputable import GpuTable

_SPOKEN: Final = {
    Knowledge.UNKNOWN: Text("unknown", style="yellow"),
    Knowledge.NOT_APPLICABLE: Text("not applicable", style="dim"),
}

_GPUS_PATIENCE: Final = timedelta(seconds=45)
"""How long it may take until each GPU was asked, or is known to hang."""


_GPU: Final = "gpu."
_IN_TABLE: Final = frozenset({"pci", "serial"})
"""What the table of GPUs says of each of them."""


class Verdict(IntEnum):
    """How the machine is; its number is the command's exit code."""

    HEALTHY = 0
    UNHEALTHY = 1
    UNKNOWN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What one look at this machine found."""

    status: NodeHealthStatus
    """What an agent would report."""
    gpus: Gpus = field(default_factory=Gpus)
    """What was known of the GPUs."""


async def sweep_once(settings: Settings, *, clock: Clock = clocks.wall) -> Sweep:
    """Ask every probe once.

    Raises:
        nodehealth.kit.settings.SettingsError: something that was set is wrong.
    """
    nvml = main.watch(settings, clock=clock)
    host = main.door(settings, nvml)
    await host.kernel_log.once()
    begin = await main.begun(settings, host, settings.node_uid, clock)
    try:
        if nvml is not None:
            await nvml.sample(_GPUS_PATIENCE)
        known = await Monitor(settings.probes, host, begin=begin, clock=clock).sweep()
        found, report = host.gpus(), main.reported(known, settings, host)
    finally:
        if nvml is not None:
            await nvml.close()
    return Sweep(status=msgspec.structs.replace(report, reported_at=clock()), gpus=found)


def verdict(swept: Sweep, faults: Sequence[str]) -> Verdict:
    """Say how the machine is: a fault that is known outweighs what is not.

    An agent takes GPUs without any driver for none of its own; a person who asks wants to know.
    """
    status = swept.status
    if faults:
        return Verdict.UNHEALTHY
    if swept.gpus.bus.gpus and swept.gpus.driver is Driver.ABSENT:
        return Verdict.UNKNOWN
    well = all(probe.state is ProbeState.OK for probe in status.probes)
    known = all(level.knowledge is not Knowledge.UNKNOWN for level in status.levels)
    return Verdict.HEALTHY if well and known else Verdict.UNKNOWN


def as_json(swept: Sweep, faults: Sequence[str]) -> str:
    """Write the sweep for a script."""
    report = {
        "health": verdict(swept, faults).name.lower(),
        "faults": list(faults),
        "gpus": gpus.seen(swept.gpus, swept.status.levels),
        "status": swept.status,
    }
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()


def render(swept: Sweep, faults: Sequence[str]) -> RenderableType:
    """Draw the sweep for a person: what is known, which probes are not well, what is wrong."""
    status = swept.status
    machine = gpus.seen(swept.gpus, status.levels)
    table = Table("SIGNAL", "SUBJECT", "VALUE", "DETAILS", box=None, pad_edge=False)
    for row in _rows(status.levels, swept.gpus):
        table.add_row(*row)
    for event in status.events:
        table.add_row(event.name, event.subject, f"{event.count} times", _details(event))
    drawn = (GpuTable(machine), Text()) if machine is not None else ()
    return Group(table, Text(), *drawn, *_remarks(status), *_conclusion(swept, faults))


def _rows(levels: Iterable[Level], there: Gpus) -> Iterator[tuple[RenderableType, ...]]:
    """Give a row for each level; of GPUs, one for what is the same of several or is not known."""
    names = {each.uuid or each.pci: f"GPU {index}" for index, each in enumerate(there.cards)}
    alike: dict[object, list[Level]] = {}
    for level in levels:
        is_of_gpu = level.subject in names
        key = (
            level.name,
            level.knowledge,
            level.value,
            _details(level),
            is_of_gpu or level.subject,
        )
        alike.setdefault(key, []).append(level)
    unread: dict[tuple[str, Knowledge], list[str]] = {}
    for group in alike.values():
        first, about = group[0], _together([each.subject for each in group], names)
        if first.knowledge is Knowledge.KNOWN or first.subject not in names:
            yield first.name, about, _value(first), _details(first)
        else:
            unread.setdefault((about, first.knowledge), []).append(first.name)
    for (about, knowledge), said in unread.items():
        what = said[0] if len(said) == 1 else f"{len(said)} other signals"
        yield what, about, _SPOKEN[knowledge], ""


def _together(subjects: Sequence[str], names: Mapping[str, str]) -> str:
    if len(subjects) == 1:
        return names.get(subjects[0], subjects[0])
    return f"{len(subjects)} GPUs"


def _value(level: Level) -> RenderableType:
    if level.value is None or level.knowledge is not Knowledge.KNOWN:
        return _SPOKEN.get(level.knowledge, Text("unknown"))
    signal = CATALOGUE.get(level.name)
    unit = signal.unit if signal else Unit.COUNT
    return _measured(level.value, unit)


def _measured(value: float, unit: Unit) -> str:
    match unit:
        case Unit.RATIO:
            return f"{value:.1%}"
        case Unit.BOOLEAN:
            return "yes" if value else "no"
        case Unit.CELSIUS:
            return f"{value:g} °C"
        case Unit.COUNT:
            return f"{value:g}"
        case Unit.PER_SECOND:
            return f"{value:g} /s"
        case Unit.BYTES | Unit.SECONDS:
            return f"{value:g} {unit}"


def _details(signal: Level | Event) -> str:
    told = sorted((name, value) for name, value in signal.fields.items() if value != "")
    if signal.name.startswith(_GPU) and isinstance(signal, Level):
        told = [(name, value) for name, value in told if name not in _IN_TABLE]
    return " ".join(f"{name}={value}" for name, value in told)


def _remarks(status: NodeHealthStatus) -> Sequence[Text]:
    return [
        Text(f"probe {probe.name}: {probe.state}: {probe.message}", style="yellow")
        for probe in status.probes
        if probe.state is not ProbeState.OK
    ]


def _conclusion(swept: Sweep, faults: Sequence[str]) -> Sequence[Text]:
    match verdict(swept, faults):
        case Verdict.UNHEALTHY:
            return [Text(f"fault: {fault}", style="bold red") for fault in faults]
        case Verdict.UNKNOWN:
            return [Text("No fault is known, but not everything could be read.", style="yellow")]
        case Verdict.HEALTHY:
            return [Text(f"Healthy, as of {_at(swept.status.reported_at)}.", style="green")]


def _at(time: datetime | None) -> str:
    return time.isoformat(timespec="seconds") if time else "some time ago"
