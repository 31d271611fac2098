"""What happened to a GPU is told under its own name, once, and with all that is known of it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agent import cards, state
from agent.host.kmsg import KernelLog
from agent.host.linux import Host
from agent.host.nvml.facts import Bus, Card, Driver, Gpus, NvmlEvent, Standing
from agent.host.records import NVIDIA, Line
from agent.probes.xids import Xids
from agent.readings import Gap
from agent.state import State
from nodehealth.health import Event, ProbeReport, ProbeState
from simulator.virtualtime import START, played

PCI, UUID = "0000:3b:00.0", "GPU-aaaa"
OTHER = "0000:5d:00.0"
UP = Gpus(
    bus=Bus(gpus=(PCI, OTHER), module="570.124.06"),
    driver=Driver.UP,
    cards=(Card(pci=PCI, uuid=UUID),),
)
RLW = "145, RLW_SRC_TRACK Nonfatal XC1 i0 Link 17 (0x000000e2 0x00000002 0x0"


@dataclass
class Machine:
    """A machine whose kernel and driver tell what a test says; its agent may be started anew."""

    root: Path = Path("/nowhere")
    gpus: Gpus = UP
    seconds: float = 0
    rested: list[str] = field(default_factory=list)
    hurried: list[str] = field(default_factory=list)
    ring: list[Line] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.known = self._begun(None)
        self._start()

    def restart(self, *, boot: str = "b") -> None:
        """Let the agent begin again with what it kept, and read the ring from its oldest record."""
        self.known = self._begun(self.known, boot=boot)
        self._start()
        for line in self.ring:
            self._put(line)

    def _begun(self, kept: State | None, *, boot: str = "b") -> State:
        return state.begin(kept, boot_id=boot, node_uid="u", probes=["xids"], now=self.now())

    def _start(self) -> None:
        self.log = KernelLog(Path("/dev/kmsg"))
        self.host = Host(
            root=self.root,
            gpus=lambda: self.gpus,
            rest=self.rested.append,
            hurry=self.hurried.append,
            kernel_log=self.log,
            clock=self.now,
        )

    def _put(self, line: Line) -> None:
        fresh = Line(sequence=line.sequence, at=line.at, heard=self.now(), text=line.text)
        self.log.stream(NVIDIA).put(fresh)

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def says(self, text: str, *, ago: float = 0) -> None:
        """Let the kernel write a line."""
        at = self.now() - timedelta(seconds=ago)
        line = Line(sequence=len(self.ring) + 1, at=at, heard=self.now(), text=f"NVRM: {text}")
        self.ring.append(line)
        self._put(line)

    def xid(self, rest: str, pci: str = PCI, *, ago: float = 0) -> None:
        """Let the driver report an XID in the kernel's log."""
        self.says(f"Xid (PCI:{pci[:-2]}): {rest}", ago=ago)

    def tells(self, code: int, pci: str = PCI, uuid: str = UUID) -> None:
        """Let NVML report an XID."""
        self.host.gpu_events.put(NvmlEvent(kind=8, pci=pci, uuid=uuid, data=code, at=self.now()))

    async def look(self) -> Sequence[Event]:
        """Let the agent look, and return all that it knows to have happened."""
        answers = await Xids().check(self.host, state.past(self.known, "xids"))
        self.known = state.answered(self.known, "xids", answers, self.now())
        return self.known.events

    async def counts(self) -> Mapping[tuple[str, str], int]:
        """Look, and return what happened how often to whom."""
        return {(each.name, each.subject): each.count for each in await self.look()}

    @property
    def report(self) -> ProbeReport:
        """Return how well the probe fares."""
        return self.known.reports["xids"]


@played
async def test_an_xid_is_told_of_the_gpu_by_its_uuid() -> None:
    machine = Machine()
    machine.xid("79, GPU has fallen off the bus.")

    (event,) = await machine.look()

    assert (event.name, event.subject) == ("gpu.xid", UUID)
    assert event.fields == {"code": 79, "pci": PCI}
    assert event.history.last == (START,)


@pytest.mark.parametrize("first", ["kmsg", "nvml"])
@played
async def test_an_xid_that_both_tell_is_counted_once(first: str) -> None:
    machine = Machine()
    ways = {"kmsg": lambda: machine.xid("62, 32d6"), "nvml": lambda: machine.tells(62)}
    ways.pop(first)()
    await machine.look()
    machine.seconds = 4
    ways.popitem()[1]()

    (event,) = await machine.look()

    assert event.count == 1


