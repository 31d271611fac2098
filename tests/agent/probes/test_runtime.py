"""A kubelet or a runtime that does not answer is down, and nobody is asked unless told to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.host.linux import Host
from agent.probe import Past
from agent.probes.runtime import CONTAINERD, KUBELET, Runtime
from nodehealth.health import Level
from nodehealth.kit.settings import SettingsError, read
from nodehealth.signals import Knowledge
from tests.agent import descriptors
from tests.agent.runtimes import speaks_http2

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
UP: Past = {(name, ""): Level(name=name, value=0.0, since=NOON) for name in (KUBELET, CONTAINERD)}
SOON = timedelta(seconds=0.2)

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Told = list[tuple[float | str | None, object]]


def saying(answer: bytes) -> Serve:
    """Answer a request so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    return serve


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the connection and stand still."""
    await reader.read()
    writer.close()


async def hangs_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


@asynccontextmanager
async def kubelet(serve: Serve) -> AsyncIterator[str]:
    """Serve where a kubelet might."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/healthz"


async def asked(probe: Runtime, host: Host, past: Past = UP) -> Told:
    readings = await probe.check(host, past)
    return [
        (
            each.value if each.knowledge is Knowledge.KNOWN else str(each.knowledge),
            dict(each.fields),
        )
        for each in readings
    ]


async def of_kubelet(serve: Serve, past: Past = UP) -> Told:
    async with kubelet(serve) as url:
        return await asked(Runtime(kubelet=True, kubelet_url=url, patience=SOON), Host(), past)


async def of_containerd(serve: Serve, root: Path) -> Told:
    """Ask a runtime of a host that is mounted elsewhere."""
    (root / "run").mkdir()
    server = await asyncio.start_unix_server(serve, root / "run/x.sock")
    async with server:
        probe = Runtime(containerd=True, containerd_socket="/run/x.sock", patience=SOON)
        return await asked(probe, Host(root=root))


async def test_nobody_is_asked_by_default() -> None:
    assert await asked(Runtime(), Host()) == []


async def test_a_kubelet_that_says_ok_is_up() -> None:
    assert await of_kubelet(saying(b"HTTP/1.1 200 OK\r\n\r\nok")) == [(0, {"why": ""})]


@pytest.mark.parametrize(
    ("serve", "why"),
    [
        (saying(b"HTTP/1.1 500 Internal Server Error\r\n\r\n"), "status 500"),
        (saying(b"SSH-2.0\r\n"), "broken"),
        (hangs_up, "broken"),
        (silent, "timeout"),
    ],
)
async def test_a_kubelet_that_says_anything_else_is_down(serve: Serve, why: str) -> None:
    assert await of_kubelet(serve) == [(1, {"why": why})]


async def test_a_kubelet_that_is_not_there_is_down() -> None:
    async with kubelet(silent) as url:
        gone = Runtime(kubelet=True, kubelet_url=url)

    assert await asked(gone, Host()) == [(1, {"why": "refused"})]


async def test_a_kubelet_that_could_not_be_asked_for_want_of_descriptors_is_unknown() -> None:
    with descriptors.none_left(), pytest.raises(OSError, match="Too many open files"):
        await asked(Runtime(kubelet=True), Host())


async def test_a_runtime_that_could_not_be_asked_for_want_of_descriptors_is_unknown() -> None:
    with descriptors.none_left(), pytest.raises(OSError, match="Too many open files"):
        await asked(Runtime(containerd=True), Host())


async def test_a_kubelet_that_never_was_up_is_not_missed() -> None:
    assert await of_kubelet(silent, past={}) == [("notApplicable", {})]


async def test_a_runtime_that_answers_a_ping_is_up(tmp_path: Path) -> None:
    assert await of_containerd(speaks_http2, tmp_path) == [(0, {"why": ""})]


@pytest.mark.parametrize(("serve", "why"), [(silent, "timeout"), (hangs_up, "broken")])
async def test_a_runtime_that_only_takes_the_connection_is_down(
    tmp_path: Path, serve: Serve, why: str
) -> None:
    assert await of_containerd(serve, tmp_path) == [(1, {"why": why})]


async def test_a_runtime_that_talks_of_other_things_for_ever_is_down(tmp_path: Path) -> None:
    async def talks(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]) * 100)
        writer.close()

    assert await of_containerd(talks, tmp_path) == [(1, {"why": "broken"})]


async def test_a_runtime_without_a_socket_is_down(tmp_path: Path) -> None:
    assert await asked(Runtime(containerd=True), Host(root=tmp_path)) == [(1, {"why": "no socket"})]


async def test_both_are_asked_at_the_same_time(tmp_path: Path) -> None:
    async with kubelet(saying(b"HTTP/1.1 200 OK\r\n\r\n")) as url:
        probe = Runtime(kubelet=True, kubelet_url=url, containerd=True)
        readings = await probe.check(Host(root=tmp_path), UP)

    assert {each.name: each.value for each in readings} == {KUBELET: 0, CONTAINERD: 1}


@pytest.mark.parametrize("url", ["https://127.0.0.1:10250/healthz", "10248", "http://"])
def test_a_url_that_cannot_be_asked_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="expected a kubelet-url over http, got"):
        read(Runtime, {"kubelet-url": url}, "probes.runtime")
