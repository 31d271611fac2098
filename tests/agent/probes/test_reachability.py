"""A gateway that falls silent and peers that do not answer are told, and one lost packet is not."""

import asyncio
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from agent.host import neighbours, reaching, routes
from agent.host.linux import Host
from agent.host.reaching import Peer
from agent.probe import Past
from agent.probes.reachability import GATEWAY, LATENCY, LOSS, Reachability
from agent.readings import Reading
from nodehealth.catalogue import CATALOGUE
from nodehealth.health import Level
from nodehealth.kit.settings import SettingsError, read
from nodehealth.signals import Knowledge
from simulator.virtualtime import played
from tests.agent import descriptors
from tests.agent.trees import Tree
from tests.lacking import lacking

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HEAD = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT"
DEFAULT = "eth0 00000000 0100007F 0003 0 0 0 00000000 0 0 0"
ON_LINK = "ppp0 00000000 00000000 0001 0 0 0 00000000 0 0 0"
ARP = "IP address HW type Flags HW address Mask Device"
HERE = "127.0.0.1 0x1 {flags} 02:fc:00:00:00:05 * eth0"
SWIFT = Reachability(pause=timedelta(seconds=0.01))
ANSWERED: Past = {(GATEWAY, "127.0.0.1"): Level(name=GATEWAY, value=0.0, since=NOON)}


def machine(folder: Path, *, routes: str = DEFAULT, flags: str = "") -> Tree:
    """Make a machine, seen from a container, whose gateway the kernel asked for its address."""
    tree = Tree(root=folder)
    tree.write("proc/1/net/route", f"{HEAD}\n{routes}")
    tree.write("proc/1/net/arp", f"{ARP}\n{HERE.format(flags=flags)}" if flags else ARP)
    return tree


def spoken(readings: Sequence[Reading]) -> dict[str, float | str | None]:
    return {
        each.name: each.value if each.knowledge is Knowledge.KNOWN else str(each.knowledge)
        for each in readings
    }


@pytest.mark.parametrize(("flags", "unreachable"), [("0x2", 0), ("0x6", 0), ("0x0", 1)])
async def test_a_gateway_is_reachable_while_the_kernel_knows_its_hardware(
    tmp_path: Path, flags: str, unreachable: int
) -> None:
    readings = await SWIFT.check(machine(tmp_path, flags=flags).host, ANSWERED)

    assert spoken(readings) == {GATEWAY: unreachable}
    assert [each.subject for each in readings] == ["127.0.0.1"]


async def test_a_gateway_that_answers_late_is_reachable(tmp_path: Path) -> None:
    tree = machine(tmp_path, flags="0x0")
    probe = Reachability(pause=timedelta(seconds=0.1))
    looking = asyncio.ensure_future(probe.check(tree.host, ANSWERED))
    await asyncio.sleep(0.15)
    machine(tmp_path, flags="0x2")

    assert spoken(await looking) == {GATEWAY: 0}


async def test_a_gateway_that_never_answered_is_not_missed(tmp_path: Path) -> None:
    readings = await SWIFT.check(machine(tmp_path, flags="0x0").host, {})

    assert spoken(readings) == {GATEWAY: "notApplicable"}


async def test_a_gateway_of_which_the_kernel_keeps_no_account_is_not_missed(tmp_path: Path) -> None:
    readings = await SWIFT.check(machine(tmp_path).host, ANSWERED)

    assert spoken(readings) == {GATEWAY: "notApplicable"}


async def test_a_table_that_cannot_be_read_makes_a_gateway_unknown(tmp_path: Path) -> None:
    tree = machine(tmp_path)
    (tmp_path / "proc/1/net/arp").unlink()
    (tmp_path / "proc/1/net/arp").mkdir()

    assert spoken(await SWIFT.check(tree.host, ANSWERED)) == {GATEWAY: "unknown"}


@pytest.mark.parametrize("routes", ["", ON_LINK])
async def test_without_a_gateway_nothing_is_asked(tmp_path: Path, routes: str) -> None:
    assert await SWIFT.check(machine(tmp_path, routes=routes).host, {}) == []


async def test_a_machine_without_procfs_has_nothing_to_tell(tmp_path: Path) -> None:
    assert await SWIFT.check(Tree(root=tmp_path).host, {}) == []


