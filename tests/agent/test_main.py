"""The whole agent: it sees, it tells, it ends in order, and it remembers."""

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import aiohttp
import pytest

from agent import main
from agent.host.kmsg import KernelLog
from agent.host.linux import Host
from agent.host.nvml.facts import Bus, Gpus
from agent.identity import Claim
from agent.probe import Probe
from agent.probes.filesystems import Filesystems
from agent.probes.kernel_log import Complaints
from agent.probes.xids import Xids
from agent.settings import Settings
from nodehealth import crds
from nodehealth.health import NODE_HEALTHS, Level, NodeHealthStatus, ProbeState
from nodehealth.kit import clocks
from nodehealth.kit.settings import SettingsError
from nodehealth.kube.client import Client
from nodehealth.kube.errors import GoneError
from nodehealth.kube.objects import NODES, Metadata, Node
from nodehealth.kube.transport import Request, Response, Transport
from nodehealth.signals import Knowledge
from simulator.api import http
from simulator.api.direct import Direct
from simulator.api.kubeconfig import write_kubeconfig
from simulator.api.local import LocalTransport
from simulator.api.server import ApiServer

OFTEN = timedelta(seconds=0.02)


@dataclass
class Machine:
    """A machine with one filesystem, whose fill a test decides."""

    folder: Path
    free: int = 500
    hangs: bool = field(default=False)
    listen: str = ""
    passed: timedelta = field(default=timedelta())
    """How much time has passed that no test had to wait for."""
    kmsg: Path | None = None
    """Where its kernel's log is read, if it is."""
    driver: str = ""
    """Which version of the GPU driver is loaded, if one is."""

    def __post_init__(self) -> None:
        (self.folder / "boot").write_text("first")
        (self.folder / "mountinfo").write_text("1 0 8:1 / / rw - ext4 /dev/sda1 rw")

    @property
    def host(self) -> Host:
        """Return the door to it."""
        return Host(
            boot_id=self.folder / "boot",
            mountinfo=self.folder / "mountinfo",
            statvfs=lambda _: self.measure(),
            kernel_log=KernelLog(self.kmsg),
            gpus=lambda: Gpus(bus=Bus(module=self.driver)),
        )

    def clock(self) -> datetime:
        """Return its time."""
        return clocks.wall() + self.passed

    def measure(self) -> os.statvfs_result:
        """Answer as statvfs does."""
        if self.hangs:
            raise OSError(110, "Connection timed out")
        return os.statvfs_result((4096, 4096, 1000, self.free, self.free, 100, 50, 50, 0, 255))

    @property
    def settings(self) -> Settings:
        """Return the settings of an agent that looks often."""
        probes: dict[str, Probe] = {"filesystems": Filesystems(interval=OFTEN)}
        if self.kmsg is not None:
            probes = {"xids": Xids(), "kernel-log": Complaints()}
        return Settings(
            state_file=self.folder / "agent.json",
            probes=probes,
            version="1.2",
            listen=self.listen,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine that is half full."""
    return Machine(tmp_path)


@asynccontextmanager
async def running(machine: Machine, client: Client, node: Node) -> AsyncIterator[None]:
    """Run the agent of a machine, and end it as SIGTERM does."""
    stop = asyncio.Event()
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        tasks.create_task(run(machine, client, node, stop))
        yield
        stop.set()


async def run(
    machine: Machine,
    client: Client,
    node: Node,
    stop: asyncio.Event,
    *,
    last_writes: timedelta = main.LAST_WRITES,
) -> None:
    await main.run(
        machine.settings,
        client=client,
        host=machine.host,
        claim=Claim(name=node.metadata.name, uid=node.metadata.uid),
        clock=machine.clock,
        random=Random(1),
        stop=stop,
        last_writes=last_writes,
    )


async def told(client: Client, when: Callable[[NodeHealthStatus], bool]) -> NodeHealthStatus:
    """Wait until the API server was told something."""
    async with asyncio.timeout(10):
        while True:
            try:
                status = (await client.get(NODE_HEALTHS, "n1")).status
            except GoneError:
                status = NodeHealthStatus()
            if when(status):
                return status
            await asyncio.sleep(0.01)


def space(status: NodeHealthStatus) -> Level | None:
    return next((each for each in status.levels if each.name == "disk.free_ratio"), None)


def has(value: float) -> Callable[[NodeHealthStatus], bool]:
    """Say whether a report says that so much is free, for sure."""

    def look(status: NodeHealthStatus) -> bool:
        level = space(status)
        return level is not None and (level.value, level.knowledge) == (value, Knowledge.KNOWN)

    return look


async def test_a_disk_that_fills_is_told(machine: Machine, client: Client, node: Node) -> None:
    async with running(machine, client, node):
        await told(client, has(0.5))
        machine.free = 20

        status = await told(client, has(0.02))

    assert (status.node_uid, status.boot_id) == (node.metadata.uid, "first")
    assert status.agent_version == "1.2"
    assert [each.state for each in status.probes] == [ProbeState.OK]
    assert status.reported_at is not None


async def test_the_version_of_the_gpu_driver_is_told_and_that_another_one_is_loaded(
    machine: Machine, client: Client, node: Node
) -> None:
    machine.driver = "570.86.15"

    async with running(machine, client, node):
        await told(client, lambda status: status.driver_version == "570.86.15")
        machine.driver = "580.65.06"

        await told(client, lambda status: status.driver_version == "580.65.06")


async def test_an_xid_is_told_when_it_comes_and_a_restart_counts_it_no_second_time(
    machine: Machine, client: Client, node: Node
) -> None:
    machine.kmsg = machine.folder / "kmsg"
    os.mkfifo(machine.kmsg)

    async with running(machine, client, node):
        await told(client, lambda status: bool(status.probes))
        await asyncio.to_thread(logged, machine.kmsg, 1)
        first = await told(client, lambda status: bool(status.events))
    async with running(machine, client, node):
        await asyncio.to_thread(logged, machine.kmsg, 1)
        await asyncio.to_thread(logged, machine.kmsg, 2)
        second = await told(client, lambda status: status.events[0].count > 1)

    assert (first.events[0].name, first.events[0].count) == ("gpu.xid", 1)
    assert [each.count for each in second.events] == [2]


BUG = "kernel BUG at mm/slub.c:1!"
LOST = "NVRM: Xid (PCI:0000:3b:00): 79, pid=1, name=x, Lost"


def logged(kmsg: Path, number: int, text: str = LOST) -> None:
    """Let the kernel log something, an XID by default."""
    with kmsg.open("w") as file:
        file.write(f"2,{number},1000000,-;{text}\n")


async def test_what_was_overwritten_while_no_agent_ran_is_told(
    machine: Machine, client: Client, node: Node
) -> None:
    machine.kmsg = machine.folder / "kmsg"
    os.mkfifo(machine.kmsg)
    async with running(machine, client, node):
        await asyncio.to_thread(logged, machine.kmsg, 1, BUG)
        await told(client, lambda status: bool(status.events))

    async with running(machine, client, node):
        await asyncio.to_thread(logged, machine.kmsg, 9, BUG)
        status = await told(client, has_failed("kernel-log"))

    messages = {each.name: each.message for each in status.probes}
    assert "lost before they were counted" in messages["kernel-log"]


def has_failed(probe: str) -> Callable[[NodeHealthStatus], bool]:
    return lambda status: (
        (probe, ProbeState.FAILED) in {(each.name, each.state) for each in status.probes}
    )


async def test_a_fault_in_a_flood_of_lines_is_told_and_what_users_write_is_not(
    machine: Machine, client: Client, node: Node
) -> None:
    machine.kmsg = machine.folder / "kmsg"
    os.mkfifo(machine.kmsg)

    async with running(machine, client, node):
        await told(client, lambda status: bool(status.probes))
        await asyncio.to_thread(flooded, machine.kmsg)
        status = await told(client, lambda status: counted(status) == FAULTS)

    assert counted(status) == FAULTS


FLOOD = 20_000
FAULTS = {
    "kernel.lockups": 1,
    "disk.io_errors_logged": 2,
    "kernel.hardware_errors": 1,
    "gpu.xid": 1,
}
COMPLAINTS = {
    1: "watchdog: Watchdog detected hard LOCKUP on cpu 3",
    FLOOD // 2: "I/O error, dev sdz, sector 8 op 0x0:(READ)",
    FLOOD // 2 + 1: "I/O error, dev sdz, sector 9 op 0x0:(READ)",
    FLOOD - 1: "{1}[Hardware Error]: event severity: fatal",
    FLOOD: LOST,
}
KERNEL, USER = 2, 10


def flooded(kmsg: Path) -> None:
    """Let the kernel log thousands of lines, and a user as many that look like faults."""
    with kmsg.open("w") as file:
        for number in range(1, FLOOD + 1):
            text = COMPLAINTS.get(number, f"cni0: port 3(veth{number:x}) entered forwarding state")
            file.write(f"{KERNEL},{2 * number},{number},-;{text}\n")
            file.write(f"{USER},{2 * number + 1},{number},-;{BUG}\n")


def counted(status: NodeHealthStatus) -> dict[str, int]:
    """Return what happened how often."""
    return {each.name: each.count for each in status.events if each.name != "gpu.jobs_failed"}


async def test_a_restart_remembers_since_when(machine: Machine, client: Client, node: Node) -> None:
    async with running(machine, client, node):
        before = space(await told(client, has(0.5)))
    machine.passed = timedelta(hours=1)

    async with running(machine, client, node):
        await asyncio.sleep(0.2)
        after = space(await told(client, has(0.5)))

    assert before is not None
    assert after is not None
    assert after.since == before.since


async def test_a_reboot_is_told_and_levels_begin_anew(
    machine: Machine, client: Client, node: Node
) -> None:
    async with running(machine, client, node):
        before = space(await told(client, has(0.5)))
    (machine.folder / "boot").write_text("second")
    machine.passed = timedelta(hours=1)

    async with running(machine, client, node):
        status = await told(client, lambda status: status.boot_id == "second" and has(0.5)(status))
    after = space(status)

    assert before is not None
    assert after is not None
    assert after.since > before.since


async def test_what_cannot_be_read_is_told_as_unknown(
    machine: Machine, client: Client, node: Node
) -> None:
    async with running(machine, client, node):
        await told(client, has(0.5))
        machine.hangs = True

        status = await told(client, lambda status: status.probes[0].state is ProbeState.FAILED)

    assert {each.name: each.knowledge for each in status.levels} == {
        "disk.free_ratio": Knowledge.UNKNOWN,
        "disk.free_inodes_ratio": Knowledge.UNKNOWN,
        "disk.read_only": Knowledge.KNOWN,
    }
    assert status.probes[0].message == "/: Connection timed out"
    assert status.refresh_seconds == 20


async def test_a_disk_too_sick_for_the_state_stops_nothing(
    machine: Machine, client: Client, node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    (machine.folder / "agent.json").mkdir()

    async with running(machine, client, node):
        await told(client, has(0.5))

    assert "cannot be read, beginning anew" in caplog.text


async def test_an_agent_lives_though_its_node_is_sick_and_nobody_hears_it(
    machine: Machine, api: ApiServer, node: Node
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        machine.listen = f"127.0.0.1:{taken.getsockname()[1]}"
    machine.hangs = True
    (machine.folder / "agent.json").mkdir()
    deaf = Client(LocalTransport(api, "no such token"), manager="nodemend-agent")

    async with running(machine, deaf, node):
        await asyncio.sleep(0.5)
        health = await asked(machine.listen, "/healthz")
        ready = await asked(machine.listen, "/readyz")
        metrics = await asked(machine.listen, "/metrics")

    assert (health, ready) == ((200, "ok\n"), (200, "ok\n"))
    assert 'probe_state{probe="filesystems",state="Failed"} 1.0' in metrics[1]
    assert 'report_failures_total{reason="forbidden"} 1.0' in metrics[1]
    assert "state_save_failures_total 1.0" in metrics[1]


async def asked(where: str, path: str) -> tuple[int, str]:
    """Ask the agent itself."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{where}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def test_a_missing_definition_is_waited_for_and_said_once(
    machine: Machine,
    direct: Direct,
    client: Client,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    node = await client.create(NODES, Node(metadata=Metadata(name="n1")))

    async with running(machine, client, node):
        await asyncio.sleep(2)
        machine.free = 20
        for each in crds.DEFINITIONS:
            direct.create("customresourcedefinitions.apiextensions.k8s.io", crds.manifest(each))
        await told(client, has(0.02))

    missing, back = [each for each in caplog.messages if "report" in each]
    assert missing.endswith("the CustomResourceDefinition is missing")
    assert back == "the report is written again"


async def test_the_end_comes_though_nobody_answers(machine: Machine, node: Node) -> None:
    stop = asyncio.Event()
    mute = Client(Mute(), manager="nodemend-agent")

    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(run(machine, mute, node, stop, last_writes=timedelta(seconds=0.1)))
        await asyncio.sleep(0.3)
        stop.set()

    assert "disk.free_ratio" in (machine.folder / "agent.json").read_text()


class Mute(Transport):
    """An API server that takes a request and says nothing."""

    def open(
        self, request: Request, *, deadline: timedelta
    ) -> AbstractAsyncContextManager[Response]:
        """Never answer."""
        return Silence()


class Silence(AbstractAsyncContextManager[Response]):
    """An answer that never comes."""

    async def __aenter__(self) -> Response:
        await asyncio.sleep(3600)
        raise TimeoutError

    async def __aexit__(self, *_: object) -> None:
        """Be given up."""


async def test_a_machine_whose_boot_cannot_be_told_is_said(
    machine: Machine, client: Client, node: Node
) -> None:
    (machine.folder / "boot").unlink()

    with pytest.raises(SettingsError, match="boot id: expected a readable file"):
        await run(machine, client, node, asyncio.Event())


PROGRAM = """
import asyncio, os, pathlib, sys
from agent import main, settings
from nodehealth.kit import logs
logs.setup()
config = pathlib.Path(sys.argv[1])
asyncio.run(main.serve(settings.load(os.environ), config=config))
banned = {"kubernetes", "prometheus_client", "typer", "rich"} & set(sys.modules)
assert not banned, banned
"""


@asynccontextmanager
async def process(config: Path, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start the agent as a program of its own, on this very machine."""
    environ = {**os.environ, "STATE_FILE": str(folder / "agent.json")}
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(config), env=environ, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


@pytest.fixture
def token(direct: Direct, node: Node) -> str:
    """The token of the agent's pod on the Node, which is all that the agent is told of it."""
    place = {"namespace": "nodemend"}
    direct.create("serviceaccounts", {"metadata": {"name": "nodemend-agent", **place}}, **place)
    spec = {
        "nodeName": node.metadata.name,
        "serviceAccountName": "nodemend-agent",
        "containers": [{"name": "agent", "image": "nodemend"}],
    }
    direct.create("pods", {"metadata": {"name": "agent-1", **place}, "spec": spec}, **place)
    path = "/api/v1/namespaces/nodemend/serviceaccounts/nodemend-agent/token"
    bound = {"apiVersion": "v1", "kind": "Pod", "name": "agent-1"}
    asked = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"boundObjectRef": bound},
    }
    return str(direct.ask("POST", path, asked)["status"]["token"])


