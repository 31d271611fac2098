"""What is known survives a restart, and a sick disk costs one warning."""

import asyncio
import logging
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent import keeping, state
from agent.host.guard import Guard
from agent.keeping import Keeper
from agent.readings import Counter, Memo, Occurrence
from agent.state import State
from agent.tally import Tally
from tests.agent.spawning import Spawner

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def known(count: int) -> State:
    begun = state.begin(None, boot_id="b", node_uid="u", probes=["gpus"], now=NOON)
    seen = [
        Occurrence(name="gpu.xid", at=NOON, source="kmsg", position=n, fields={"code": 79})
        for n in range(count)
    ]
    return state.answered(begun, "gpus", seen, NOON)


def looked(uptime: float) -> State:
    begun = state.begin(None, boot_id="b", node_uid="u", probes=["memory"], now=NOON)
    kills = Counter(name="memory.oom_kills", total=3, uptime=uptime)
    return state.answered(begun, "memory", [kills], NOON)


async def kept(path: Path, content: State) -> None:
    keeper = Keeper(path, patience=timedelta(seconds=0.5))
    keeper.offer(content)
    await keeper.save()


async def test_what_was_kept_is_read_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "agent.json"

    await kept(path, known(3))

    assert await Keeper(path).load() == known(3)
    assert [each.name for each in path.parent.iterdir()] == ["agent.json"]


async def test_the_first_time_there_is_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert await Keeper(tmp_path / "agent.json").load() is None
    assert caplog.messages == []


