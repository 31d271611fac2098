"""Every fault that a driver can show comes by way of pynvml to the rule that is about it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
import pytest

from agent import packing, settings, state
from agent.host.kmsg import KernelLog
from agent.host.linux import Host
from agent.host.nvml.facts import Gpus
from agent.state import State
from nodehealth.health import NodeHealthStatus
from nodehealth.signals import Kind
from nodemend import verdicts
from remediator import files
from remediator.rules import load
from remediator.rules.rule import Rule, RuleSet
from simulator.driver import kernellog, recording
from simulator.driver.control import error
from simulator.driver.frozen import FrozenError
from simulator.driver.state import State as DriverState
from tests.agent.host.nvml.stands import NOON, PATIENCE, Stand, standing
from tests.lacking import lacking

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
SLOW: Final = 700
"""Seconds after which everything was asked again that is asked seldom."""
LATER: Final = 65
"""Seconds after which everything else was."""


@dataclass(slots=True, kw_only=True)
class Watch:
    """All probes of GPUs on a machine, asked by hand."""

    stand: Stand
    host: Host
    log: kernellog.KernelLog
    known: State

    async def look(self, later: float = 0.0) -> NodeHealthStatus:
        """Let time pass, ask the driver and every probe, and return what crosses the wire."""
        await self.stand.passes(later)
        await self.host.kernel_log.once()
        now, up = self.stand.time.clock(), 1000 + self.stand.time.seconds
        await asyncio.to_thread(self._up, up)
        for name, probe in PROBES.items():
            told = await probe.check(self.host, state.past(self.known, name))
            self.known = state.answered(self.known, name, told, now)
        packed = packing.packed(state.status(self.known, agent_version="1"))
        return msgspec.json.decode(msgspec.json.encode(packed), type=NodeHealthStatus)

    async def says(self, *lines: str) -> None:
        """Have the kernel say something."""
        await asyncio.to_thread(self.log.write, lines)

    def _up(self, seconds: float) -> None:
        (self.stand.root / "proc").mkdir(exist_ok=True)
        (self.stand.root / "proc/uptime").write_text(f"{seconds:.2f} {seconds:.2f}\n")


def timeless(gpus: Gpus) -> Gpus:
    """Let GPUs have answered just now: the stand's clock is not that of the event loop."""
    return replace(gpus, cards=tuple(replace(each, at=0.0) for each in gpus.cards))


@asynccontextmanager
async def watching(root: Path, cache: Path, machine: str, gpus: int) -> AsyncIterator[Watch]:
    """Give a machine that is well, seen once."""
    recorded = await asyncio.to_thread(recording.load, machine)
    async with standing(root, cache, gpus=gpus, recorded=recorded) as stand:
        log = kernellog.KernelLog(path=root / "kmsg", clock=lambda: 1000 + stand.time.seconds)
        await asyncio.to_thread(log.path.touch)
        host = Host(
            root=root,
            uptime=root / "proc/uptime",
            gpus=lambda: timeless(stand.supervisor.gpus()),
            gpu_events=stand.events,
            kernel_log=KernelLog(log.path),
            rest=stand.supervisor.rest,
            clock=stand.time.clock,
        )
        known = state.begin(None, boot_id="b1", node_uid="u", probes=PROBES, now=NOON)
        yield Watch(stand=stand, host=host, log=log, known=known)


Break: TypeAlias = Callable[[Watch, int], Awaitable[object]]
"""Breaks a machine that is well; the number of the look that follows, 1 or 2, tells how much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way for a machine to fall sick, and what must come of it."""

    breaks: Break
    rules: Mapping[str, Sequence[str]]
    """By rule that holds, or would if it lasted, its remedies."""
    machine: str = "h100x8"
    gpus: int = 2


def says(function: str, value: object) -> Break:
    """Let NVML say something else of the first GPU."""
    return lambda watch, _: watch.stand.driver.set(0, function, value)


