"""A link that was there and is not is seen, on a real interface too; one that never was is not."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent import state
from agent.probe import Past
from agent.probes.network import (
    CARRIER_DOWN,
    DROPS,
    ERRORS,
    FLAPS,
    MISSING,
    NO_ROUTE,
    Network,
)
from agent.readings import Answer, Counter, Reading
from nodehealth.health import Level
from nodehealth.signals import Knowledge
from tests.agent.trees import Tree
from tests.lacking import lacking

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
LOCAL = "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0"
DEFAULT = "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0"
HALF = "tun0\t00000000\t010200C0\t0003\t0\t0\t0\t00000080\t0\t0\t0"
REFUSED = "*\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0"
ZERO = "0" * 32
DEFAULT_6 = f"{ZERO} 00 {ZERO} 00 fd{'0' * 30} 00000400 00000002 00000000 00000003     eth0"
REFUSED_6 = f"{ZERO} 00 {ZERO} 00 {ZERO} ffffffff 00000001 00000000 00200200       lo"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A machine with one interface and a default route, seen from a container."""
    machine = Tree(root=tmp_path)
    machine.interface("eth0")
    machine.up(100)
    route(machine, LOCAL, DEFAULT)
    return machine


def route(tree: Tree, *rows: str) -> None:
    tree.write("proc/1/net/route", "\n".join([HEAD, *rows]))


def past(name: str, subject: str, value: float | None) -> Past:
    return {(name, subject): Level(name=name, subject=subject, value=value, since=NOON)}


def spoken(answers: Sequence[Answer]) -> dict[tuple[str, str], float | str | None]:
    return {
        (each.name, each.subject): each.value
        if each.knowledge is Knowledge.KNOWN
        else str(each.knowledge)
        for each in answers
        if isinstance(each, Reading)
    }


async def carrier(tree: Tree, *, was: float | None = 0.0) -> float | str | None:
    answers = await Network().check(tree.host, past(CARRIER_DOWN, "eth0", was))
    return spoken(answers)[CARRIER_DOWN, "eth0"]


async def no_route(tree: Tree, *, was: float | None = 0.0) -> float | str | None:
    return spoken(await Network().check(tree.host, past(NO_ROUTE, "", was)))[NO_ROUTE, ""]


async def test_a_healthy_machine_has_a_link_and_a_way_out(tree: Tree) -> None:
    answers = await Network().check(tree.host, {})

    assert spoken(answers) == {
        (CARRIER_DOWN, "eth0"): 0,
        (MISSING, "eth0"): 0,
        (NO_ROUTE, ""): 0,
    }


async def test_a_link_that_was_there_is_missed(tree: Tree) -> None:
    tree.interface("eth0", carrier=0)

    assert await carrier(tree) == 1


@pytest.mark.parametrize("before", [None, {}])
async def test_a_port_that_never_had_a_link_is_not_down(tree: Tree, before: object) -> None:
    tree.interface("eth0", carrier=0)
    known = past(CARRIER_DOWN, "eth0", None) if before is None else {}

    answers = await Network().check(tree.host, known)

    assert spoken(answers)[CARRIER_DOWN, "eth0"] == "notApplicable"


async def test_what_an_administrator_took_down_is_not_down(tree: Tree) -> None:
    tree.interface("eth0", flags=0x1002, carrier=0)

    assert await carrier(tree) == "notApplicable"


async def test_a_driver_that_does_not_tell_of_its_link_is_not_down(tree: Tree) -> None:
    (tree.root / "sys/class/net/eth0/carrier").unlink()

    assert await carrier(tree) == "notApplicable"


async def test_errors_and_drops_count_both_ways(tree: Tree) -> None:
    for counter, total in {
        "rx_errors": 1,
        "tx_errors": 2,
        "rx_dropped": 30,
        "tx_dropped": 4,
    }.items():
        tree.write(f"sys/class/net/eth0/statistics/{counter}", total)

    answers = await Network().check(tree.host, {})

    counters = {each.name: each.total for each in answers if isinstance(each, Counter)}
    assert counters == {FLAPS: 2, ERRORS: 3, DROPS: 34}
    assert {each.uptime for each in answers if isinstance(each, Counter)} == {100}


async def test_only_interfaces_with_hardware_of_their_own_are_watched(tree: Tree) -> None:
    for name in ("cali1", "lo"):
        tree.interface(name)
        (tree.root / f"sys/class/net/{name}/device").rmdir()
    tree.interface("eth0v1")
    tree.write("sys/class/net/eth0v1/device/physfn/vendor", "0x15b3")

    answers = await Network().check(tree.host, {})

    assert {each.subject for each in answers} == {"eth0", ""}


def named(*names: str) -> Network:
    return Network(interfaces=names)


