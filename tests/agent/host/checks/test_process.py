"""A program has a deadline, little memory and few words, and nothing of it is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent.host.checks import process
from agent.host.checks.facts import MOST_SAID
from agent.host.checks.process import Bounds, Ended, Program
from tests.agent.host.checks.programs import script

SOON = timedelta(seconds=1.5)
LONG = timedelta(seconds=30)
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}
MEMORY = 256 * 2**20


def bounds(timeout: timedelta = LONG, memory: int = MEMORY) -> Bounds:
    return Bounds(
        timeout=timeout, memory=memory, environment=ENVIRONMENT, grace=timedelta(seconds=0.3)
    )


def shell(tmp_path: Path, body: str, timeout: timedelta = LONG) -> Ended:
    return process.run((str(script(tmp_path / "x", body)),), bounds(timeout))


def is_there(pid: int) -> bool:
    """Say whether a process runs; who waits to be buried does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def goes_away(pid: int) -> bool:
    until = time.monotonic() + 10
    while is_there(pid) and time.monotonic() < until:
        os.sched_yield()
    return not is_there(pid)


def test_an_exit_code_and_what_was_said_come_back(tmp_path: Path) -> None:
    ended = shell(tmp_path, "echo said; echo complained >&2; exit 2")

    assert ended == Ended(code=2, said=b"said\n", complained=b"complained\n")


def test_arguments_are_words_and_no_shell_reads_them(tmp_path: Path) -> None:
    program = script(tmp_path / "x", 'echo "$1"')

    ended = process.run((str(program), "$(id); `id` > /tmp/x"), bounds())

    assert ended.said == b"$(id); `id` > /tmp/x\n"


def test_the_environment_is_clean_and_nothing_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")

    ended = shell(tmp_path, 'cat; echo "$SECRET:$PATH:$(pwd)"')

    assert ended.said == b":/usr/bin:/bin:/\n"


@pytest.mark.parametrize("code", [0, 1, 3, 127])
def test_every_code_comes_back(tmp_path: Path, code: int) -> None:
    assert shell(tmp_path, f"exit {code}").code == code


def test_a_program_that_kills_itself_comes_back_with_the_signal(tmp_path: Path) -> None:
    assert shell(tmp_path, "kill -SEGV $$").code == -signal.SIGSEGV


def test_a_program_that_does_not_end_is_ended(tmp_path: Path) -> None:
    ended = shell(tmp_path, "echo begun; exec sleep 300", SOON)

    assert (ended.code, ended.said, ended.why) == (None, b"begun\n", "no end within 1.5 s")


def test_a_program_may_tidy_up_when_it_is_told_to_end(tmp_path: Path) -> None:
    note = tmp_path / "tidied"

    shell(tmp_path, f"trap 'echo > {note}; exit' TERM; while :; do sleep 0.01; done", SOON)

    assert note.exists()


def test_a_program_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    ended = shell(tmp_path, "trap '' TERM; echo $$; while :; do sleep 0.05; done", SOON)

    assert ended.why == "no end within 1.5 s"
    assert goes_away(int(ended.said))


def test_its_children_end_with_it(tmp_path: Path) -> None:
    ended = shell(tmp_path, "sleep 300 & echo $!; exit 0")

    assert ended.code == 0
    assert goes_away(int(ended.said))


def test_a_child_that_holds_its_streams_holds_up_nobody(tmp_path: Path) -> None:
    began = time.monotonic()

    ended = shell(tmp_path, "(trap '' TERM; sleep 300) & exit 1")

    assert ended.code == 1
    assert time.monotonic() - began < LONG.total_seconds()


def test_who_talks_for_ever_is_killed(tmp_path: Path) -> None:
    ended = shell(tmp_path, "exec yes")

    assert (ended.code, ended.why) == (None, "does not stop writing")
    assert len(ended.said) == MOST_SAID


def test_who_talks_a_lot_is_heard_in_part(tmp_path: Path) -> None:
    ended = shell(tmp_path, "head -c 200000 /dev/zero | tr '\\0' x; exit 1")

    assert (ended.code, ended.said) == (1, b"x" * MOST_SAID)


def test_who_may_say_more_is_heard_further(tmp_path: Path) -> None:
    program = script(tmp_path / "x", "head -c 200000 /dev/zero | tr '\\0' x")

    ended = process.run((str(program),), replace(bounds(), most_said=100_000))

    assert (ended.code, len(ended.said)) == (0, 100_000)


def test_who_wants_too_much_memory_gets_none() -> None:
    code = "x = bytearray(1 << 29); print('got it')"

    ended = process.run((sys.executable, "-S", "-c", code), bounds())

    assert ended.code == 1
    assert b"MemoryError" in ended.complained


def test_address_space_that_is_only_set_aside_is_not_counted() -> None:
    code = "import mmap; mmap.mmap(-1, 1 << 33, prot=0); print('got it')"

    assert process.run((sys.executable, "-S", "-c", code), bounds()).said == b"got it\n"


def test_it_goes_before_the_agent_when_memory_ends(tmp_path: Path) -> None:
    # what bounds a program comes right after its start
    wait = "while [ $(cat /proc/$$/oom_score_adj) != 1000 ]; do sleep 0.01; done; echo so"

    assert shell(tmp_path, wait).said == b"so\n"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (("/nowhere/x",), "cannot be run: No such file or directory"),
        (("/",), "cannot be run: Permission denied"),
    ],
)
def test_what_cannot_be_run_says_why(command: tuple[str, ...], why: str) -> None:
    assert process.run(command, bounds()) == Ended(why=why)


def test_a_text_that_names_no_interpreter_cannot_be_run(tmp_path: Path) -> None:
    text = tmp_path / "x"
    text.write_text("hello\n")
    text.chmod(0o755)

    assert process.run((str(text),), bounds()).why == "cannot be run: Exec format error"


@pytest.fixture
def asleep(tmp_path: Path) -> Iterator[tuple[Ended, list[int]]]:
    """Give a program on which no signal has an effect, as on one that sleeps in the kernel."""
    sent: list[int] = []
    program = script(tmp_path / "x", "exec sleep 300")
    ended = process.run((str(program),), bounds(SOON), kill=lambda _, number: sent.append(number))
    yield ended, sent
    assert ended.left is not None
    os.killpg(ended.left.pid, signal.SIGKILL)
    ended.left.wait()


def test_what_sleeps_in_the_kernel_is_left_alone(asleep: tuple[Ended, list[int]]) -> None:
    ended, sent = asleep

    assert sent == [signal.SIGTERM, signal.SIGKILL]
    assert ended.why == "does not even die: it sleeps in the kernel"
    assert ended.left is not None
    assert not process.has_ended(ended.left)


def test_whoever_wants_to_know_is_told_what_runs(tmp_path: Path) -> None:
    seen: list[Program] = []

    process.run((str(script(tmp_path / "x", "exit 0")),), bounds(), begun=seen.append)

    assert [type(each) for each in seen] == [subprocess.Popen]