def part(function: str, key: str, value: object) -> Break:
    """Let a part of it be something else."""
    return lambda watch, _: watch.stand.driver.part(0, function, key, value)


def field(number: int | str, value: int) -> Break:
    """Let a field be something else."""
    return lambda watch, _: watch.stand.driver.field(0, number, value)


def grows(number: int | str, by: int) -> Break:
    """Let a field that only grows do so, by so much a second."""

    async def breaks(watch: Watch, look: int) -> None:
        await watch.stand.driver.field(0, number, by * (1000 if look == 1 else 1000 + LATER))

    return breaks


def xid(code: int, *, times: int = 1) -> Break:
    """Have NVML tell of an XID."""

    async def breaks(watch: Watch, look: int) -> None:
        if look == 1:
            return
        await watch.stand.driver.xid(0, code, times=times)
        async with asyncio.timeout(PATIENCE):
            for _ in range(times):
                await watch.stand.events.filled()

    return breaks


def logged(*lines: Callable[[str], str]) -> Break:
    """Have the kernel say lines about the first GPU."""

    async def breaks(watch: Watch, look: int) -> None:
        if look == 2:
            await watch.says(*(line(watch.stand.pcis[0]) for line in lines))

    return breaks


def nvlink5(unit: str, severity: str, error_status: int) -> Callable[[str], str]:
    """Return the line of an NVLink 5 error."""
    words = f"{unit} {severity} XC0 i0 Link 03 (0x00000004 0x{error_status:08x} 0x00000000)"
    return lambda pci: kernellog.xid(pci, 145, words=words)


async def fewer_lanes(watch: Watch, look: int) -> None:
    """Leave half of the lanes, as NVML and sysfs tell it."""
    if look == 1:
        await watch.stand.driver.set(0, "nvmlDeviceGetCurrPcieLinkWidth", 8)
        folder = watch.stand.root / "sys/bus/pci/devices" / watch.stand.pcis[0]
        await asyncio.to_thread((folder / "current_link_width").write_text, "8\n")


async def slower_lanes(watch: Watch, look: int) -> None:
    """Let the link stay slow while the GPU works."""
    if look == 1:
        await watch.stand.driver.part(0, "nvmlDeviceGetUtilizationRates", "gpu", 90)
        await watch.stand.driver.set(0, "nvmlDeviceGetCurrPcieLinkGeneration", 3)