@played
async def test_nvml_alone_is_enough_where_the_log_cannot_be_read() -> None:
    machine = Machine()
    machine.log.trouble = "/dev/kmsg: Operation not permitted"
    machine.tells(79)

    (event,) = await machine.look()

    assert (event.subject, event.fields) == (UUID, {"code": 79, "pci": PCI})
    assert (machine.report.state, machine.report.message) == (
        ProbeState.FAILED,
        "SXids and failed jobs are not seen: /dev/kmsg: Operation not permitted",
    )


@played
async def test_with_neither_nvml_nor_the_log_nobody_sees_xids_and_that_is_said() -> None:
    machine = Machine(gpus=Gpus(bus=UP.bus, driver=Driver.FAILED, code=12))
    machine.log.trouble = "/dev/kmsg: No such file or directory"

    await machine.look()

    assert machine.report.message.startswith("XIDs, SXids and failed jobs are not seen: ")


@played
async def test_where_there_is_no_gpu_nothing_is_missed() -> None:
    machine = Machine(gpus=Gpus())
    machine.log.trouble = "/dev/kmsg: Operation not permitted"

    assert await Xids().check(machine.host, {}) == []


@played
async def test_records_that_were_overwritten_are_a_gap_for_a_while() -> None:
    machine = Machine()
    machine.log.losses.note(98)

    await machine.look()
    early = machine.report
    await asyncio.sleep(601)
    await machine.look()

    assert (early.state, machine.report.state) == (ProbeState.FAILED, ProbeState.OK)
    assert early.message == "records of the kernel's log were lost before they were counted"


@played
async def test_events_of_nvml_that_nobody_counted_are_a_gap() -> None:
    machine = Machine()
    machine.host.gpu_events.losses.note(1)

    await machine.look()

    assert machine.report.message == "events of NVML were lost before they were counted"


@played
async def test_nothing_waits_for_a_clock_that_was_set_back() -> None:
    machine = Machine(gpus=Gpus(bus=UP.bus, driver=Driver.STARTING))
    machine.xid("79, GPU has fallen off the bus.")
    machine.tells(149)

    machine.seconds = -3600

    assert {each.fields["code"] for each in await machine.look()} == {79, 149}


@played
async def test_an_nvlink_error_says_what_it_is_and_waits_for_the_line_that_says_so() -> None:
    machine = Machine()
    machine.tells(145)
    first = await machine.look()
    machine.xid(RLW)
    machine.seconds = 5
    (event,) = await machine.look()

    assert first == ()
    assert event.count == 1
    assert event.fields == {
        "code": 145,
        "pci": PCI,
        "severity": "Nonfatal",
        "unit": "RLW_SRC_TRACK",
        "link": 17,
        "action": "IGNORE",
    }


@pytest.mark.parametrize(("module", "info"), [("570.1", "0x000000e2"), ("580.9.1", "0x00000007")])
@played
async def test_what_is_to_be_done_is_read_by_the_drivers_own_layout(module: str, info: str) -> None:
    machine = Machine(gpus=Gpus(bus=Bus(module=module), driver=Driver.UP))
    machine.xid(f"145, RLW_SRC_TRACK Fatal XC1 i0 Link 3 ({info} 0x00000010")

    (event,) = await machine.look()

    assert (event.fields["action"], event.fields["severity"]) == ("RESET_GPU", "Fatal")


@played
async def test_an_nvlink_error_that_no_line_tells_is_told_as_it_is() -> None:
    machine = Machine()
    machine.tells(145)
    await machine.look()
    machine.seconds = 6

    (event,) = await machine.look()

    assert event.fields == {"code": 145, "pci": PCI}


@played
async def test_a_gpu_that_is_lost_before_the_agent_came_back_keeps_its_name() -> None:
    machine = Machine()
    await machine.look()
    machine.gpus = Gpus(bus=Bus(module="570"), driver=Driver.HUNG)
    machine.restart()
    machine.xid("79, GPU has fallen off the bus.")

    assert await machine.counts() == {("gpu.xid", UUID): 1}


@played
async def test_the_driver_itself_says_which_gpu_is_where() -> None:
    uuid = "GPU-0f5a1b2c-1111-2222-3333-444455556666"
    machine = Machine(gpus=Gpus(driver=Driver.HUNG))
    machine.says(f"GPU at PCI:0000:3b:00: {uuid}")
    machine.xid("79, GPU has fallen off the bus.")

    assert await machine.counts() == {("gpu.xid", uuid): 1}


@played
async def test_an_xid_waits_for_a_uuid_that_may_come_in_a_moment() -> None:
    machine = Machine(gpus=Gpus(bus=UP.bus, driver=Driver.STARTING))
    machine.xid("79, GPU has fallen off the bus.", ago=3600)
    early = await machine.counts()
    machine.seconds, machine.gpus = 20, UP

    assert (early, await machine.counts()) == ({}, {("gpu.xid", UUID): 1})


