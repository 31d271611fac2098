"""A token is read as often as it must be, and its file may be missing for a while."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from nodehealth.kube import errors
from nodehealth.kube.credentials import Fixed, TokenFile
from simulator import virtualtime


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("first\n")
    return path


@virtualtime.played
async def bearer(token: TokenFile) -> str:
    return (await token.headers())["authorization"]


def test_line_breaks_around_a_token_are_not_part_of_it(file: Path) -> None:
    assert bearer(TokenFile(file)) == "Bearer first"


def test_a_token_is_read_again_after_its_time(file: Path) -> None:
    @virtualtime.played
    async def used() -> list[str]:
        token, seen = TokenFile(file, kept=timedelta(minutes=1)), []
        for _ in range(3):
            seen.append((await token.headers())["authorization"])
            file.write_text("second")  # noqa: ASYNC240 - a moment
            await asyncio.sleep(40)
        return seen

    assert used() == ["Bearer first", "Bearer first", "Bearer second"]


def test_a_token_that_is_refused_is_read_again_at_once(file: Path) -> None:
    @virtualtime.played
    async def used() -> str:
        token = TokenFile(file)
        await token.headers()
        file.write_text("second")  # noqa: ASYNC240 - a moment
        return (await token.headers(refused=True))["authorization"]

    assert used() == "Bearer second"


def test_while_there_is_no_thread_to_read_it_in_the_last_token_serves(file: Path) -> None:
    threads = [True, False, True]

    async def in_thread(work: Callable[[], str]) -> str:
        if not threads.pop(0):
            raise RuntimeError("can't start new thread")
        return await asyncio.to_thread(work)

    @virtualtime.played
    async def used() -> list[str]:
        token, seen = TokenFile(file, in_thread=in_thread), []
        for _ in range(3):
            seen.append((await token.headers(refused=True))["authorization"])
            file.write_text("second")  # noqa: ASYNC240 - a moment
        return seen

    assert used() == ["Bearer first", "Bearer first", "Bearer second"]


@pytest.mark.parametrize("text", [None, "", "\n"])
def test_while_the_file_is_missing_or_empty_the_last_token_serves(
    file: Path, text: str | None
) -> None:
    @virtualtime.played
    async def used() -> str:
        token = TokenFile(file)
        await token.headers()
        file.unlink() if text is None else file.write_text(text)  # noqa: ASYNC240 - a moment
        return (await token.headers(refused=True))["authorization"]

    assert used() == "Bearer first"


def test_no_token_at_all_is_a_precise_complaint(tmp_path: Path) -> None:
    with pytest.raises(errors.SettingsError, match="nothing-here: expected a token, found none"):
        bearer(TokenFile(tmp_path / "nothing-here"))


async def test_without_credentials_nothing_is_said() -> None:
    assert await Fixed().headers() == {}
