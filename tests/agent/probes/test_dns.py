"""A name server that does not resolve is told of; nobody is asked who was not named."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from agent.host import resolving
from agent.host.linux import Host
from agent.probes.dns import DNS, FAILING
from tests.agent import descriptors
from tests.agent.trees import Tree
from tests.agent.watched import Watch

SOON: Final = timedelta(milliseconds=200)
LONG: Final = timedelta(seconds=10)
Answer = Callable[[bytes], bytes | None]


class Server(asyncio.DatagramProtocol):
    """A name server that makes of a question what a test says."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.heard = answer, list[bytes]()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # it is one
        self.way = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.heard.append(data)
        said = self.answer(data)
        if said is not None:
            self.way.sendto(said, addr)


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[tuple[int, Server]]:
    loop = asyncio.get_running_loop()
    way, server = await loop.create_datagram_endpoint(
        lambda: Server(answer), local_addr=("127.0.0.1", 0)
    )
    try:
        yield way.get_extra_info("sockname")[1], server
    finally:
        way.close()


def coded(code: int) -> Answer:
    return lambda question: question[:2] + struct.pack("!H", 0x8180 | code) + question[4:]


async def asked(answer: Answer, *, patience: timedelta = LONG) -> str:
    async with serving(answer) as (port, _):
        return await resolving.ask("127.0.0.1", "example.com", patience, port=port)


@pytest.mark.parametrize(
    ("code", "told"), [(0, ""), (2, "SERVFAIL"), (3, "NXDOMAIN"), (5, "REFUSED"), (9, "code 9")]
)
async def test_an_answer_is_good_or_says_why_not(code: int, told: str) -> None:
    assert await asked(coded(code)) == told


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: None,
        lambda _: b"x",
        lambda question: question,
        lambda question: coded(0)(bytes([question[0] ^ 1]) + question[1:]),
    ],
    ids=["nothing", "garbage", "its own question", "another question"],
)
async def test_what_is_no_answer_to_the_question_is_silence(answer: Answer) -> None:
    assert await asked(answer, patience=SOON) == resolving.SILENT


async def test_a_machine_on_which_nobody_listens_is_silent_at_once() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

    assert await resolving.ask("127.0.0.1", "example.com", LONG, port=port) == resolving.SILENT


async def test_a_server_that_could_not_be_asked_for_want_of_descriptors_is_unknown() -> None:
    with descriptors.none_left(), pytest.raises(OSError, match="Too many open files"):
        await resolving.ask("127.0.0.1", "example.com", LONG)


async def test_the_question_is_one_that_the_world_understands() -> None:
    async with serving(coded(0)) as (port, server):
        await resolving.ask("127.0.0.1", "example.com.", LONG, port=port)

    (question,) = server.heard
    assert question[2:] == bytes.fromhex(
        "0100 0001 0000 0000 0000 07 6578616d706c65 03 636f6d 00 0001 0001"
    )


def host(tree: Tree, *answers: str) -> Host:
    """Return a host whose name servers make of each question the next of some answers."""
    left = list(answers)

    async def resolve(server: str, name: str, patience: timedelta) -> str:
        assert (name, patience) == ("example.com", timedelta(seconds=2))
        return f"{server} {left.pop(0)}" if left[0] else left.pop(0)

    return Host(root=tree.root, resolve=resolve)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine with a name server."""
    machine = Tree(root=tmp_path)
    machine.write("etc/resolv.conf", "search a b\nnameserver 10.0.0.2\noptions ndots:5")
    return machine


async def test_one_good_answer_of_three_is_good(tree: Tree) -> None:
    watch = Watch(DNS(name="example.com"), host(tree, "silent", "silent", ""))

    assert await watch.look() == {(FAILING, "10.0.0.2"): 0}


async def test_a_name_server_that_fails_three_times_fails(tree: Tree) -> None:
    watch = Watch(DNS(name="example.com"), host(tree, "a", "b", "c", ""))

    assert await watch.look() == {(FAILING, "10.0.0.2"): 1}
    assert watch.levels[FAILING, "10.0.0.2"].fields == {"why": "10.0.0.2 c"}
    assert await watch.look() == {(FAILING, "10.0.0.2"): 0}


async def test_nobody_is_asked_without_a_name(tree: Tree) -> None:
    assert await Watch(DNS(), host(tree)).look() == {}


async def test_a_host_without_a_name_server_is_unknown(tmp_path: Path) -> None:
    watch = Watch(DNS(name="example.com"), host(Tree(root=tmp_path)))

    assert await watch.look() == {(FAILING, ""): "unknown"}


async def test_those_that_are_named_are_asked_in_place_of_the_hosts(tree: Tree) -> None:
    watch = Watch(DNS(name="example.com", servers=("10.0.0.9",)), host(tree, ""))

    assert await watch.look() == {(FAILING, "10.0.0.9"): 0}


@pytest.mark.parametrize("target", ["/run/resolve/resolv.conf", "../run/resolve/resolv.conf"])
def test_links_are_followed_as_the_host_does(tmp_path: Path, target: str) -> None:
    tree = Tree(root=tmp_path)
    tree.write(
        "run/resolve/resolv.conf",
        "nameserver 10.0.0.2\nnameserver x\nnameserver\nnameserver fe80::1%eth0\n"
        "nameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4",
    )
    (tree.root / "etc").mkdir()
    (tree.root / "etc/resolv.conf").symlink_to(target)

    assert resolving.servers(tree.root) == ("10.0.0.2", "fe80::1%eth0", "10.0.0.3")


@pytest.mark.parametrize(
    "settings",
    [
        {"name": "a..b"},
        {"name": "ä.example"},
        {"name": "x" * 64},
        {"tries": 0},
        {"tries": 10},
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_refused(settings: dict[str, str | int]) -> None:
    with pytest.raises(ValueError, match=r"expected|ascii"):
        DNS(**settings)  # type: ignore[arg-type]  # what a file may say
