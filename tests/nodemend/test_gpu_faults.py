"""Every fault that a driver can show comes by way of pynvml to the rule that is about it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
import pytest

from agent import packing, settings, state
from agent.host.kmsg import KernelLog
from agent.host.linux import Host
from agent.state import State
from nodehealth.health import NodeHealthStatus
from nodemend import verdicts
from remediator import files
from remediator.rules import load
from remediator.rules.rule import RuleSet
from simulator.driver import recording
from tests.agent.host.nvml.stands import NOON, Changes, Stand, standing

RULES: Final = Path(__file__).parents[2] / "rules"
PROBES: Final = {
    name: probe
    for name, probe in settings.load({}).probes.items()
    if name.startswith("gpu") or name == "xids"
}
TOLD: Final[Sequence[str]] = ()
"""The remedies of a rule that only tells people."""
RESET: Final = ("drain", "reset-gpu", "reboot", "replace")
REBOOT: Final = ("drain", "reboot", "replace")
REPLACE: Final = ("drain", "replace")

Break: TypeAlias = Callable[[Changes], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way for a machine to fall sick, and what must come of it."""

    breaks: Break
    rules: Mapping[str, Sequence[str]]
    """By rule that holds, or would if it lasted, its remedies."""
    machine: str = "h100x8"
    gpus: int = 2
    calls: Sequence[str] = field(default=())


def answers(function: str, value: object) -> Break:
    return lambda driver: driver.set(0, function, value)


def tells(number: int | str, value: object) -> Break:
    return lambda driver: driver.field(0, number, value)


FAULTS: Final[Mapping[str, Fault]] = {
    "lost": Fault(breaks=lambda driver: driver.lose(0), rules={"gpu-lost": REBOOT, "gpus-unusable": REBOOT}),
    "to be reset": Fault(breaks=tells(230, 1), rules={"gpu-needs-reset": RESET}),
    "to be drained and reset": Fault(breaks=tells(230, 4), rules={"gpu-needs-reset": RESET}),
    "to be rebooted": Fault(breaks=tells(230, 2), rules={"gpu-needs-reboot": REBOOT}),
    "peer traffic to be drained": Fault(breaks=tells(230, 3), rules={"gpu-recovery-by-hand": TOLD}),
    "uncorrected error": Fault(breaks=tells(4, 1), rules={"gpu-memory-uncorrected": TOLD}),
    "remap pending": Fault(
        breaks=answers("nvmlDeviceGetRemappedRows", [0, 1, 1, 0]),
        rules={"gpu-memory-repair-pending": RESET[:3]},
    ),
    "remap failed": Fault(
        breaks=answers("nvmlDeviceGetRemappedRows", [0, 1, 0, 1]),
        rules={"gpu-memory-beyond-repair": REPLACE},
    ),
}


@dataclass(slots=True, kw_only=True)
class Agent:
    """All probes of GPUs, asked by hand."""

    stand: Stand
    host: Host
    log: Path
    known: State

    async def look(self, later: float = 0.0) -> NodeHealthStatus:
        """Let time pass, ask the driver and every probe, and return what crosses the wire."""
        await self.stand.passes(later)
        now = NOON + timedelta(seconds=self.stand.time.seconds)
        (self.stand.root / "proc").mkdir(exist_ok=True)
        up = 1000 + self.stand.time.seconds
        (self.stand.root / "proc/uptime").write_text(f"{up:.2f} {up:.2f}\n")
        for name, probe in PROBES.items():
            told = await probe.check(self.host, state.past(self.known, name))
            self.known = state.answered(self.known, name, told, now)
        packed = packing.packed(state.status(self.known, agent_version="1"))
        return msgspec.json.decode(msgspec.json.encode(packed), type=NodeHealthStatus)


@asynccontextmanager
async def agent(root: Path, cache: Path, fault: Fault) -> AsyncIterator[Agent]:
    recorded = await asyncio.to_thread(recording.load, fault.machine)
    async with standing(root, cache, gpus=fault.gpus, recorded=recorded) as stand:
        log = root / "kmsg"
        log.touch()
        host = Host(
            root=root,
            uptime=root / "proc/uptime",
            gpus=stand.supervisor.gpus,
            gpu_events=stand.events,
            kernel_log=KernelLog(log),
        )
        known = state.begin(None, boot_id="b1", node_uid="u", probes=PROBES, now=NOON)
        yield Agent(stand=stand, host=host, log=log, known=known)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stand-in driver is built once."""
    return tmp_path_factory.mktemp("driver")


@pytest.fixture(scope="module")
def shipped() -> RuleSet:
    """The rules as they are shipped."""
    return load.rules(RULES, files.remedy)


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_of_the_driver_comes_to_the_rule_that_is_about_it(
    name: str, tmp_path: Path, cache: Path, shipped: RuleSet
) -> None:
    fault = FAULTS[name]
    async with agent(tmp_path, cache, fault) as watching:
        before = await watching.look()
        well = verdicts.suspected(before, shipped, NOON)
        await fault.breaks(watching.stand.driver)
        await watching.look(700)
        after = await watching.look(15)

    found = verdicts.suspected(after, shipped, NOON)
    ladders = {each: tuple(rung.action for rung in shipped.by_name[each].ladder) for each in found}
    assert not well
    assert ladders == dict(fault.rules)
