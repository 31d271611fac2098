"""What the kernel complains of is counted once, under few names, and a silent server is one."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import bookmark, buckets, state, troubles
from agent.fileservers import MOST as MOST_SERVERS
from agent.host import complaints, records
from agent.host.kmsg import KernelLog
from agent.host.linux import Host
from agent.host.records import Line
from agent.probes.kernel_log import Complaints
from agent.readings import FLEETING, Memo
from agent.state import State
from nodehealth.health import Event, Level, ProbeReport, ProbeState
from nodehealth.signals import Knowledge
from simulator.virtualtime import START, played
from tests.agent.kernellines import SAID

PROBE: Final = "kernel-log"
HUNG: Final = "INFO: task kubelet:77 blocked for more than 120 seconds."
SILENT: Final = "nfs: server filer not responding, still trying"
MOUNTINFO: Final = """\
25 1 259:1 / / rw - ext4 /dev/root rw
30 25 254:0 / /var/lib/kubelet rw - xfs /dev/mapper/vg-kubelet rw
31 30 259:7 / /var/lib/kubelet/pods/x/volumes/kubernetes.io~csi/y rw - xfs /dev/nvme1n1 rw
33 25 0:40 / /data rw - btrfs /dev/sdd rw
"""


@dataclass
class Machine:
    """A machine whose kernel complains as a test has it; its agent may be started anew."""

    root: Path = Path("/nowhere")
    mountinfo: Path = Path("/nowhere/mountinfo")
    seconds: float = 0
    ring: list[Line] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.known = self._begun(None)
        self._start()

    def restart(self, *, boot: str = "b", keep: int = 0) -> None:
        """Let the agent begin again with what it kept, and read what the ring still holds."""
        if boot != "b":
            self.ring.clear()
        self.known = self._begun(self.known, boot=boot)
        self._start()
        for line in self.ring[keep:]:
            self._put(line)

    def _begun(self, kept: State | None, *, boot: str = "b") -> State:
        return state.begin(kept, boot_id=boot, node_uid="u", probes=[PROBE], now=self.now())

    def _start(self) -> None:
        self.log = KernelLog(Path("/dev/kmsg"))
        self.host = Host(
            root=self.root, mountinfo=self.mountinfo, kernel_log=self.log, clock=self.now
        )

    def _put(self, line: Line) -> None:
        up = asyncio.get_running_loop().time()
        fresh = Line(sequence=line.sequence, at=line.at, heard=self.now(), up=up, text=line.text)
        for topic, words in complaints.WORDS.items():
            if records.matcher(words).search(line.text.encode()):
                self.log.stream(topic).put(fresh)

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def says(self, *texts: str, ago: float = 0) -> None:
        """Let the kernel write some lines."""
        for text in texts:
            at = self.now() - timedelta(seconds=ago)
            self.ring.append(Line(sequence=len(self.ring) + 1, at=at, heard=self.now(), text=text))
            self._put(self.ring[-1])

    async def look(self) -> Sequence[Event]:
        """Let the agent look, and return all that it knows to have happened."""
        answers = await Complaints().check(self.host, state.past(self.known, PROBE))
        self.known = state.answered(self.known, PROBE, answers, self.now())
        return self.known.events

    async def counts(self) -> Mapping[tuple[str, str], int]:
        """Look, and return what happened how often to whom."""
        return {(each.name, each.subject): each.count for each in await self.look()}

    @property
    def servers(self) -> Level:
        """Return what is said of file servers."""
        (level,) = (each for each in self.known.levels[PROBE] if each.name)
        return level

    @property
    def report(self) -> ProbeReport:
        """Return how well the probe fares."""
        return self.known.reports[PROBE]


@played
async def test_every_complaint_is_told_and_makes_no_second_one_when_the_ring_is_read_anew() -> None:
    machine = Machine()
    machine.says(*SAID)
    before = await machine.look()

    machine.restart()
    after = await machine.look()

    expected = [each for each in SAID.values() if each.signal != "nfs.not_responding"]
    assert sum(each.count for each in before) == sum(each.count for each in expected)
    assert {each.name for each in before} == {each.signal for each in expected}
    assert after == before
    assert machine.report.state is ProbeState.OK


@played
async def test_a_storm_is_counted_to_the_last_line_and_told_one_by_one_at_its_beginning() -> None:
    machine, other = Machine(), "Buffer I/O error on dev sdb, logical block 1"
    machine.says(*["I/O error, dev sda, sector 1"] * 4_000, other, "I/O error, dev sdc, sector 2")
    await machine.look()
    machine.says(*["I/O error, dev sda, sector 1"] * 4_000)
    machine.restart()

    counts = await machine.counts()

    assert counts == {
        ("disk.io_errors_logged", "sda"): 8_000,
        ("disk.io_errors_logged", "sdb"): 1,
        ("disk.io_errors_logged", "sdc"): 1,
        (buckets.SIGNAL, "block-error"): 8_001 - buckets.HOLDS,
    }
    assert machine.report.state is ProbeState.OK


@played
async def test_what_was_said_while_the_agent_was_away_is_counted_when_it_is_back() -> None:
    machine = Machine()
    machine.says("kernel BUG at mm/slub.c:1!")
    await machine.look()

    machine.says("kernel BUG at mm/slub.c:1!")
    machine.restart()

    assert await machine.counts() == {("kernel.errors", ""): 2}


@played
async def test_after_a_boot_all_is_new() -> None:
    machine = Machine()
    machine.says("kernel BUG at mm/slub.c:1!", SILENT)
    await machine.look()

    machine.restart(boot="c")

    assert await machine.counts() == {}
    assert machine.servers.knowledge is Knowledge.NOT_APPLICABLE


def disk(root: Path, name: str, number: str) -> None:
    """Give the kernel a block device."""
    folder = root / "sys/devices/virtual/block" / name
    folder.mkdir(parents=True)
    for known in (root / "sys/dev/block" / number, root / "sys/class/block" / name):
        known.parent.mkdir(parents=True, exist_ok=True)
        known.symlink_to(folder)


def mounted(tmp_path: Path) -> Machine:
    """Return a machine with filesystems of its own and one of a pod."""
    for name, number in {
        "nvme0n1p1": "259:1",
        "dm-0": "254:0",
        "nvme1n1": "259:7",
        "sdd": "8:48",
    }.items():
        disk(tmp_path, name, number)
    (tmp_path / "mountinfo").write_text(MOUNTINFO.replace(" / /", f" / {tmp_path}/"))
    return Machine(root=tmp_path, mountinfo=tmp_path / "mountinfo")


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("EXT4-fs error (device nvme0n1p1): x: y", "/"),
        ("XFS (dm-0): Filesystem has been shut down due to log error (0x2).", "/var/lib/kubelet"),
        ("XFS (nvme1n1): Filesystem has been shut down due to log error (0x2).", ""),
        ("XFS (dm-9): Filesystem has been shut down due to log error (0x2).", ""),
        ("BTRFS info (device sdd): forced readonly", "/data"),
    ],
)
async def test_a_filesystem_is_told_with_where_the_host_has_it(
    tmp_path: Path, text: str, mount: str
) -> None:
    machine = mounted(tmp_path)
    machine.says(text)

    (event,) = await machine.look()

    assert event.fields["mount"] == mount


@played
async def test_a_filesystem_is_told_of_even_if_nobody_knows_what_is_mounted() -> None:
    machine = Machine()
    machine.says("EXT4-fs error (device sda1): x: y")

    (event,) = await machine.look()

    assert event.fields == {"fstype": "ext4", "kind": "error", "mount": ""}


def thread(root: Path, pid: int, group: str) -> None:
    """Let a thread be there, in a control group."""
    (root / "proc" / str(pid)).mkdir(parents=True)
    (root / "proc" / str(pid) / "cgroup").write_text(group)


POD: Final = "0::/kubepods/besteffort/pod0f5a1b2c-1111-2222-3333-444455556666/ab\n"


@pytest.mark.parametrize(
    ("group", "ago", "own"),
    [
        ("0::/system.slice/kubelet.service\n", 0, 1),
        ("0::/system.slice/kubelet.service\n", 3600, 0),
        (POD, 0, 0),
        (None, 0, 0),
    ],
)
async def test_a_hung_task_is_the_machines_own_only_if_that_is_seen(
    tmp_path: Path, group: str | None, ago: float, own: int
) -> None:
    if group is not None:
        thread(tmp_path, 77, group)
    machine = Machine(root=tmp_path)
    machine.says(HUNG, ago=ago)

    (event,) = await machine.look()

    assert event.fields == {"comm": "kubelet", "own": own, "nfs": 0}


@played
async def test_a_task_that_hangs_while_a_file_server_is_silent_is_told_apart() -> None:
    machine = Machine()
    machine.says(HUNG, SILENT, HUNG, "nfs: server filer OK", HUNG)

    events = await machine.look()

    assert [(each.fields["nfs"], each.count) for each in events] == [(0, 2), (1, 1)]


@played
async def test_a_file_server_is_silent_until_it_answers() -> None:
    machine = Machine()
    await machine.look()
    assert machine.servers.knowledge is Knowledge.NOT_APPLICABLE

    machine.says(SILENT, "nfs: server other not responding, still trying")
    await machine.look()
    assert (machine.servers.value, machine.servers.fields) == (2, {"servers": "filer, other"})

    machine.says("nfs: server filer OK", "nfs: server other OK")
    await machine.look()
    assert (machine.servers.value, machine.servers.fields) == (0, {})


@played
async def test_a_silent_file_server_is_remembered_by_an_agent_that_came_back() -> None:
    machine = Machine()
    machine.says("nfs: server filer OK", SILENT)
    await machine.look()

    machine.restart(keep=1)
    await machine.look()
    assert machine.servers.value == 1

    machine.restart(keep=2)
    await machine.look()
    assert machine.servers.value == 1


@played
async def test_what_the_ring_says_again_does_not_silence_a_server_that_answered() -> None:
    machine = Machine()
    machine.says(SILENT, "nfs: server filer OK")
    await machine.look()

    machine.restart()
    (first, *_) = machine.log.stream("storage").take()
    machine.log.stream("storage").put(first)
    await machine.look()

    assert machine.servers.value == 0


@played
async def test_a_server_is_no_longer_known_to_be_silent_once_lines_were_lost() -> None:
    machine = Machine()
    machine.says(SILENT)
    await machine.look()

    await asyncio.sleep(60)
    machine.log.losses.note(1)
    await machine.look()
    assert machine.servers.knowledge is Knowledge.UNKNOWN

    machine.restart(keep=1)
    await machine.look()
    assert machine.servers.knowledge is Knowledge.UNKNOWN

    await asyncio.sleep(60)
    machine.says(SILENT)
    await machine.look()
    assert machine.servers.value == 1


@played
async def test_a_clock_that_is_set_back_makes_no_server_unknown_for_as_long() -> None:
    machine = Machine()
    machine.log.losses.note(1)
    await machine.look()

    machine.seconds = -3600
    await asyncio.sleep(60)
    machine.says(SILENT)
    await machine.look()

    assert machine.servers.value == 1
    await asyncio.sleep(600)
    await machine.look()
    assert machine.report.state is ProbeState.OK


@played
async def test_a_server_that_an_earlier_version_knew_is_doubted_once_lines_are_lost() -> None:
    machine = Machine()
    machine.says(SILENT)
    await machine.look()
    (memo,) = (each for each in machine.known.memos[PROBE] if each.subject == "nfs filer")
    earlier = msgspec.structs.replace(memo, fields={**memo.fields, "at": 1_760_000_000})
    machine.known = msgspec.structs.replace(machine.known, memos={PROBE: (earlier,)})

    await asyncio.sleep(10)
    machine.log.losses.note(1)
    await machine.look()

    assert machine.servers.knowledge is Knowledge.UNKNOWN


@played
async def test_more_servers_than_can_be_remembered_are_not_remembered() -> None:
    machine = Machine()
    machine.says(*(f"nfs: server s{n} OK" for n in range(MOST_SERVERS)))
    machine.says(*(SILENT.replace("filer", f"t{n:02d}") for n in range(2 * MOST_SERVERS)))

    await machine.look()

    assert machine.servers.value == MOST_SERVERS
    assert machine.servers.fields == {"servers": f"t00, t01, t02 and {MOST_SERVERS - 3} more"}


@played
async def test_a_log_that_cannot_be_read_is_a_gap_and_no_well_being() -> None:
    machine = Machine()
    machine.log.trouble = "/dev/kmsg: Operation not permitted"

    await machine.look()

    assert machine.servers.knowledge is Knowledge.UNKNOWN
    assert machine.report.state is ProbeState.FAILED
    assert machine.report.message.endswith(
        "nothing that the kernel complains of is seen: /dev/kmsg: Operation not permitted"
    )


@played
async def test_records_that_were_overwritten_are_a_gap_for_a_while() -> None:
    machine, states = Machine(), list[ProbeState]()
    machine.log.losses.note(1)
    for seconds in (0, 599, 2):
        await asyncio.sleep(seconds)
        await machine.look()
        states.append(machine.report.state)

    assert states == [ProbeState.FAILED, ProbeState.FAILED, ProbeState.OK]


async def test_what_was_overwritten_while_the_agent_was_away_is_a_gap(tmp_path: Path) -> None:
    ring, machine = tmp_path / "kmsg", Machine()

    async def look(first: int) -> ProbeState:
        await asyncio.to_thread(ring.write_text, f"2,{first},1,-;a\n2,{first + 1},2,-;b\n")
        machine.log = KernelLog(ring)
        machine.log.resume(bookmark.position(state.past(machine.known, PROBE)))
        machine.host = Host(kernel_log=machine.log, clock=machine.now)
        await machine.log.once()
        await machine.look()
        return machine.report.state

    fared = [await look(1)]
    for first in (3, 9):
        machine.restart()
        fared.append(await look(first))

    assert fared == [ProbeState.OK, ProbeState.OK, ProbeState.FAILED]


@played
async def test_how_far_the_log_was_read_is_no_reason_to_write_the_state() -> None:
    known = Machine().known

    told = [Memo(subject=f"{FLEETING}read", fields={"sequence": 7}), Memo(subject="x", fields={})]
    after = [state.answered(known, PROBE, told[n:], START) for n in range(2)]

    assert state.lasting(after[0]) == state.lasting(after[1])
    assert after[0] != after[1]


async def test_of_many_names_a_few_are_told_apart_and_the_system_always_is(tmp_path: Path) -> None:
    machine = mounted(tmp_path)
    machine.says(*(f"INFO: task t{n}:9 blocked for more than 120 seconds." for n in range(50)))
    machine.says(HUNG)
    machine.says(*(f"EXT4-fs error (device sd{n}): x: y" for n in range(50)))
    machine.says("EXT4-fs error (device nvme0n1p1): x: y")
    machine.restart()
    machine.says(HUNG.replace("kubelet", "t3"), HUNG.replace("kubelet", "t77"))

    events = await machine.look()

    tasks = {each.fields["comm"]: each.count for each in events if "comm" in each.fields}
    devices = {each.subject: each.count for each in events if "fstype" in each.fields}
    assert len(tasks) == len(devices) == troubles.MOST + 2
    assert (tasks["kubelet"], tasks["t3"], tasks["others"]) == (1, 2, 50 - troubles.MOST + 1)
    assert (devices["nvme0n1p1"], devices["others"]) == (1, 50 - troubles.MOST)


@pytest.mark.parametrize(
    ("comm", "called"), [("kworker/u16:2", "kworker"), ("jbd2/dm-0-8", "jbd2"), ("a b", "a b")]
)
@played
async def test_workers_of_one_kind_are_one(comm: str, called: str) -> None:
    machine = Machine()
    machine.says(HUNG.replace("kubelet", comm))

    (event,) = await machine.look()

    assert event.fields["comm"] == called


@played
async def test_a_complaint_wakes_the_probe_and_a_look_lays_it_to_rest() -> None:
    machine = Machine()
    waiting = asyncio.create_task(Complaints().stirred(machine.host))
    await asyncio.sleep(1)
    assert not waiting.done()

    machine.says(HUNG)
    await asyncio.wait_for(waiting, 1)
    await machine.look()

    again = asyncio.create_task(Complaints().stirred(machine.host))
    await asyncio.sleep(1)
    assert not again.done()
    again.cancel()


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sampled_from([*SAID]) | st.text(max_size=80), max_size=30),
    st.lists(st.integers(0, 30), max_size=4),
)
def test_however_often_the_agent_begins_anew_each_line_counts_once(
    texts: list[str], restarts: list[int]
) -> None:
    @played
    async def play() -> None:
        machine, once = Machine(), Machine()
        for n, text in enumerate(texts):
            machine.says(text)
            once.says(text)
            if n in restarts:
                await machine.look()
                machine.says(*texts[:1])
                once.says(*texts[:1])
                machine.restart()
        counted, expected = await machine.look(), await once.look()

        assert _of(counted) == _of(expected)
        assert machine.servers.value == once.servers.value

    play()


def _of(events: Sequence[Event]) -> Mapping[tuple[object, ...], int]:
    keys: dict[tuple[object, ...], int] = {
        (each.name, each.subject, *sorted(each.fields.items())): each.count for each in events
    }
    assert len(keys) == len(events)
    return keys
