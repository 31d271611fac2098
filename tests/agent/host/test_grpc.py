"""A question over gRPC has a whole answer or none."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import grpc
from agent.host.grpc import DATA, DeclinedError, frame
from tests.agent import runtimes
from tests.agent.runtimes import BROKEN, END, Fake, part

METHOD = "/runtime.v1.RuntimeService/Status"
STATUS = "RuntimeService/Status"


async def asked(folder: Path, fake: Fake) -> bytes:
    async with runtimes.runtime(folder / "x.sock", fake):
        return await asyncio.wait_for(grpc.ask(str(folder / "x.sock"), METHOD), 10)


@pytest.mark.parametrize("size", [0, 1, 16_379, 16_380, 200_000, 3_000_000])
async def test_an_answer_of_any_size_is_whole(tmp_path: Path, size: int) -> None:
    answer = bytes(range(256)) * (size // 256 + 1)

    assert await asked(tmp_path, Fake(answers={STATUS: answer[:size]})) == answer[:size]


async def test_padding_is_no_part_of_an_answer(tmp_path: Path) -> None:
    padded = b"\x03" + b"\0\0\0\0\x02ok" + bytes(3)
    raw = frame(DATA, padded, flags=8 | END, stream=1)

    assert await asked(tmp_path, Fake(raw={STATUS: raw})) == b"ok"


@pytest.mark.parametrize("said", BROKEN)
async def test_what_is_no_answer_is_none(tmp_path: Path, said: str) -> None:
    with pytest.raises(DeclinedError):
        await asked(tmp_path, Fake(raw={STATUS: BROKEN[said]}))


async def test_who_is_not_there_is_said_not_to_be(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await grpc.ask(str(tmp_path / "none"), METHOD)


@given(
    st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 2**64 - 1) | st.binary(max_size=300)))
)
def test_the_fields_of_a_message_are_read_as_they_were_written(
    said: list[tuple[int, int | bytes]],
) -> None:
    message = b"".join(part(at, value) for at, value in said)

    assert list(grpc.fields(message)) == said


def test_fields_of_a_fixed_size_are_passed_over() -> None:
    fixed = bytes([1 << 3 | 1]) + bytes(8) + bytes([2 << 3 | 5]) + bytes(4)

    assert list(grpc.fields(fixed + part(3, 7))) == [(3, 7)]


@given(st.binary(max_size=60))
def test_garbage_is_declined_or_read_and_nothing_else(garbage: bytes) -> None:
    try:
        fields = list(grpc.fields(garbage))
    except DeclinedError:
        return
    assert all(at >= 0 for at, _ in fields)