class Network:
    """A network that loses the tries that a test names, and is as slow as it says."""

    def __init__(self, *lost: int, takes: float = 0.01) -> None:
        self.lost, self.takes = lost, takes
        self.tried: list[float] = []

    async def connect(self, _: Peer, patience: timedelta) -> float | None:
        """Answer, or not."""
        self.tried.append(asyncio.get_running_loop().time())
        if len(self.tried) - 1 in self.lost:
            await asyncio.sleep(patience.total_seconds())
            return None
        return self.takes

    async def asked(self) -> dict[str, float | str | None]:
        """Ask one peer over it."""
        probe = Reachability(gateway=False, peers=("10.0.0.1:443",))
        return spoken(await probe.check(Host(connect=self.connect), {}))


@played
async def test_a_peer_that_answers_loses_nothing() -> None:
    assert await Network(takes=0.3).asked() == {LOSS: 0, LATENCY: 0.3}


@played
async def test_a_peer_that_does_not_answer_has_no_latency() -> None:
    assert await Network(0, 1, 2, 3, 4).asked() == {LOSS: 1, LATENCY: "notApplicable"}


@played
async def test_one_lost_packet_makes_no_write() -> None:
    told = await Network(2).asked()

    grid = CATALOGUE[LOSS].grid
    assert told[LOSS] == pytest.approx(0.2)
    assert grid.snap(float(told[LOSS] or 0), 0.0) == 0


@played
async def test_tries_are_spread_over_a_few_seconds() -> None:
    network = Network()

    await network.asked()

    assert network.tried == [0, 1, 2, 3, 4]


async def test_a_real_peer_answers_and_one_that_refuses_does_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        there = Peer(address="127.0.0.1", port=listening.getsockname()[1])
        answered = await reaching.connect(there, timedelta(seconds=5))
    refused = await reaching.connect(there, timedelta(seconds=5))

    assert answered is not None
    assert refused is not None


async def test_a_peer_that_could_not_be_tried_for_want_of_descriptors_is_unknown() -> None:
    with descriptors.none_left(), pytest.raises(OSError, match="Too many open files"):
        await reaching.connect(Peer(address="127.0.0.1", port=1), timedelta(seconds=5))


def test_a_neighbour_that_could_not_be_touched_for_want_of_descriptors_is_unknown() -> None:
    with descriptors.none_left(), pytest.raises(OSError, match="Too many open files"):
        reaching.touch(IPv4Address("127.0.0.1"))


async def test_a_real_peer_that_takes_no_more_connections_does_not_answer() -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for each in (first, second):
            each.setblocking(False)  # noqa: FBT003 - the socket's own way to say it
            each.connect_ex(full.getsockname())
        there = Peer(address="127.0.0.1", port=full.getsockname()[1])

        assert await reaching.connect(there, timedelta(seconds=0.2)) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"peers": ["gateway:443"]}, "expected peers such as 10.0.0.1:443 or [fd00::1]:443"),
        ({"peers": ["10.0.0.1"]}, "got '10.0.0.1'"),
        ({"peers": ["fd00::1:443"]}, "got 'fd00::1:443'"),
        ({"peers": ["10.0.0.1:0"]}, "got '10.0.0.1:0'"),
        ({"tries": 0}, "expected tries of 1 or more, got 0"),
        ({"tries": 10}, "expected a deadline of 30s or more: 10 tries may take so long; got 20s"),
    ],
)
def test_what_cannot_be_tried_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(Reachability, settings, "probes.reachability")

    assert message in str(refused.value)


def test_peers_are_read_in_either_family() -> None:
    assert reaching.peer("[fd00::1]:443") == Peer(address="fd00::1", port=443)
    assert reaching.peer("10.0.0.1:443") == Peer(address="10.0.0.1", port=443)


SWEEPS = """
import asyncio, datetime, json, subprocess
from agent import state
from agent.host.linux import Host
from agent.probes.reachability import Reachability

now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
known = state.begin(None, boot_id="b", node_uid="u", probes=["net"], now=now)
probe, host = Reachability(pause=datetime.timedelta(seconds=0.1)), Host()

def sweep():
    global known
    answers = asyncio.run(probe.check(host, state.past(known, "net")))
    known = state.answered(known, "net", answers, now)
    return [[each.subject, each.value, each.knowledge] for each in known.levels["net"]]

def ip(*words):
    subprocess.run(["ip", *words], check=True)

def gateway(*words):
    ip("-n", "gateway", *words)

ip("link", "add", "inside", "type", "veth", "peer", "name", "outside")
ip("netns", "add", "gateway")
ip("link", "set", "outside", "netns", "gateway")
gateway("link", "set", "outside", "up")
ip("link", "set", "inside", "up")
"""

