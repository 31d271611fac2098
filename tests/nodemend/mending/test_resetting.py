"""`nodemend node reset-gpu` as a real process, with real holders and the stand-in driver."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.host.nvml import bus, release
from agent.host.nvml.settings import FOLDERS
from nodehealth.outcome import Result
from simulator.driver import fabric, recording
from simulator.driver.build import BuildError
from simulator.driver.control import Driver
from simulator.driver.frozen import FrozenError
from tests.lacking import lacking
from tests.nodemend.mending.desk import ROOT, Desk

BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
ACTION = 230
HOLD = (
    "import sys; held = [open(each) for each in sys.argv[1:]]; print(flush=True); sys.stdin.read()"
)
AGENT = """
import asyncio, sys
from agent import main as agent, settings
from agent.host.nvml.facts import Driver
from nodehealth.kit import clocks

async def main():
    supervisor = agent.watch(settings.load({"HOST_ROOT": sys.argv[1]}), clock=clocks.wall)
    run = asyncio.ensure_future(supervisor.run())
    was = None
    while not run.done():
        gpus = supervisor.gpus()
        is_up = gpus.driver is Driver.UP and len(gpus.cards) == gpus.count
        if is_up and not was:
            print("up", flush=True)
        was = is_up
        await asyncio.sleep(0.05)

