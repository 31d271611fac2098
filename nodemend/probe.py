"""`nodemend probe`: one sweep of this machine, shown to a person or a script; no cluster needed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agent import main, state
from agent.monitor import Monitor
from agent.settings import Settings
from nodehealth.catalogue import CATALOGUE
from nodehealth.health import Event, Level, NodeHealthStatus, ProbeState
from nodehealth.kit import clocks
from nodehealth.kit.clocks import Clock
from nodehealth.signals import Knowledge, Unit

_SPOKEN: Final = {
    Knowledge.UNKNOWN: Text("unknown", style="yellow"),
    Knowledge.NOT_APPLICABLE: Text("not applicable", style="dim"),
}

_GPUS_PATIENCE: Final = timedelta(seconds=45)
"""How long it may take until each GPU was asked, or is known to hang."""


class Verdict(IntEnum):
    """How the machine is; its number is the command's exit code."""

    HEALTHY = 0
    UNHEALTHY = 1
    UNKNOWN = 2


async def sweep_once(settings: Settings, *, clock: Clock = clocks.wall) -> NodeHealthStatus:
    """Ask every probe once and return what an agent would report.

    Raises:
        nodehealth.kit.settings.SettingsError: something that was set is wrong.
    """
    nvml = main.watch(settings, clock=clock)
    host = main.door(settings, nvml)
    begin = await main.begun(settings, host, settings.node_uid, clock)
    try:
        if nvml is not None:
            await nvml.sample(_GPUS_PATIENCE)
        known = await Monitor(settings.probes, host, begin=begin, clock=clock).sweep()
    finally:
        if nvml is not None:
            await nvml.close()
    report = state.status(known, agent_version=settings.version)
    return msgspec.structs.replace(report, reported_at=clock())


def verdict(status: NodeHealthStatus, faults: Sequence[str]) -> Verdict:
    """Say how the machine is: a fault that is known outweighs what is not."""
    if faults:
        return Verdict.UNHEALTHY
    well = all(probe.state is ProbeState.OK for probe in status.probes)
    known = all(level.knowledge is not Knowledge.UNKNOWN for level in status.levels)
    return Verdict.HEALTHY if well and known else Verdict.UNKNOWN


def as_json(status: NodeHealthStatus, faults: Sequence[str]) -> str:
    """Write the sweep for a script."""
    report = {
        "health": verdict(status, faults).name.lower(),
        "faults": list(faults),
        "status": status,
    }
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()


def render(status: NodeHealthStatus, faults: Sequence[str]) -> RenderableType:
    """Draw the sweep for a person: what is known, which probes are not well, what is wrong."""
    table = Table("SIGNAL", "SUBJECT", "VALUE", "DETAILS", box=None, pad_edge=False)
    for level in status.levels:
        table.add_row(level.name, level.subject, _value(level), _details(level))
    for event in status.events:
        table.add_row(event.name, event.subject, f"{event.count} times", _details(event))
    return Group(table, Text(), *_remarks(status), *_conclusion(status, faults))


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
    return " ".join(f"{name}={value}" for name, value in sorted(signal.fields.items()))


def _remarks(status: NodeHealthStatus) -> Sequence[Text]:
    return [
        Text(f"probe {probe.name}: {probe.state}: {probe.message}", style="yellow")
        for probe in status.probes
        if probe.state is not ProbeState.OK
    ]


def _conclusion(status: NodeHealthStatus, faults: Sequence[str]) -> Sequence[Text]:
    match verdict(status, faults):
        case Verdict.UNHEALTHY:
            return [Text(f"fault: {fault}", style="bold red") for fault in faults]
        case Verdict.UNKNOWN:
            return [Text("No fault is known, but not everything could be read.", style="yellow")]
        case Verdict.HEALTHY:
            return [Text(f"Healthy, as of {_at(status.reported_at)}.", style="green")]


def _at(time: datetime | None) -> str:
    return time.isoformat(timespec="seconds") if time else "some time ago"