@pytest.fixture
async def config(api: ApiServer, token: str, tmp_path: Path) -> AsyncIterator[Path]:
    """A kubeconfig for the cluster, which listens on a port."""
    path = tmp_path / "kubeconfig"
    async with http.serve(api) as served:
        await asyncio.to_thread(write_kubeconfig, path, served.url, token)
        yield path


async def test_the_real_agent_ends_in_order_when_told_to(
    config: Path, client: Client, tmp_path: Path
) -> None:
    async with process(config, tmp_path) as agent:
        status = await told(client, lambda status: space(status) is not None)
        agent.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            _, log = await agent.communicate()

    assert (agent.returncode, log.decode()) == (0, "")
    assert "/" in {each.subject for each in status.levels}
    kept = json.loads((tmp_path / "agent.json").read_text())
    assert kept["bootID"] == status.boot_id
    assert kept["endedAt"] > kept["beganAt"]


async def test_the_real_agent_goes_on_after_it_was_killed(
    config: Path, client: Client, tmp_path: Path
) -> None:
    async with process(config, tmp_path) as agent:
        before = space(await told(client, lambda status: space(status) is not None))
        file = tmp_path / "agent.json"
        while not file.exists() or "disk.free_ratio" not in file.read_text():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.02)
        agent.kill()
        await agent.wait()
    assert "endedAt" not in await asyncio.to_thread(file.read_text)
    killed = datetime.now(UTC)  # noqa: TID251 - the processes share the wall clock

    async with process(config, tmp_path):
        status = await told(
            client,
            lambda status: (
                status.reported_at is not None
                and status.reported_at > killed
                and all(each.state is ProbeState.OK for each in status.probes)
            ),
        )

    after = space(status)
    assert before is not None
    assert after is not None
    assert after.since == before.since