asyncio.run(main())
"""


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("driver")


class Machine(Desk):
    """A machine with a driver, and a procfs that is the real one's."""

    def __init__(self, driver: Driver) -> None:
        (driver.root / "proc").symlink_to("/proc")
        super().__init__(driver.root, driver.environ())
        self.driver = driver

    def reset(self, *words: str, gpus: tuple[int, ...] = (0,)) -> subprocess.Popen[str]:
        named = [word for gpu in gpus for word in ("--gpu", self.driver.uuid(gpu))]
        return self.start("reset-gpu", *named, *words)

    def reset_whole(self, *words: str, gpus: tuple[int, ...] = (0,)) -> tuple[int, str]:
        with self.reset(*words, gpus=gpus) as process:
            said, _ = process.communicate(timeout=100)
            return process.returncode, said

    @property
    def resets(self) -> list[int]:
        """Return how often each GPU was reset."""
        state = self.driver.state()
        return [state.resets.get(self.driver.uuid(each), 0) for each in range(len(state.gpus))]

    @property
    def is_released(self) -> bool:
        """Say whether the agent would see that it is to close NVML."""
        return bus.glance(self.root, FOLDERS).released_at is not None

    @contextmanager
    def agent(self) -> Iterator[subprocess.Popen[str]]:
        """Have the agent's own NVML worker at work; it says whenever NVML has come up."""
        with subprocess.Popen(
            [sys.executable, "-c", AGENT, str(self.root)],
            env={**os.environ, **self.driver.environ()},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            yield process

    @contextmanager
    def held(self, *names: str) -> Iterator[subprocess.Popen[bytes]]:
        """Have a process that holds devices."""
        paths = [str(self.root / "dev" / name) for name in names]
        with subprocess.Popen(
            [sys.executable, "-c", HOLD, *paths], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            yield process
            process.kill()


def machine(tmp_path: Path, cache: Path, name: str) -> Iterator[Machine]:
    with Driver(tmp_path) as driver:
        try:
            driver.install(recording.load(name), cache=cache)
        except BuildError as missing:
            lacking(str(missing))
        yield Machine(driver)


@pytest.fixture
def single(tmp_path: Path, cache: Path) -> Iterator[Machine]:
    """Stand four GPUs up that nothing links."""
    yield from machine(tmp_path, cache, "l40sx4")


@pytest.fixture
def switched(tmp_path: Path, cache: Path) -> Iterator[Machine]:
    """Stand eight GPUs up behind NVSwitches."""
    yield from machine(tmp_path, cache, "h100x8")


def test_a_gpu_that_asks_for_a_reset_is_reset_alone_and_verified(single: Machine) -> None:
    single.driver.field(0, ACTION, 1)

    code, said = single.reset_whole("--boot-id", BOOT)

    assert (code, single.resets) == (0, [1, 0, 0, 0])
    assert single.words.result is Result.DONE
    assert single.words.boot_id == BOOT
    assert single.words.message == f"reset {single.driver.uuid(0)}; all of them answer"
    assert said.endswith(f"Done: {single.words.message}\n")
    assert not single.is_released


def test_all_gpus_behind_the_switches_are_reset_together(switched: Machine) -> None:
    switched.driver.field(3, ACTION, 4)

    code, _ = switched.reset_whole(gpus=(3,))

    assert (code, switched.resets) == (0, [1] * 8)
    assert " and 7 that NVLink connects with it" in switched.words.message


def test_a_domain_that_is_not_idle_is_not_reset_at_all(switched: Machine) -> None:
    with switched.held("nvidia6", "nvidiactl") as busy:
        code, _ = switched.reset_whole("--wait", "0s", gpus=(3,))

    assert (code, switched.resets) == (3, [0] * 8)
    assert switched.words.result is Result.REFUSED
    assert f"{busy.pid} python" in switched.words.message
    assert "(nvidia6, nvidiactl)" in switched.words.message
    assert not switched.is_released


def test_a_neighbour_at_work_does_not_keep_a_gpu_without_links_from_its_reset(
    single: Machine,
) -> None:
    with single.held("nvidia1", "nvidiactl", "nvidia-uvm"):
        code, _ = single.reset_whole("--wait", "0s")

    assert (code, single.resets) == (0, [1, 0, 0, 0])


def test_who_holds_a_gpu_is_waited_for_with_nvml_released(single: Machine) -> None:
    with single.held("nvidia0") as busy, single.reset() as process:
        assert process.stdout is not None
        waiting = next(line for line in process.stdout if line.startswith("waits for"))
        released, before = single.is_released, single.resets
        busy.kill()
        process.communicate(timeout=100)

    assert f"{busy.pid} python" in waiting
    assert (released, before) == (True, [0] * 4)
    assert (process.returncode, single.resets) == (0, [1, 0, 0, 0])


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_who_is_told_to_end_puts_everything_back(single: Machine, end: signal.Signals) -> None:
    with single.held("nvidia0"), single.reset() as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("waits for"))
        process.send_signal(end)
        process.communicate(timeout=100)

    assert process.returncode == 1
    assert single.words.message == f"it was ended by {end.name}"
    assert not single.is_released


def test_who_is_killed_leaves_word_and_a_wish_that_expires_and_the_next_run_succeeds(
    single: Machine,
) -> None:
    with single.held("nvidia0"):
        with single.reset() as process:
            assert process.stdout is not None
            next(line for line in process.stdout if line.startswith("waits for"))
            process.kill()
        left = single.is_released
        words = single.words
    wish = single.root / release.RELEASE
    os.utime(wish, (0, 0))  # long ago

    code, _ = single.reset_whole()

    assert left
    assert words.result is Result.FAILED
    assert "killed" in words.message
    assert (code, single.resets, single.is_released) == (0, [1, 0, 0, 0], False)


def test_two_resets_at_once_do_not_meet(single: Machine) -> None:
    with single.held("nvidia0") as busy, single.reset() as first:
        assert first.stdout is not None
        next(line for line in first.stdout if line.startswith("waits for"))
        code, _ = single.reset_whole(gpus=(1,))
        words, released = single.words, single.is_released
        busy.kill()
        first.communicate(timeout=100)

    assert (code, words.result) == (3, Result.REFUSED)
    assert f"another reset is under way: nodemend node reset-gpu, PID {first.pid}" in words.message
    assert released
    assert single.resets == [1, 0, 0, 0]


def test_a_reset_for_another_boot_is_refused(single: Machine) -> None:
    code, _ = single.reset_whole("--boot-id", "another")

    assert (code, single.words.result, single.resets) == (3, Result.REFUSED, [0] * 4)


def test_a_gpu_that_is_not_here_any_more_is_refused(single: Machine) -> None:
    code, _ = single.run("reset-gpu", "--gpu", "GPU-gone")

    assert (code, single.resets) == (3, [0] * 4)
    assert "the driver has no GPU-gone, only " in single.words.message


def test_a_gpu_that_fell_off_the_bus_needs_a_reboot(single: Machine) -> None:
    single.driver.lose(0)

    code, _ = single.reset_whole("--wait", "0s")

    assert (code, single.resets, single.is_released) == (3, [0] * 4, False)
    assert single.words.message.endswith("a GPU that is lost to the driver needs a reboot")


def test_a_gpu_that_answers_only_that_it_must_be_reset_is_reset(single: Machine) -> None:
    single.driver.set(0, "nvmlDeviceGetRemappedRows", {"error": 16})
    single.driver.field(0, ACTION, {"error": 16})

    codes = [single.reset_whole("--only-if-needed")[0] for _ in range(2)]

    assert (codes, single.resets) == ([0, 0], [1, 0, 0, 0])


def test_the_agent_closes_nvml_by_itself_and_opens_it_again_after(single: Machine) -> None:
    with single.agent() as agent:
        assert agent.stdout is not None
        before = agent.stdout.readline()
        code, said = single.reset_whole()
        after = agent.stdout.readline()
        agent.kill()

    assert (before, code, after) == ("up\n", 0, "up\n")
    assert "waits for" in said
    assert "(nvidia0, nvidia1, nvidia2, nvidia3, nvidiactl)" in said
    assert single.resets == [1, 0, 0, 0]


def test_without_a_driver_nothing_is_reset(single: Machine) -> None:
    single.driver.unload()

    code, _ = single.reset_whole()

    assert (code, single.words.result) == (3, Result.REFUSED)
    assert "NVML cannot be used (error 9)" in single.words.message


def test_an_nvidia_smi_that_fails_is_quoted(single: Machine) -> None:
    single.driver.resets("fail")

    code, _ = single.reset_whole()

    assert (code, single.words.result) == (1, Result.FAILED)
    assert "nvidia-smi ended with 255: The reset was tried and failed." in single.words.message
    assert not single.is_released


def test_an_nvidia_smi_that_hangs_is_left_and_named(single: Machine) -> None:
    single.driver.resets("hang")

    code, _ = single.reset_whole("--resetting", "500ms")

    assert (code, single.words.result) == (1, Result.FAILED)
    pid = int(single.words.message.partition("(PID ")[2].partition(")")[0])
    os.kill(pid, signal.SIGKILL)  # it was there
    assert "did not end within 500ms, in state " in single.words.message
    assert single.words.message.endswith("; it was left, not killed")
    assert not single.is_released


def test_a_driver_that_hangs_does_not_hang_us(single: Machine) -> None:
    try:
        single.driver.block(uninterruptible=True)
    except FrozenError as missing:
        lacking(str(missing))

    code, _ = single.reset_whole("--answer", "2s")
    single.driver.unblock()

    assert (code, single.words.result) == (1, Result.FAILED)
    assert "the driver does not answer" in single.words.message
    assert "(state D" in single.words.message
    assert not single.is_released


def test_a_second_reset_is_done_again_unless_only_need_counts(single: Machine) -> None:
    single.driver.field(0, ACTION, 1)

    codes = [single.reset_whole("--only-if-needed")[0] for _ in range(2)]
    after_need = single.resets[0]
    codes.append(single.reset_whole()[0])

    assert (codes, after_need, single.resets[0]) == ([0, 0, 0], 1, 2)


def test_rows_that_wait_for_a_remap_need_a_reset(single: Machine) -> None:
    single.driver.set(0, "nvmlDeviceGetRemappedRows", [0, 1, 1, 0])

    code, _ = single.reset_whole("--only-if-needed")

    assert (code, single.resets[0]) == (0, 1)


def test_a_rehearsal_says_all_and_does_nothing(switched: Machine) -> None:
    with switched.held("nvidia6") as busy:
        code, said = switched.reset_whole("--dry-run", gpus=(3,))

    assert (code, switched.resets) == (0, [0] * 8)
    assert f"once these have let go: {busy.pid} python" in said
    assert json.loads(said.splitlines()[-1])["result"] == "Done"
    assert not switched.message.exists()
    assert not (switched.root / "run").exists()


@pytest.mark.parametrize("name", sorted({*recording.shipped()} - {"h100-mig"}))
def test_who_is_reset_together_is_what_the_machine_links(
    tmp_path: Path, cache: Path, name: str
) -> None:
    for each in machine(tmp_path, cache, name):
        state = each.driver.state()
        linked = {each.driver.uuid(other) for other in fabric.domain(state, 0)}

        _, said = each.reset_whole("--dry-run")

        first = next(line for line in said.splitlines() if line.startswith("Done: would reset "))
        assert set(re.findall(r"GPU-[0-9a-f-]+", first.partition(";")[0])) == linked


def test_gpus_of_a_fabric_stay_together_though_instances_use_no_links(
    tmp_path: Path, cache: Path
) -> None:
    for each in machine(tmp_path, cache, "h100-mig"):
        code, _ = each.reset_whole()

        assert (code, each.resets) == (0, [1, 1])
        assert "; MIG instances of GPU-" in each.words.message