@played
async def test_an_xid_waits_for_the_turn_of_its_gpu_to_be_asked_for_its_uuid() -> None:
    unasked = replace(UP, cards=(Card(pci=PCI, uuid="", standing=Standing.UNASKED),))
    machine = Machine(gpus=unasked)
    machine.xid("79, GPU has fallen off the bus.", ago=3600)
    early = await machine.counts()
    machine.seconds, machine.gpus = 5, UP

    assert (early, await machine.counts()) == ({}, {("gpu.xid", UUID): 1})


@played
async def test_an_xid_of_a_gpu_that_nvml_refuses_waits_for_nothing() -> None:
    refused = {cards.HANDLE: {"error": 16}}
    card = Card(pci=PCI, uuid="", standing=Standing.UNASKED, answers=refused)
    machine = Machine(gpus=replace(UP, cards=(card,)))
    machine.xid("79, GPU has fallen off the bus.")

    assert await machine.counts() == {("gpu.xid", PCI): 1}


@played
async def test_an_xid_waits_no_longer_than_that_and_never_becomes_two() -> None:
    machine = Machine(gpus=Gpus(bus=UP.bus, driver=Driver.STARTING))
    machine.xid("79, GPU has fallen off the bus.")
    await machine.look()
    machine.seconds = 31
    late = await machine.counts()
    machine.gpus = UP
    await machine.look()
    machine.restart()

    assert (late, await machine.counts()) == ({("gpu.xid", PCI): 1}, {("gpu.xid", PCI): 1})


@played
async def test_an_xid_of_one_gpu_does_not_wait_for_the_uuid_of_another() -> None:
    machine = Machine(gpus=Gpus(bus=UP.bus, driver=Driver.UNKNOWN, cards=UP.cards))
    machine.xid("62, x", OTHER)
    machine.xid("62, x")
    first = await machine.counts()
    machine.seconds = 31

    assert first == {("gpu.xid", UUID): 1}
    assert await machine.counts() == {("gpu.xid", UUID): 1, ("gpu.xid", OTHER): 1}


@played
async def test_the_ring_that_is_read_anew_adds_nothing() -> None:
    machine = Machine()
    for code in (31, 79, 31):
        machine.xid(f"{code}, pid=7, name=x, y")
        machine.tells(code)
    before = await machine.counts()
    machine.seconds = 3600
    machine.restart()

    assert (
        await machine.counts()
        == before
        == {
            ("gpu.xid", UUID): before["gpu.xid", UUID],
            ("gpu.jobs_failed", UUID): 1,
        }
    )
    assert sum(each.count for each in machine.known.events if each.name == "gpu.xid") == 3


@played
async def test_after_a_reboot_all_is_new() -> None:
    machine = Machine()
    machine.xid("79, x")
    await machine.look()
    machine.ring.clear()
    machine.restart(boot="c")
    machine.xid("79, x")

    (event,) = await machine.look()

    assert (event.count, event.boot_id) == (1, "c")


@pytest.mark.parametrize("code", [79, 119, 120])
@played
async def test_a_gpu_on_which_calls_may_hang_is_left_alone(code: int) -> None:
    machine = Machine()
    machine.xid(f"{code}, x")
    machine.tells(code, OTHER)
    machine.xid("31, x", "0000:99:00.0")

    await machine.look()

    assert sorted(machine.rested) == [PCI, OTHER]


@pytest.mark.parametrize("code", [48, 63, 154])
@played
async def test_a_gpu_that_the_log_tells_of_is_asked_at_once(code: int) -> None:
    machine = Machine()
    machine.xid(f"{code}, x")
    machine.xid("79, x", OTHER)

    await machine.look()

    assert machine.hurried == [PCI]


@played
async def test_for_what_happened_long_ago_no_gpu_is_asked() -> None:
    machine = Machine()
    machine.xid("48, x", ago=70)

    await machine.look()

    assert machine.hurried == []


@played
async def test_what_happened_long_ago_leaves_no_gpu_alone() -> None:
    machine = Machine()
    machine.xid("119, x", ago=700)
    machine.says("GPU0 _kgspIsHeartbeatTimedOut: Heartbeat timed out")

    await machine.look()

    assert machine.rested == []