async def missing(tree: Tree, *, was: str = "eth0", device: str = "0000:3b:00.0") -> object:
    known = Level(name=MISSING, subject=was, value=0.0, since=NOON, fields={"device": device})
    answers = await Network().check(tree.host, {(MISSING, was): known})
    return spoken(answers)[MISSING, was]


async def test_an_interface_that_leads_out_is_missed_from_then_on(tmp_path: Path) -> None:
    tree = Tree(root=tmp_path)
    tree.up(100)
    for name, device in {"eth0": "0000:3b:00.0", "eth1": "0000:3b:00.1"}.items():
        tree.interface(name, device=device)
    route(tree, LOCAL, DEFAULT)

    answers = await Network().check(tree.host, {})

    there = [each for each in answers if each.name == MISSING]
    assert [(each.subject, each.fields) for each in there] == [("eth0", {"device": "0000:3b:00.0"})]


async def test_the_ports_of_a_bond_that_leads_out_are_missed_too(tmp_path: Path) -> None:
    tree = Tree(root=tmp_path)
    tree.up(100)
    tree.interface("eth0", device="0000:3b:00.0")
    tree.interface("eth1", device="0000:3b:00.1")
    tree.write("sys/class/net/bond0/lower_eth0/x", "")
    tree.write("sys/class/net/vlan7/lower_bond0/x", "")
    tree.write("proc/1/net/ipv6_route", DEFAULT_6.replace("eth0", "vlan7"))

    answers = await Network().check(tree.host, {})

    assert {each.subject for each in answers if each.name == MISSING} == {"eth0"}


async def test_one_that_is_named_is_missed_though_it_leads_nowhere(tree: Tree) -> None:
    tree.interface("ib0", device="0000:3b:00.0")

    answers = await named("ib0").check(tree.host, {})

    assert spoken(answers)[MISSING, "ib0"] == 0


async def test_an_interface_that_fell_off_its_bus_is_missing(tree: Tree) -> None:
    tree.take("eth0")

    assert await missing(tree) == 1


async def test_one_whose_driver_gave_it_up_is_missing(tree: Tree) -> None:
    tree.interface("eth0", device="0000:3b:00.0")
    tree.take("eth0")
    (tree.root / "sys/bus/pci/devices/0000:3b:00.0/driver").rmdir()

    assert await missing(tree) == 1


async def test_one_that_a_pod_took_is_not_missing(tree: Tree) -> None:
    tree.interface("eth0", device="0000:3b:00.0")
    tree.take("eth0")

    assert await missing(tree) == "notApplicable"


async def port_missing(tree: Tree, *, master: str) -> object:
    """Plug in a port of a master that leads out, look, take the port off its bus, look again."""
    tree.interface("enP1s1", device="0001:00:02.0")
    tree.link("sys/class/net/enP1s1/master", f"sys/class/net/{master}")
    tree.write(f"sys/class/net/{master}/lower_enP1s1/x", "")
    route(tree, DEFAULT.replace("eth0", master))
    began = state.begin(None, boot_id="b", node_uid="u", probes=["net"], now=NOON)
    known = state.answered(began, "net", await Network().check(tree.host, {}), NOON)
    assert state.past(known, "net")[MISSING, "enP1s1"].value == 0
    shutil.rmtree(tree.root / f"sys/class/net/{master}/lower_enP1s1")
    (tree.root / "sys/bus/pci/devices/0001:00:02.0/driver").rmdir()
    tree.take("enP1s1")
    for _ in range(2):
        answers = await Network().check(tree.host, state.past(known, "net"))
        known = state.answered(known, "net", answers, NOON)
    return spoken(answers)[MISSING, "enP1s1"]


@pytest.mark.parametrize(("carrier", "told"), [(1, "notApplicable"), (0, 1)])
async def test_a_virtual_function_is_missing_only_if_the_interface_above_it_is_cut(
    tree: Tree, carrier: int, told: object
) -> None:
    tree.interface("eth0", carrier=carrier)

    assert await port_missing(tree, master="eth0") == told


@pytest.mark.parametrize(("kind", "told"), [("bonding", "notApplicable"), ("bridge", 1)])
async def test_a_bond_outlives_its_port_and_a_bridge_only_seems_to(
    tree: Tree, kind: str, told: object
) -> None:
    tree.write("sys/class/net/up0/carrier", 1)
    tree.write(f"sys/class/net/up0/{kind}/x", "")

    assert await port_missing(tree, master="up0") == told


async def test_one_that_has_a_new_name_is_not_missing(tree: Tree) -> None:
    tree.interface("ens1", device="0000:3b:00.0")
    tree.take("eth0")

    assert await missing(tree) == 0


async def test_one_that_is_back_is_not_missing_any_more(tree: Tree) -> None:
    tree.interface("eth1", device="0000:3b:00.1")
    known = Level(
        name=MISSING, subject="eth1", value=1.0, since=NOON, fields={"device": "0000:3b:00.1"}
    )

    answers = await Network().check(tree.host, {(MISSING, "eth1"): known})

    assert spoken(answers)[MISSING, "eth1"] == 0


