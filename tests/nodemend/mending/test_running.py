"""The guard, the deadline and the last words of a program that mends."""

import asyncio
import contextlib
import functools
import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from nodehealth.outcome import Outcome, Result
from nodemend.mending import ending, running
from nodemend.mending.ending import FailedError, RefusedError
from nodemend.mending.running import Frame


def frame(
    tmp_path: Path, *, ordered: str = "boot-1", boot: str = "boot-1", **more: object
) -> Frame:
    settings = {"deadline": timedelta(seconds=30), "say": said(tmp_path).append, **more}
    return Frame(
        ordered_boot=ordered,
        boot_id=boot,
        message_file=tmp_path / "message",
        **settings,  # type: ignore[arg-type]  # whatever a test chooses
    )


SAID: dict[Path, list[str]] = {}


def said(tmp_path: Path) -> list[str]:
    return SAID.setdefault(tmp_path, [])


def left(tmp_path: Path) -> Outcome:
    return msgspec.json.decode((tmp_path / "message").read_bytes(), type=Outcome)


async def done() -> str:
    return "all is well"


def test_what_was_done_is_said_in_words_and_left_as_json(tmp_path: Path) -> None:
    words = running.mend(frame(tmp_path), done)

    assert words == Outcome(result=Result.DONE, message="all is well", boot_id="boot-1")
    assert left(tmp_path) == words
    assert said(tmp_path) == ["Done: all is well"]


def test_what_was_refused_or_failed_is_left_as_such(tmp_path: Path) -> None:
    async def refuse() -> str:
        raise RefusedError("somebody is there")

    async def fail() -> str:
        raise FailedError("it broke")

    async def stumble() -> str:
        raise PermissionError(13, "Permission denied", "/run/x")

    assert running.mend(frame(tmp_path), refuse).result is Result.REFUSED
    assert running.mend(frame(tmp_path), fail).result is Result.FAILED
    assert running.mend(frame(tmp_path), stumble).result is Result.FAILED
    assert "/run/x" in left(tmp_path).message


@pytest.mark.parametrize(
    ("boot", "why"),
    [
        ("boot-2", "this was ordered in boot boot-1; the machine is in boot boot-2"),
        ("", "nothing says which boot this is"),
    ],
)
def test_what_was_ordered_for_another_boot_is_not_begun(
    tmp_path: Path, boot: str, why: str
) -> None:
    begun = []

    async def work() -> str:
        begun.append(1)
        return ""

    words = running.mend(frame(tmp_path, boot=boot), work)

    assert (words.result, words.message, begun) == (Result.REFUSED, why, [])


def test_a_person_need_not_name_the_boot(tmp_path: Path) -> None:
    assert running.mend(frame(tmp_path, ordered=""), done).result is Result.DONE


def test_what_takes_too_long_is_ended_and_puts_back_what_it_changed(tmp_path: Path) -> None:
    restored = []

    async def work() -> str:
        try:
            await asyncio.sleep(3600)
        finally:
            restored.append(1)
        return ""

    words = running.mend(frame(tmp_path, deadline=timedelta(milliseconds=20)), work)

    assert (words.result, words.message) == (Result.FAILED, "it was not done within 20ms")
    assert restored == [1]


def test_work_that_the_deadline_ended_is_not_done_whatever_it_says(tmp_path: Path) -> None:
    async def work() -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        return "the machine goes down"

    words = running.mend(frame(tmp_path, deadline=timedelta(milliseconds=20)), work)

    assert (words.result, words.message) == (Result.FAILED, "it was not done within 20ms")


def test_who_is_killed_has_left_word_that_it_was(tmp_path: Path) -> None:
    seen = []

    async def work() -> str:
        seen.append(await asyncio.to_thread(left, tmp_path))
        return ""

    running.mend(frame(tmp_path), work)

    assert seen == [Outcome(result=Result.FAILED, message=running.KILLED, boot_id="boot-1")]


def test_a_mistake_of_our_own_is_no_success_whatever_was_left_before(tmp_path: Path) -> None:
    async def work() -> str:
        told = functools.partial(running.leave, frame(tmp_path), Result.DONE, "it is ordered")
        await asyncio.to_thread(told)
        raise LookupError("systemctl")

    with pytest.raises(LookupError):
        running.mend(frame(tmp_path), work)

    assert (left(tmp_path).result, left(tmp_path).message) == (
        Result.FAILED,
        "LookupError: systemctl",
    )


def test_a_rehearsal_leaves_no_last_words_but_says_them(tmp_path: Path) -> None:
    running.mend(frame(tmp_path, dry=True), done)

    assert not (tmp_path / "message").exists()
    assert json.loads(said(tmp_path)[-1])["result"] == "Done"


def test_a_long_story_is_cut_to_what_fits(tmp_path: Path) -> None:
    async def talk() -> str:
        return "é" * 5000

    words = running.mend(frame(tmp_path), talk)

    assert len(words.message) == ending.MOST
    assert left(tmp_path) == words
    assert (tmp_path / "message").stat().st_size < 4096