@played
async def test_other_cries_of_the_driver_are_told_too() -> None:
    machine = Machine()
    machine.says("GPU 0000:3b:00.0: GPU has fallen off the bus.")
    machine.says("GPU6 _kgspIsHeartbeatTimedOut: Heartbeat timed out, currentTimeMs 8")
    switch = "nvidia-nvswitch0: SXid (PCI:0000:05:00.0): 20034, Fatal, Link 30 LTSSM Fault Up"
    machine.log.stream(NVIDIA).put(Line(sequence=9, at=START, heard=START, text=switch))

    events = {each.name: each for each in await machine.look()}

    assert events["gpu.off_bus"].subject == UUID
    assert events["gpu.off_bus"].fields == {"pci": PCI}
    assert events["gpu.gsp_timeout"].subject == ""
    assert events["gpu.sxid"].subject == "0000:05:00.0"
    assert events["gpu.sxid"].fields == {"code": 20034, "fatal": 1, "link": 30}


POD = "/kubepods/besteffort/pod0f5a1b2c-1111-2222-3333-{:012}/c"


def runs(root: Path, pid: int, pod: int) -> None:
    (root / f"proc/{pid}").mkdir(parents=True)
    (root / f"proc/{pid}/cgroup").write_text(f"0::{POD.format(pod)}\n")


async def failed(machine: Machine) -> int:
    return sum(each.count for each in await machine.look() if each.name == "gpu.jobs_failed")


async def test_a_pod_that_fails_in_many_processes_is_one_job_a_gpu(tmp_path: Path) -> None:
    machine = Machine(root=tmp_path)
    for pid, pod in ((1, 1), (2, 1), (3, 2)):
        runs(tmp_path, pid, pod)
    for pid, code in ((1, 31), (1, 13), (2, 45), (3, 43)):
        machine.xid(f"{code}, pid={pid}, name=x, y")
    first = await failed(machine)
    machine.xid("31, pid=2, name=x, y")
    machine.xid("31, pid=2, name=x, y", OTHER)

    assert (first, await failed(machine)) == (2, 3)


async def test_a_process_whose_pod_is_not_known_stands_for_itself(tmp_path: Path) -> None:
    machine = Machine(root=tmp_path)
    for pid in (1, 1, 2):
        machine.xid(f"31, pid={pid}, name=x, y")

    assert await failed(machine) == 2


async def test_a_job_is_remembered_when_the_agent_comes_back(tmp_path: Path) -> None:
    machine = Machine(root=tmp_path)
    runs(tmp_path, 1, 1)
    runs(tmp_path, 2, 1)
    machine.xid("31, pid=1, name=x, y")
    await failed(machine)
    machine.restart()
    machine.xid("31, pid=2, name=x, y")

    assert await failed(machine) == 1


async def test_a_number_from_long_ago_may_be_another_process_by_now(tmp_path: Path) -> None:
    machine = Machine(root=tmp_path)
    runs(tmp_path, 1, 1)
    runs(tmp_path, 2, 1)
    machine.xid("31, pid=1, name=x, y", ago=3600)
    machine.xid("31, pid=2, name=x, y")

    assert await failed(machine) == 2


@pytest.mark.parametrize("rest", ["79, pid=1, name=x, y", "63, pid=1, name=x, y", "31, Ch 1"])
@played
async def test_what_is_no_fault_of_a_job_fails_none(rest: str) -> None:
    machine = Machine()
    machine.xid(rest)

    assert await failed(machine) == 0


async def test_what_is_remembered_of_jobs_never_grows_without_bound(tmp_path: Path) -> None:
    machine = Machine(root=tmp_path)
    for pid in range(1, 501):
        machine.xid(f"31, pid={pid}, name=x, y")

    assert await failed(machine) == 500
    assert max(len(each.fields) for each in machine.known.memos["xids"]) == 256


@played
async def test_either_way_wakes_the_probe_and_a_look_lays_it_to_rest() -> None:
    machine = Machine()

    async def woken() -> bool:
        try:
            async with asyncio.timeout(60):
                await Xids().stirred(machine.host)
        except TimeoutError:
            return False
        return True

    quiet = await woken()
    machine.xid("79, x")
    by_log = await woken()
    await machine.look()
    after = await woken()
    machine.tells(79)
    by_nvml = await woken()

    assert (quiet, by_log, after, by_nvml) == (False, True, False, True)


@played
async def test_gaps_say_the_same_while_they_are_the_same() -> None:
    machine = Machine()
    machine.log.trouble = "/dev/kmsg: Operation not permitted"
    first = [each for each in await Xids().check(machine.host, {}) if isinstance(each, Gap)]
    machine.seconds = 100

    again = [each for each in await Xids().check(machine.host, {}) if isinstance(each, Gap)]

    assert first == again != []