PEERS: Final = "nvmlDeviceGetNvLinkRemotePciInfo_v2"
REMAPPED: Final = "nvmlDeviceGetRemappedRows"
FABRIC: Final = "nvmlDeviceGetGpuFabricInfoV"
SECOND: Final = 10**9
FAULTS: Final[Mapping[str, Fault]] = {
    "lost": Fault(
        breaks=lambda watch, _: watch.stand.driver.lose(0),
        rules={"gpu-lost": REBOOT, "gpus-unusable": REBOOT},
    ),
    "reset required": Fault(
        breaks=says("nvmlDeviceGetPowerUsage", error(16)), rules={"gpu-needs-reset": RESET}
    ),
    "action reset": Fault(breaks=field(230, 1), rules={"gpu-needs-reset": RESET}),
    "action reboot": Fault(breaks=field(230, 2), rules={"gpu-needs-reboot": REBOOT}),
    "action drain peers": Fault(breaks=field(230, 3), rules={"gpu-recovery-by-hand": TOLD}),
    "action drain and reset": Fault(breaks=field(230, 4), rules={"gpu-needs-reset": RESET}),
    "action IMEX": Fault(breaks=field(230, 5), rules={"gpu-recovery-by-hand": TOLD}),
    "action bus reset": Fault(breaks=field(230, 6), rules={"gpu-needs-reboot": REBOOT}),
    "action system reboot": Fault(breaks=field(230, 7), rules={"gpu-needs-reboot": REBOOT}),
    "uncorrected error": Fault(breaks=field(4, 1), rules={"gpu-memory-uncorrected": TOLD}),
    "many corrected errors": Fault(
        breaks=grows(3, 150), rules={"gpu-memory-corrected-often": TOLD}
    ),
    "ECC off": Fault(breaks=says("nvmlDeviceGetEccMode", [0, 0]), rules={"gpu-ecc-off": TOLD}),
    "remap pending": Fault(
        breaks=says(REMAPPED, [0, 1, 1, 0]), rules={"gpu-memory-repair-pending": RESET[:3]}
    ),
    "remap failed": Fault(
        breaks=says(REMAPPED, [0, 1, 0, 1]), rules={"gpu-memory-beyond-repair": REPLACE}
    ),
    "many rows remapped": Fault(
        breaks=says(REMAPPED, [0, 512, 0, 0]), rules={"gpu-memory-wearing-out": TOLD}
    ),
    "a bank without spare rows": Fault(
        breaks=part("nvmlDeviceGetRowRemapperHistogram", "none", 1),
        rules={"gpu-memory-wearing-out": TOLD},
    ),
    "SRAM threshold": Fault(
        breaks=part("nvmlDeviceGetSramEccErrorStatus", "thresholdExceeded", 1),
        rules={"gpu-memory-beyond-repair": REPLACE},
    ),
    "memory beyond repair": Fault(
        breaks=says("nvmlDeviceGetUnrepairableMemoryFlag_v1", 1),
        rules={"gpu-memory-beyond-repair": REPLACE},
        machine="h200x8",
    ),
    "repair pending": Fault(
        breaks=says("nvmlDeviceGetRepairStatus", [0, 1]),
        rules={"gpu-memory-repair-pending": RESET[:3]},
        machine="h200x8",
    ),
    "pages retired": Fault(
        breaks=field(30, 63), rules={"gpu-memory-wearing-out": TOLD}, machine="v100x4"
    ),
    "a page to be retired": Fault(
        breaks=field(31, 1), rules={"gpu-memory-repair-pending": RESET[:3]}, machine="v100x4"
    ),
    "InfoROM": Fault(
        breaks=says("nvmlDeviceValidateInforom", error(14)),
        rules={"gpu-inforom-corrupt": TOLD},
    ),
    "persistence off": Fault(
        breaks=says("nvmlDeviceGetPersistenceMode", 0), rules={"gpu-persistence-off": TOLD}
    ),
    "MIG pending": Fault(
        breaks=says("nvmlDeviceGetMigMode", [0, 1]), rules={"gpu-mig-pending": TOLD}
    ),
    "hot memory": Fault(breaks=field(82, 120), rules={"gpu-too-hot": TOLD}),
    "slowed down by heat": Fault(breaks=grows(270, SECOND), rules={"gpu-too-hot": TOLD}),
    "slowed down by its driver": Fault(breaks=grows(269, SECOND), rules={"gpu-too-hot": TOLD}),
    "power brake": Fault(breaks=grows(271, SECOND), rules={"gpu-power-brake": TOLD}),
    "power unreadable": Fault(
        breaks=says("nvmlDeviceGetPowerUsage", error(999)),
        rules={"gpu-power-unreadable": TOLD},
    ),
    "fewer lanes": Fault(breaks=fewer_lanes, rules={"gpu-pcie-degraded": TOLD}),
    "slower lanes": Fault(breaks=slower_lanes, rules={"gpu-pcie-degraded": TOLD}),
    "PCIe replays": Fault(breaks=grows(94, 2), rules={"gpu-pcie-replays": TOLD}),
    "NVLink down": Fault(
        breaks=part("nvmlDeviceGetNvLinkState", "3", 0), rules={"gpu-nvlinks-down": RESET}
    ),
    "another NVLink peer": Fault(
        breaks=says(PEERS, dict.fromkeys(map(str, range(18)), "00000000:07:00.0")),
        rules={"gpu-nvlink-peers-changed": TOLD},
    ),
    "NVLink CRC": Fault(breaks=grows(38, 200), rules={"gpu-nvlink-errors": TOLD}),
    "NVLink recoveries": Fault(breaks=grows(59, 1), rules={"gpu-nvlink-errors": TOLD}),
    "NVLink 5 errors": Fault(
        breaks=grows("208/3", 1), rules={"gpu-nvlink-errors": TOLD}, machine="b200x8"
    ),
    "fabric state": Fault(breaks=part(FABRIC, "state", 2), rules={"gpu-fabric-unhealthy": REBOOT}),
    "fabric health": Fault(
        breaks=part(FABRIC, "healthMask", 0x1A9), rules={"gpu-fabric-unhealthy": REBOOT}
    ),
    "XID 13": Fault(breaks=xid(13), rules={"gpu-xid-application": TOLD}),
    "XID 31": Fault(breaks=xid(31), rules={"gpu-xid-application": TOLD}),
    "XID 45": Fault(breaks=xid(45), rules={"gpu-xid-application": TOLD}),
    "XID 46": Fault(breaks=xid(46), rules={"gpu-xid-reset": RESET}),
    "XID 54": Fault(breaks=xid(54), rules={"gpu-xid-inspect": REPLACE}),
    "XID 63": Fault(breaks=xid(63), rules={"gpu-xid-remapping": TOLD}),
    "XID 79": Fault(breaks=xid(79), rules={"gpu-fallen-off-the-bus": REBOOT}),
    "XID 92": Fault(breaks=xid(92), rules={"gpu-xid-warning": TOLD}),
    "XID 95 by an old driver": Fault(
        breaks=xid(95), rules={"gpu-xid-reset": RESET}, machine="a100x8"
    ),
    "XID 109 twice": Fault(breaks=xid(109, times=2), rules={"gpu-context-switch-timeouts": RESET}),
    "XID 119": Fault(breaks=xid(119), rules={"gpu-gsp-failed": RESET}),
    "XID 151": Fault(breaks=xid(151), rules={"gpu-xid-reboot": REBOOT}),
    "XID 333": Fault(breaks=xid(333), rules={"gpu-xid-unknown": TOLD}),
    "XID 74 in the log of an old driver": Fault(
        breaks=logged(lambda pci: kernellog.xid(pci, 74)),
        rules={"gpu-nvlink-failed": RESET},
        machine="a100x8",
    ),
    "NVLink 5, nonfatal": Fault(
        breaks=logged(nvlink5("RLW_REMAP", "Nonfatal", 0x1)),
        rules={"gpu-nvlink-reported": TOLD},
        machine="b200x8",
    ),
    "off the bus, in the log": Fault(
        breaks=logged(lambda pci: f"NVRM: GPU {pci}: GPU has fallen off the bus."),
        rules={"gpu-fallen-off-the-bus": REBOOT},
    ),
    "GSP heartbeat": Fault(
        breaks=logged(
            lambda _: (
                "NVRM: GPU0 _kgspIsHeartbeatTimedOut: Heartbeat timed out, currentTimeMs 812751949"
            )
        ),
        rules={"gpu-gsp-slow": TOLD},
    ),
    "NVSwitch, fatal": Fault(
        breaks=logged(lambda _: kernellog.sxid("0000:05:00.0", 0, 20034, fatal=True)),
        rules={"nvswitch-failed": REBOOT},
    ),
    "three jobs on one GPU": Fault(
        breaks=logged(
            *(lambda pci, pid=pid: kernellog.xid(pci, 31, pid=pid) for pid in (71, 72, 73))
        ),
        rules={"gpu-suspected": TOLD, "gpu-xid-application": TOLD},
    ),
}
"""By what breaks: whatever the stand-in driver can do, and what its kernel would write."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stand-in driver is built once."""
    return tmp_path_factory.mktemp("driver")


