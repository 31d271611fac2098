"""Each check runs in its own time, a few at once, and none twice at once."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from agent.host.checks import process, rounds
from agent.host.checks.facts import Check, Manner, Result, Status, unknown
from agent.host.checks.process import Bounds, Ended, Program
from agent.host.checks.rounds import Manners, Rounds
from tests.agent.host.checks.programs import check, script
from tests.agent.spawning import Spawner

HOUR = timedelta(hours=1)
ALWAYS = timedelta()
SHORT = timedelta(seconds=0.05)
LONG = timedelta(seconds=30)
OK = Result(status=Status.OK)
BAD = Result(status=Status.CRITICAL, message="bad")


@dataclass(slots=True)
class Programs:
    """Programs that end when a test wants them to."""

    held: dict[str, threading.Event] = field(default_factory=dict)
    code: int = 0
    runs: list[str] = field(default_factory=list)
    now: set[str] = field(default_factory=set)
    most: int = 0
    left: dict[str, Program] = field(default_factory=dict)

    def run(self, command: tuple[str, ...], _: Bounds, begun: Callable[[Program], None]) -> Ended:
        name = command[0]
        self.runs.append(name)
        self.now.add(name)
        self.most = max(self.most, len(self.now))
        if name in self.held:
            assert self.held[name].wait(30)
        self.now.discard(name)
        if name in self.left:
            return Ended(why="does not even die", left=self.left[name])
        return Ended(code=self.code, said=b"bad")

    def hold(self, *names: str) -> None:
        for name in names:
            self.held[name] = threading.Event()

    def release(self) -> None:
        for each in self.held.values():
            each.set()


@pytest.fixture
def programs() -> Programs:
    return Programs()


@asynccontextmanager
async def holding(programs: Programs, *names: str) -> AsyncIterator[None]:
    """Hold some programs up, and wait in the end until their threads are gone."""
    programs.hold(*names)
    try:
        yield
    finally:
        programs.release()
        for thread in threading.enumerate():
            if thread.name.startswith("check "):
                await asyncio.to_thread(thread.join, 30)


def manners(patience: timedelta = LONG, parallel: int = 3) -> Manners:
    return Manners(parallel=parallel, memory=2**28, environment={}, patience=patience)


def every(span: timedelta, *names: str) -> list[Check]:
    return [check(name, name, every=span) for name in names]


async def test_every_check_runs_and_is_heard(programs: Programs) -> None:
    said = await Rounds(programs.run).look(every(HOUR, *"abcde"), manners())

    assert said == dict.fromkeys("abcde", OK)


async def test_a_check_is_not_run_again_before_its_time(programs: Programs) -> None:
    them = Rounds(programs.run)

    for _ in range(3):
        said = await them.look(every(HOUR, "a"), manners())

    assert (programs.runs, said) == (["a"], {"a": OK})


async def test_a_check_is_run_again_when_its_time_has_come(programs: Programs) -> None:
    them = Rounds(programs.run)
    await them.look(every(ALWAYS, "a"), manners())
    programs.code = 2

    assert await them.look(every(ALWAYS, "a"), manners()) == {"a": BAD}


async def test_a_check_for_which_there_was_no_thread_is_run_the_next_time(
    programs: Programs,
) -> None:
    them = Rounds(programs.run, Spawner(refused=1))
    with pytest.raises(RuntimeError, match="can't start new thread"):
        await them.look(every(HOUR, "a"), manners())

    assert await them.look(every(HOUR, "a"), manners()) == {"a": OK}


async def test_no_more_than_a_few_run_at_once(programs: Programs) -> None:
    async with holding(programs, *"abcdefgh"):
        them = Rounds(programs.run)
        for _ in range(3):
            await them.look(every(HOUR, *"abcdefgh"), manners(SHORT))
        running = len(programs.now)

    assert (running, programs.most) == (3, 3)


async def test_a_check_that_takes_long_delays_no_other(programs: Programs) -> None:
    async with holding(programs, "a"):
        said = await Rounds(programs.run).look(every(HOUR, *"abc"), manners(timedelta(seconds=2)))

    assert said == {"a": unknown("has not ended yet"), "b": OK, "c": OK}


async def test_a_check_that_still_runs_is_not_run_twice(programs: Programs) -> None:
    them = Rounds(programs.run)
    async with holding(programs, "a"):
        for _ in range(3):
            await them.look(every(ALWAYS, "a"), manners(SHORT))

    assert programs.runs == ["a"]


async def test_what_a_check_said_stands_while_it_runs_again(programs: Programs) -> None:
    programs.code = 2
    them = Rounds(programs.run)
    await them.look(every(ALWAYS, "a"), manners())

    async with holding(programs, "a"):
        assert await them.look(every(ALWAYS, "a"), manners(SHORT)) == {"a": BAD}


async def test_what_outlasted_a_look_is_heard_in_the_next(programs: Programs) -> None:
    them = Rounds(programs.run)
    async with holding(programs, "a"):
        await them.look(every(HOUR, "a"), manners(SHORT))

    assert await them.look(every(HOUR, "a"), manners()) == {"a": OK}
    assert programs.runs == ["a"]


async def test_the_longest_waiting_runs_first(programs: Programs) -> None:
    them = Rounds(programs.run)
    await them.look(every(ALWAYS, "b"), manners())
    await them.look(every(ALWAYS, "a", "b", "c"), manners(parallel=1))

    assert programs.runs == ["b", "a", "c", "b"]


async def test_who_waits_for_a_lane_says_so(programs: Programs) -> None:
    async with holding(programs, "a"):
        said = await Rounds(programs.run).look(every(HOUR, "a", "b"), manners(SHORT, parallel=1))

    assert said["b"] == unknown("waits for its turn")


async def test_what_is_refused_is_never_run(programs: Programs) -> None:
    said = await Rounds(programs.run).look([check("a", "a", refused="not ours")], manners())

    assert (said, programs.runs) == ({"a": unknown("not ours")}, [])


async def test_another_program_of_the_same_name_is_another_check(programs: Programs) -> None:
    them = Rounds(programs.run)
    await them.look([check("a", "old", every=HOUR)], manners())

    await them.look([check("a", "new", every=HOUR)], manners())

    assert programs.runs == ["old", "new"]


async def test_a_check_that_comes_back_begins_anew(programs: Programs) -> None:
    them = Rounds(programs.run)
    for names in ("a", "", "a"):
        await them.look(every(HOUR, *names), manners())

    assert programs.runs == ["a", "a"]


async def test_how_an_exit_code_is_meant_is_the_checks_own(programs: Programs) -> None:
    programs.code = 1
    them = [check("a", "a", manner=Manner.PERMANENT), check("b", "b", manner=Manner.TEMPORARY)]

    said = await Rounds(programs.run).look(them, manners())

    assert {name: str(each.status) for name, each in said.items()} == {
        "a": "critical",
        "b": "warning",
    }


@pytest.fixture
def sleeper() -> Program:
    """Give a program that sleeps until it is killed."""
    return subprocess.Popen(["sleep", "300"], start_new_session=True)


async def test_what_sleeps_in_the_kernel_is_not_run_again_until_it_is_gone(
    programs: Programs, sleeper: Program
) -> None:
    programs.left["a"] = sleeper
    them = Rounds(programs.run)
    for _ in range(3):
        said = await them.look(every(ALWAYS, "a"), manners())
    assert said["a"].why == "an earlier run does not even die: it sleeps in the kernel"
    assert programs.runs == ["a"]

    programs.left.clear()
    os.killpg(sleeper.pid, signal.SIGKILL)
    await asyncio.to_thread(os.waitid, os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)

    assert await them.look(every(ALWAYS, "a"), manners()) == {"a": OK}


async def test_a_mistake_of_ours_is_not_swallowed() -> None:
    def broken(*_: object) -> Ended:
        raise LookupError("ours")

    with pytest.raises(LookupError, match="ours"):
        await Rounds(broken).look(every(HOUR, "a"), manners())


def turn(**told: object) -> Callable[[float], Result]:
    """Return what is said of a check of a minute and ten seconds, at some time."""
    one = check("a", "a", timeout=timedelta(seconds=10))
    made = rounds._Turn(check=one, began=0.0, **told)  # type: ignore[arg-type]  # a row of a table
    return lambda now: rounds._said(made, now)


def test_an_answer_grows_old() -> None:
    said = turn(ended=0.0, result=OK)

    assert said(162) == OK
    assert said(163) == unknown("waits for its turn")


def test_a_program_that_never_starts_is_said_not_to() -> None:
    said = turn(running=True, result=OK)

    assert said(42) == OK
    assert said(43) == unknown("does not even start: the disk that it lies on does not answer")


async def test_a_real_program_is_run_with_what_it_may_know(tmp_path: Path) -> None:
    program = script(tmp_path / "x", 'echo "$HOST_ROOT|"; exit 1')
    known: Mapping[str, str] = {"HOST_ROOT": "/host"}
    told = Manners(parallel=1, memory=2**28, environment=known, patience=LONG)

    said = await Rounds().look([check("x", str(program))], told)

    assert said == {"x": Result(status=Status.WARNING, message="/host")}


def test_no_program_outlives_the_agent(tmp_path: Path) -> None:
    """Started as an agent is, whose end does not wait for the threads of its checks."""
    note = tmp_path / "pid"
    program = script(tmp_path / "x", f"echo $$ > {note}.new; mv {note}.new {note}; sleep 300")
    story = f"""
import asyncio, datetime, pathlib, time
from agent.host.checks.facts import Check
from agent.host.checks.rounds import Manners, Rounds
span = datetime.timedelta(minutes=1)
check = Check(name="x", command=({str(program)!r},), every=span, timeout=span)
short = datetime.timedelta(seconds=0.05)
told = Manners(parallel=1, memory=2**28, environment={{}}, patience=short)
rounds = Rounds()
async def look():
    while not pathlib.Path({str(note)!r}).exists():
        await rounds.look([check], told)
        await asyncio.sleep(0.01)
asyncio.run(look())
"""
    root = Path(__file__).parents[4]
    subprocess.run([sys.executable, "-c", story], cwd=root, check=True, timeout=60)

    pid = int(note.read_text())
    with contextlib.suppress(FileNotFoundError):
        assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}


def test_what_has_ended_has() -> None:
    with subprocess.Popen(["true"]) as program:
        program.wait()

        assert process.has_ended(program)
