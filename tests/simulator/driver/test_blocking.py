"""Calls that do not return, and threads that nothing wakes."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from pathlib import Path
from threading import Event
from typing import Any, Final

import pytest

from simulator.driver.control import Driver
from simulator.driver.frozen import Frozen, FrozenError
from tests.lacking import lacking
from tests.simulator.driver.clients import Client

GPU: Final = {"gpu": 3}
POWER: Final = "nvmlDeviceGetPowerUsage"
PATIENCE: Final = 20.0
TICK: Final = 0.005


def becomes(look: Callable[[], object], wanted: object) -> bool:
    """Look until it is so; say at last whether it became so."""
    for _ in range(int(PATIENCE / TICK)):
        if look() == wanted:
            return True
        Event().wait(TICK)
    return False


@pytest.fixture
def frozen() -> Iterator[Frozen]:
    """Freeze a file, where that can be done."""
    try:
        with Frozen() as file:
            yield file
    except FrozenError as cannot:
        lacking(str(cannot))


@pytest.fixture
def reader() -> Iterator[Callable[[Path], subprocess.Popen[bytes]]]:
    """Return what starts processes that read a file, and see them end."""
    started: list[subprocess.Popen[bytes]] = []

    def _reader(path: Path) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(["cat", str(path)], stdout=subprocess.DEVNULL))
        return started[-1]

    yield _reader
    for process in started:
        process.wait(PATIENCE)


def pends(*calls: Future[dict[str, Any]]) -> bool:
    """Give calls some time, and say whether all of them are still out."""
    return not wait(calls, timeout=0.2).done


def state(process: subprocess.Popen[bytes]) -> str:
    stat = Path(f"/proc/{process.pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0]


def test_a_call_blocks_until_it_may_return(driver: Driver, client: Client) -> None:
    client.ask(POWER, GPU, thread="blocked")
    driver.block(3, POWER)
    call = client.begin(POWER, GPU, thread="blocked")
    others = client.ask(POWER, {"gpu": 4}), client.ask("nvmlDeviceGetPersistenceMode", GPU)
    pending, slept = pends(call), client.state("blocked")
    driver.unblock()

    assert pending
    assert slept == "S"
    assert others == (71002, 1)
    assert call.result(PATIENCE)["result"] == 71002


def test_a_call_that_blocked_returns_the_code_that_it_shall(driver: Driver, client: Client) -> None:
    driver.block(3, code=15)
    call = client.begin(POWER, GPU, thread="blocked")
    pending = pends(call)
    driver.unblock()

    assert pending
    assert call.result(PATIENCE)["error"] == 15


def test_a_sick_gpu_blocks_all_its_calls_but_those_that_need_no_driver(
    driver: Driver, client: Client
) -> None:
    driver.block(3)
    blocked = [
        client.begin(POWER, GPU, thread="a"),
        client.begin("nvmlDeviceGetFieldValues", GPU, [230], thread="b"),
    ]
    known = client.ask("nvmlDeviceGetUUID", GPU), client.ask("nvmlDeviceGetCount")
    others = client.ask(POWER, {"gpu": 4})

    assert known == (driver.uuid(3), 8)
    assert others == 71002
    assert pends(*blocked)


def test_a_sick_driver_blocks_all_gpus_and_the_opening_of_nvml(
    driver: Driver, client: Client, start: Callable[[], Client]
) -> None:
    driver.block()
    calls = [
        client.begin(POWER, GPU, thread="a"),
        client.begin(POWER, {"gpu": 0}, thread="b"),
        start().begin("nvmlInit"),
    ]
    pending = pends(*calls)
    driver.unblock()
    after = [call.result(PATIENCE)["result"] for call in calls]

    assert pending
    assert after == [71002, 71002, None]


def test_events_come_while_the_driver_is_sick(driver: Driver, client: Client) -> None:
    events = client.watch(3)
    driver.block()
    driver.xid(3, 119)

    assert client.ask("nvmlEventSetWait_v2", events, 20_000, thread="events")["eventData"] == 119


def test_a_call_that_blocks_meets_the_machine_as_it_is_afterwards(
    driver: Driver, client: Client
) -> None:
    driver.block(3)
    call = client.begin(POWER, GPU, thread="blocked")
    pending = pends(call)
    driver.lose(3)
    driver.unblock()

    assert pending
    assert call.result(PATIENCE)["error"] == 15


def test_an_uninterruptible_call_sleeps_in_state_d(driver: Driver, client: Client) -> None:
    client.ask(POWER, GPU, thread="blocked")
    try:
        driver.block(3, uninterruptible=True, code=999)
    except FrozenError as cannot:
        lacking(str(cannot))
    call = client.begin(POWER, GPU, thread="blocked")
    slept = becomes(lambda: client.state("blocked"), "D")
    others = client.ask(POWER, {"gpu": 4})
    driver.unblock()

    assert slept
    assert others == 71002
    assert call.result(PATIENCE)["error"] == 999


def test_a_process_with_a_frozen_thread_cannot_be_killed_before_it_thaws(
    driver: Driver, client: Client
) -> None:
    client.ask(POWER, GPU, thread="blocked")
    try:
        driver.block(uninterruptible=True)
    except FrozenError as cannot:
        lacking(str(cannot))
    client.begin(POWER, GPU, thread="blocked")
    slept = becomes(lambda: driver.asleep, 1)
    client.process.kill()
    with pytest.raises(subprocess.TimeoutExpired):
        client.process.wait(0.3)
    still = client.state("blocked")
    driver.unblock()

    assert slept
    assert still == "D"
    assert client.process.wait(PATIENCE) == -signal.SIGKILL


def test_nobody_wakes_who_reads_a_frozen_file(
    frozen: Frozen, reader: Callable[[Path], subprocess.Popen[bytes]]
) -> None:
    readers = [reader(frozen.path) for _ in range(3)]
    asleep = becomes(lambda: frozen.readers, 3)
    for process in readers:
        process.kill()
    deaf = becomes(lambda: [state(process) for process in readers], ["D", "D", "D"])
    with pytest.raises(subprocess.TimeoutExpired):
        readers[0].wait(0.2)
    frozen.thaw()

    assert asleep
    assert deaf
    assert [process.wait(PATIENCE) for process in readers] == [-signal.SIGKILL] * 3


def test_a_thawed_file_ends_at_once(
    frozen: Frozen, reader: Callable[[Path], subprocess.Popen[bytes]]
) -> None:
    frozen.thaw()

    assert reader(frozen.path).wait(PATIENCE) == 0


@pytest.mark.usefixtures("frozen")
def test_nothing_is_mounted_where_others_could_meet_it() -> None:
    assert "frozen" not in Path("/proc/self/mounts").read_text()


def test_who_sleeps_wakes_when_the_one_who_froze_the_file_is_killed(
    reader: Callable[[Path], subprocess.Popen[bytes]],
) -> None:
    program = (
        "import sys\n"
        "from simulator.driver.frozen import Frozen\n"
        "with Frozen() as file:\n"
        "    print(file.path, flush=True)\n"
        "    while not file.readers:\n"
        "        pass\n"
        "    print('asleep', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with server:
        assert server.stdout is not None
        path = server.stdout.readline().strip()
        if not path:
            lacking(server.communicate()[1].splitlines()[-1])
        sleeper = reader(Path(path))
        slept = server.stdout.readline().strip() == "asleep" and becomes(
            lambda: state(sleeper), "D"
        )
        server.kill()

    assert slept
    assert sleeper.wait(PATIENCE) != 0