GONE_4 = """
gateway("addr", "add", "192.0.2.2/24", "dev", "outside")
ip("addr", "add", "192.0.2.1/24", "dev", "inside")
ip("route", "add", "default", "via", "192.0.2.2")
seen = [sweep()]
gateway("addr", "flush", "dev", "outside")
ip("neigh", "flush", "all")
seen.append(sweep())
gateway("addr", "add", "192.0.2.2/24", "dev", "outside")
ip("neigh", "flush", "all")
print(json.dumps([*seen, sweep()]))
"""

GONE_6 = """
gateway("addr", "add", "{address}/64", "dev", "outside", "nodad")
ip("addr", "add", "2001:db8::1/64", "dev", "inside", "nodad")
ip("addr", "add", "fe80::1/64", "dev", "inside", "nodad")
ip("-6", "route", "add", "default", "via", "{address}", "dev", "inside")
seen = [sweep()]
gateway("addr", "del", "{address}/64", "dev", "outside")
ip("-6", "neigh", "flush", "all")
seen.append(sweep())
gateway("addr", "add", "{address}/64", "dev", "outside", "nodad")
ip("-6", "neigh", "flush", "all")
print(json.dumps([*seen, sweep()]))
"""


@pytest.fixture
def namespace() -> list[str]:
    """Give the words that run a program in a network namespace of its own."""
    words = ["unshare", "-Urnm", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh"]
    has_ip = shutil.which("ip") is not None
    if not has_ip or subprocess.run([*words, "ip", "netns", "add", "x"], check=False).returncode:
        reason = "this machine has no `ip`, or allows no network in a namespace of one's own"
        lacking(reason)
    return words


def swept(namespace: list[str], acts: str) -> list[list[list[object]]]:
    """Play acts with a gateway of one's own, and return what a probe said after each."""
    ended = subprocess.run(
        [*namespace, sys.executable, "-c", SWEEPS + acts],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    told: list[list[list[object]]] = json.loads(ended.stdout)
    return told


def test_a_real_gateway_that_really_falls_silent_is_seen(namespace: list[str]) -> None:
    there, silent, back = swept(namespace, GONE_4)

    assert there == [["192.0.2.2", 0, "known"]]
    assert silent == [["192.0.2.2", 1, "known"]]
    assert back == [["192.0.2.2", 0, "known"]]


@pytest.mark.parametrize(
    ("address", "subject"), [("2001:db8::2", "2001:db8::2"), ("fe80::2", "fe80::2%inside")]
)
def test_a_real_gateway_of_ipv6_that_falls_silent_is_seen(
    namespace: list[str], address: str, subject: str
) -> None:
    there, silent, back = swept(namespace, GONE_6.format(address=address))

    assert there == [[subject, 0, "known"]]
    assert silent == [[subject, 1, "known"]]
    assert back == [[subject, 0, "known"]]


def test_of_a_neighbour_that_nobody_spoke_to_the_kernel_keeps_no_account(tmp_path: Path) -> None:
    assert neighbours.answers(tmp_path, IPv6Address("2001:db8::dead")) is None


def test_a_first_hop_of_ipv6_is_told_with_its_link_where_it_needs_it(tmp_path: Path) -> None:
    rows = {
        "fe80000000000000000000000000000a": "eth0",
        "20010db80000000000000000000000aa": "eth1",
    }
    nowhere = "0" * 32
    table = [
        f"{nowhere} 00 {nowhere} 00 {hop} 00000400 00000001 00000000 00000003 {interface}"
        for hop, interface in rows.items()
    ]
    on_link = f"{nowhere} 00 {nowhere} 00 {nowhere} 00000400 00000001 00000000 00000001 ppp0"
    (tmp_path / "ipv6_route").write_text("\n".join([*table, on_link]))

    found = routes.defaults(tmp_path)

    assert [str(each.gateway) for each in found or ()] == ["fe80::a%eth0", "2001:db8::aa", "None"]


async def test_a_gateway_of_either_family_is_asked(tmp_path: Path) -> None:
    tree = machine(tmp_path, flags="0x2")
    nowhere, here = "0" * 32, f"{1:032x}"
    tree.write(
        "proc/1/net/ipv6_route",
        f"{nowhere} 00 {nowhere} 00 {here} 00000400 00000001 00000000 00000003 lo",
    )

    readings = await SWIFT.check(tree.host, ANSWERED)

    assert [each.subject for each in readings] == ["127.0.0.1", "::1"]