@pytest.mark.parametrize(
    "content", [b"", b'{"bootID": "b", "lev', b"[]", b'{"bootID": 3}', b"\xff\xfe"]
)
async def test_a_file_that_is_broken_is_begun_anew(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "agent.json"
    path.write_bytes(content)

    assert await Keeper(path).load() is None
    assert len(caplog.messages) == 1
    assert f"{path} cannot be read, beginning anew" in caplog.text


async def test_a_file_of_a_later_version_is_begun_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "agent.json"
    path.write_bytes(b'{"bootID": "b", "version": 2}')

    assert await Keeper(path).load() is None
    assert f"{path}: expected version 1, got 2" in caplog.text


async def test_only_the_newest_state_is_written_and_then_there_is_a_pause(tmp_path: Path) -> None:
    path = tmp_path / "agent.json"
    keeper = Keeper(path, pause=timedelta(hours=1))
    running = asyncio.create_task(keeper.run())
    keeper.offer(known(1))
    keeper.offer(known(2))
    await asyncio.sleep(0.1)
    assert await Keeper(path).load() == known(2)

    keeper.offer(known(3))
    await asyncio.sleep(0.05)

    assert await Keeper(path).load() == known(2)
    keeper.stop()
    await running
    assert await Keeper(path).load() == known(3)


async def test_what_a_restart_would_not_miss_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "agent.json"
    keeper = Keeper(path, pause=timedelta())
    running = asyncio.create_task(keeper.run())
    keeper.offer(looked(uptime=100))
    await asyncio.sleep(0.05)
    path.unlink()

    keeper.offer(looked(uptime=130))
    await asyncio.sleep(0.05)

    assert not path.exists()
    keeper.stop()
    await running
    assert await Keeper(path).load() == looked(uptime=130)


async def test_the_newest_state_is_kept_though_the_end_comes_in_the_middle_of_a_write(
    tmp_path: Path,
) -> None:
    path, released = tmp_path / "agent.json", threading.Event()

    def sleepy(path: Path, content: bytes) -> None:
        released.wait()
        keeping.replaced(path, content)

    keeper = Keeper(path, patience=timedelta(seconds=2), write=sleepy)
    running = asyncio.create_task(keeper.run())
    keeper.offer(known(1))
    await asyncio.sleep(0.05)
    keeper.offer(known(2))
    keeper.stop()
    await asyncio.sleep(0.05)

    released.set()
    await running

    assert await Keeper(path).load() == known(2)


async def test_the_newest_state_is_kept_though_the_write_before_was_given_up(
    tmp_path: Path,
) -> None:
    path, released = tmp_path / "agent.json", threading.Event()

    def sleepy(path: Path, content: bytes) -> None:
        released.wait()
        keeping.replaced(path, content)

    keeper = Keeper(path, patience=timedelta(seconds=1), write=sleepy)
    keeper.offer(known(1))
    await keeper.save()
    keeper.offer(known(2))
    keeper.stop()
    running = asyncio.create_task(keeper.run())
    await asyncio.sleep(0.05)

    released.set()
    await running

    assert await Keeper(path).load() == known(2)


async def test_a_disk_that_refuses_costs_one_warning_and_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    obstacle = tmp_path / "folder"
    obstacle.write_text("a file where a folder should be")
    tally = Tally()
    keeper = Keeper(obstacle / "agent.json", tally=tally)
    for count in range(3):
        keeper.offer(known(count))
        await keeper.save()
    assert (len(caplog.messages), tally.saves_failed) == (1, 3)
    assert "cannot be written" in caplog.messages[0]

    obstacle.unlink()
    keeper.offer(known(3))
    await keeper.save()

    assert caplog.messages[1].endswith("can be written again")
    assert (tally.saves, tally.saves_failed) == (1, 3)
    assert await Keeper(obstacle / "agent.json").load() == known(3)


async def test_a_full_disk_leaves_the_last_good_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "agent.json"
    await kept(path, known(1))
    draft = tmp_path / ".agent.json.new"
    draft.symlink_to("/dev/full")

    await kept(path, known(2))

    fact = "[Errno 28] No space left on device"
    consequence = "a restart would forget what happened since"
    assert caplog.messages == [f"{path} cannot be written: {fact}; {consequence}"]
    assert await Keeper(path).load() == known(1)
    assert not draft.is_symlink()


async def test_a_disk_that_hangs_holds_nobody_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "agent.json"
    os.mkfifo(tmp_path / ".agent.json.new")

    await kept(path, known(1))

    assert "write does not return" in caplog.text
    reader = os.open(tmp_path / ".agent.json.new", os.O_RDONLY | os.O_NONBLOCK)
    await asyncio.sleep(0.05)
    os.close(reader)


async def test_a_state_for_which_there_is_no_thread_is_written_later(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "agent.json", guard=Guard(Spawner(refused=1)))
    keeper.offer(known(3))
    await keeper.save()
    before = await Keeper(tmp_path / "agent.json").load()

    await keeper.save()

    assert (before, await Keeper(tmp_path / "agent.json").load()) == (None, known(3))


async def test_a_name_that_is_no_text_costs_a_warning_and_not_the_agent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    remembered = [Memo(subject="seen", fields={"name": "\udcff"})]
    keeper = Keeper(tmp_path / "agent.json")
    keeper.offer(state.answered(known(1), "gpus", remembered, NOON))

    await keeper.save()

    assert "cannot be written" in caplog.text


async def test_the_file_tells_by_when_the_agent_was_alive_though_nothing_is_new(
    tmp_path: Path,
) -> None:
    path = tmp_path / "agent.json"
    keeper = Keeper(path, pause=timedelta(), alive=timedelta(seconds=0.05))
    running = asyncio.create_task(keeper.run())
    keeper.offer(known(1))
    async with asyncio.timeout(10):
        while not path.exists():  # noqa: ASYNC110 - what a thread writes has no event
            await asyncio.sleep(0.01)
        await asyncio.to_thread(os.utime, path, (1, 1))
        while path.stat().st_mtime == 1:  # noqa: ASYNC110 - nor has what it writes anew
            await asyncio.sleep(0.01)
    later = Keeper(path)
    await later.load()

    keeper.stop()
    await running
    assert later.kept_at is not None
    assert later.kept_at > datetime.fromtimestamp(1, UTC)


async def test_the_last_word_is_kept_whatever_else_is_in_hand(tmp_path: Path) -> None:
    path = tmp_path / "agent.json"
    keeper = Keeper(path)
    running = asyncio.create_task(keeper.run())
    keeper.offer(known(1))
    last = state.ended(known(2), NOON)

    keeper.stop(last)
    await running

    assert await Keeper(path).load() == last