async def test_one_that_is_named_is_watched_and_one_that_is_not_there_is_unknown(
    tree: Tree,
) -> None:
    tree.interface("bond0")
    (tree.root / "sys/class/net/bond0/device").rmdir()

    answers = await Network(interfaces=("bond0", "bond1")).check(tree.host, {})

    assert spoken(answers) == {
        (CARRIER_DOWN, "bond0"): 0,
        (CARRIER_DOWN, "bond1"): "unknown",
        (NO_ROUTE, ""): 0,
    }


async def test_there_is_a_limit_to_what_is_watched_unnamed(tree: Tree) -> None:
    for n in range(40):
        tree.interface(f"eth1{n:02}")

    answers = await Network(most=3).check(tree.host, {})

    assert {each.subject for each in answers} == {"", "eth0", "eth100", "eth101"}


async def test_a_machine_without_sysfs_and_procfs_has_nothing_to_tell(tmp_path: Path) -> None:
    tree = Tree(root=tmp_path)
    tree.up(1)

    answers = await Network().check(tree.host, {})

    assert spoken(answers) == {(NO_ROUTE, ""): "notApplicable"}


@pytest.mark.parametrize("rows", [[], [LOCAL], [HALF], [REFUSED], [LOCAL, HALF, REFUSED]])
async def test_a_default_route_that_was_there_is_missed(tree: Tree, rows: list[str]) -> None:
    route(tree, *rows)

    assert await no_route(tree) == 1


async def test_a_machine_that_never_had_a_default_route_misses_none(tree: Tree) -> None:
    route(tree, LOCAL)

    assert await no_route(tree, was=None) == "notApplicable"


@pytest.mark.parametrize(("row", "missing"), [(DEFAULT_6, 0), (REFUSED_6, 1)])
async def test_a_way_out_by_ipv6_is_enough(tree: Tree, row: str, missing: int) -> None:
    route(tree, LOCAL)
    tree.write("proc/1/net/ipv6_route", row)

    assert await no_route(tree) == missing


LINK = """
import asyncio, datetime, json, subprocess
from agent import state
from agent.host.linux import Host
from agent.probes.network import Network

now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
known = state.begin(None, boot_id="b", node_uid="u", probes=["net"], now=now)
probe, host = Network(interfaces=("inside",)), Host()

def sweep():
    global known
    answers = asyncio.run(probe.check(host, state.past(known, "net")))
    known = state.answered(known, "net", answers, now)
    levels = {each.name: [each.value, each.knowledge] for each in known.levels["net"]}
    flaps = sum(each.count for each in known.events if each.name == "net.flaps")
    return levels["net.carrier_down"], levels["net.default_route_missing"], flaps

def ip(*words):
    subprocess.run(["ip", *words], check=True)

subprocess.run(["mount", "-t", "sysfs", "none", "/sys"], check=True)
ip("link", "add", "inside", "type", "veth", "peer", "name", "outside")
seen = [sweep()]
ip("link", "set", "outside", "up")
ip("addr", "add", "192.0.2.1/24", "dev", "inside")
ip("link", "set", "inside", "up")
ip("route", "add", "default", "via", "192.0.2.2")
seen.append(sweep())
ip("link", "set", "outside", "down")
seen.append(sweep())
ip("link", "set", "outside", "up")
ip("route", "del", "default")
seen.append(sweep())
ip("link", "set", "inside", "down")
seen.append(sweep())
ip("link", "set", "outside", "down")
ip("link", "set", "inside", "up")
print(json.dumps([*seen, sweep()]))
"""


@pytest.fixture
def namespace() -> list[str]:
    """Give the words that run a program in a network namespace of its own."""
    words = ["unshare", "-Urnm"]
    command = "mount -t sysfs none /sys && ip link add inside type veth peer name outside"
    has_ip = shutil.which("ip") is not None
    if not has_ip or subprocess.run([*words, "sh", "-c", command], check=False).returncode:
        reason = "this machine has no `ip`, or allows no interfaces in a namespace of one's own"
        lacking(reason)
    return words


def test_a_real_link_that_is_really_cut_is_seen(namespace: list[str]) -> None:
    ended = subprocess.run(
        [*namespace, sys.executable, "-c", LINK],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )

    plugged_out, linked, cut, without_route, taken_down, put_up = json.loads(ended.stdout)
    absent = [None, "notApplicable"]
    assert plugged_out == [absent, absent, 0]
    assert linked[:2] == [[0, "known"], [0, "known"]]
    assert cut[:2] == [[1, "known"], [0, "known"]]
    assert without_route[:2] == [[0, "known"], [1, "known"]]
    assert taken_down[0] == [0, "notApplicable"]
    assert put_up[0] == [1, "known"]
    assert [each[2] - linked[2] for each in (cut, without_route)] == [1, 2]