@pytest.fixture(scope="module")
def shipped() -> RuleSet:
    """The rules as they are shipped."""
    return load.rules(RULES, files.remedy)


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_of_the_driver_comes_to_the_rule_that_is_about_it_and_goes(
    name: str, tmp_path: Path, cache: Path, shipped: RuleSet
) -> None:
    fault = FAULTS[name]
    async with watching(tmp_path, cache, fault.machine, fault.gpus) as watch:
        before = await watch.stand.driver.state()
        well = verdicts.suspected(await watch.look(), shipped, NOON)
        await fault.breaks(watch, 1)
        await watch.look(SLOW)
        await fault.breaks(watch, 2)
        found = verdicts.suspected(await watch.look(LATER), shipped, watch.stand.time.clock())
        await mended(watch, before)
        await watch.look(SLOW)
        left = verdicts.suspected(await watch.look(LATER), shipped, watch.stand.time.clock())

    assert not well
    assert remedies(found, shipped) == fault.rules
    assert all(counts(shipped.by_name[each]) for each in left)


async def mended(watch: Watch, before: DriverState) -> None:
    """Let all be as it was, and the first GPU work: some things are only seen when it does."""
    await watch.stand.driver.mend(before)
    await watch.stand.driver.part(0, "nvmlDeviceGetUtilizationRates", "gpu", 90)
    folder = watch.stand.root / "sys/bus/pci/devices" / watch.stand.pcis[0]
    await asyncio.to_thread((folder / "current_link_width").write_text, "16\n")


def counts(rule: Rule) -> bool:
    """Say whether a rule is about what happened, which nobody can undo."""
    return any(each.signal.kind is Kind.EVENT for each in rule.questions)


def remedies(found: Iterable[str], shipped: RuleSet) -> Mapping[str, Sequence[str]]:
    """Return the remedies of each rule."""
    return {each: tuple(rung.action for rung in shipped.by_name[each].ladder) for each in found}


async def test_a_driver_that_is_gone_is_told_once_it_had_time_to_come_back_until_it_is(
    tmp_path: Path, cache: Path, shipped: RuleSet
) -> None:
    async with watching(tmp_path, cache, "h100x8", 2) as watch:
        await watch.look()
        await watch.stand.unload()
        early = verdicts.suspected(await watch.look(60), shipped, NOON)
        late = verdicts.suspected(await watch.look(SLOW), shipped, NOON)
        await watch.stand.load()
        await watch.look(SLOW)
        back = verdicts.suspected(await watch.look(LATER), shipped, NOON)

    assert not early
    assert remedies(late, shipped) == {"gpu-driver-absent": TOLD}
    assert not back


async def test_a_gpu_that_hangs_needs_a_boot_unless_it_wakes_and_the_others_do_not(
    tmp_path: Path, cache: Path, shipped: RuleSet
) -> None:
    async with watching(tmp_path, cache, "h100x8", 2) as watch:
        await watch.look()
        await blocked(watch.stand, 0)
        watch.stand.time.seconds += LATER
        await watch.stand.overruns(0)
        status = await watch.look(SLOW)
        found = verdicts.suspected(status, shipped, NOON)
        await watch.stand.driver.unblock()
        await watch.look(SLOW)
        left = verdicts.suspected(await watch.look(LATER), shipped, NOON)

    known = {each.subject for each in status.levels if each.name == "gpu.ecc_uncorrected"}
    assert known
    assert remedies(found, shipped) == {"gpu-hung": REBOOT, "gpus-unusable": REBOOT}
    assert not left


async def test_a_driver_that_hangs_needs_a_boot(
    tmp_path: Path, cache: Path, shipped: RuleSet
) -> None:
    async with watching(tmp_path, cache, "h100x8", 2) as watch:
        await watch.look()
        await blocked(watch.stand, None)
        watch.stand.time.seconds += SLOW
        await watch.stand.overruns(0)
        await watch.stand.overruns(None)
        found = verdicts.suspected(await watch.look(), shipped, NOON)

    assert remedies(found, shipped) == {"gpu-driver-hung": REBOOT}


async def blocked(stand: Stand, gpu: int | None) -> None:
    """Let calls sleep where nothing ends them, if this machine can do that."""
    try:
        await stand.driver.block(gpu, uninterruptible=True)
    except FrozenError as missing:
        lacking(str(missing))
