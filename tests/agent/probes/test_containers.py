"""A runtime is as well as it says itself, and what it never said in this boot is no fault."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from agent.host.linux import Host
from agent.probes.containers import Containers
from tests.agent import runtimes
from tests.agent.runtimes import Fake, containers, images, status
from tests.agent.watched import NOON, Watch

NOW: Final = int(NOON.timestamp())
SOCKET: Final = "/run/containerd/containerd.sock"
PROBE: Final = Containers(sockets=("/run/none.sock", SOCKET))
STATUS, PODS, LIST, IMAGES = (
    *("RuntimeService/Status", "RuntimeService/ListPodSandbox"),
    *("RuntimeService/ListContainers", "ImageService/ImageFsInfo"),
)
WELL: Final = Fake(
    answers={
        STATUS: status(RuntimeReady="", NetworkReady=""),
        PODS: b"",
        LIST: containers((1, NOW - 500), (2, NOW - 900)),
        IMAGES: images("/var/lib/containerd"),
    }
)


class Machine:
    """A host with a runtime, watched."""

    def __init__(self, root: Path, probe: Containers = PROBE) -> None:
        self.root = root
        (root / "var/lib/containerd").mkdir(parents=True)
        self.watch = Watch(probe, Host(root=root, clock=lambda: NOON))

    async def look(self, fake: Fake) -> Mapping[str, float | str | None]:
        async with runtimes.runtime(self.root / SOCKET[1:], fake):
            return await self.alone()

    async def alone(self) -> Mapping[str, float | str | None]:
        return {name: value for (name, _), value in (await self.watch.look()).items()}

    @property
    def fields(self) -> Mapping[str, Mapping[str, int | str]]:
        return {name: each.fields for (name, _), each in self.watch.levels.items() if each.fields}

    @property
    def message(self) -> str:
        return self.watch.report.probes[0].message


def saying(fake: Fake, **otherwise: bytes) -> Fake:
    names = {"status": STATUS, "pods": PODS, "list": LIST, "images": IMAGES}
    others = {names[name]: answer for name, answer in otherwise.items()}
    return replace(fake, answers={**fake.answers, **others})


async def test_nobody_is_asked_by_default(tmp_path: Path) -> None:
    assert await Machine(tmp_path, Containers()).look(WELL) == {}


async def test_a_runtime_that_is_well_says_so(tmp_path: Path) -> None:
    machine = Machine(tmp_path)

    said = dict(await machine.look(WELL))

    assert 0 < float(said.pop("runtime.images_free_ratio") or 0) <= 1
    assert said.pop("runtime.images_free_inodes_ratio") != "unknown"
    assert said == {
        "runtime.not_ready": 0,
        "runtime.network_not_ready": 0,
        "runtime.list_seconds": 0,
        "runtime.start_seconds": 0,
    }
    assert machine.fields["runtime.images_free_ratio"] == {"folder": "/var/lib/containerd"}
    assert machine.message == ""


async def test_a_condition_that_is_false_is_told_with_its_reason(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    poor = status(RuntimeReady="Broken", NetworkReady="NetworkPluginNotReady", Other="x")

    said = await machine.look(saying(WELL, status=poor))

    assert (said["runtime.not_ready"], said["runtime.network_not_ready"]) == (1, 1)
    assert machine.fields["runtime.network_not_ready"] == {"why": "NetworkPluginNotReady"}
    assert machine.fields["runtime.not_ready"] == {"why": "Broken"}


async def test_a_runtime_that_is_ready_again_is_well(tmp_path: Path) -> None:
    machine, seen = Machine(tmp_path), list[object]()
    for why in ("", "Broken", ""):
        said = await machine.look(saying(WELL, status=status(RuntimeReady=why, NetworkReady="")))
        seen.append(said["runtime.not_ready"])

    assert seen == [0, 1, 0]


async def test_a_condition_that_it_does_not_have_does_not_apply(tmp_path: Path) -> None:
    said = await Machine(tmp_path).look(saying(WELL, status=status(RuntimeReady="")))

    assert said["runtime.network_not_ready"] == "notApplicable"


@pytest.mark.parametrize(
    ("made", "seconds"),
    [
        ([(0, NOW - 10)], 0),
        ([(0, NOW - 200), (0, NOW - 70), (1, NOW - 900)], 180),
        ([(0, NOW + 50)], 0),
        ([], 0),
    ],
)
async def test_the_container_that_waits_longest_to_be_started_is_told(
    tmp_path: Path, made: list[tuple[int, int]], seconds: int
) -> None:
    said = await Machine(tmp_path).look(saying(WELL, list=containers(*made)))

    assert said["runtime.start_seconds"] == seconds


async def test_a_runtime_that_lists_for_ever_is_slow_and_the_rest_is_known(tmp_path: Path) -> None:
    machine = Machine(tmp_path, replace(PROBE, patience=timedelta(seconds=5)))

    said = await machine.look(replace(WELL, slow=frozenset({LIST})))

    assert (said["runtime.list_seconds"], said["runtime.start_seconds"]) == (5, "unknown")
    assert said["runtime.not_ready"] == 0


async def test_a_server_that_is_no_runtime_is_nobodys_fault(tmp_path: Path) -> None:
    machine = Machine(tmp_path)

    said = await machine.look(Fake())

    assert set(said.values()) == {"notApplicable"}
    assert machine.message == ""


async def test_what_is_not_answered_any_more_is_unknown(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    await machine.look(WELL)

    declined = await machine.look(Fake())
    why = machine.message
    gone = await machine.alone()

    known = {"unknown", "notApplicable"}
    assert set(declined.values()) <= known
    assert declined["runtime.not_ready"] == gone["runtime.list_seconds"] == "unknown"
    assert "the runtime does not answer over the CRI" in why
    assert "there is no socket of a container runtime" in machine.message


async def test_where_images_lie_that_the_agent_cannot_see_is_nobodys_fault(tmp_path: Path) -> None:
    said = await Machine(tmp_path).look(saying(WELL, images=images("/elsewhere")))

    assert said["runtime.images_free_ratio"] == "notApplicable"


async def test_of_several_places_with_images_the_fullest_is_told(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "with-room").symlink_to("/dev")  # nobody fills that

    await machine.look(saying(WELL, images=images("/with-room", "/var/lib/containerd")))

    assert machine.fields["runtime.images_free_ratio"] == {"folder": "/var/lib/containerd"}


async def test_a_message_that_is_none_is_declined(tmp_path: Path) -> None:
    said = await Machine(tmp_path).look(saying(WELL, status=b"\xff", images=b""))

    assert said["runtime.not_ready"] == said["runtime.images_free_ratio"] == "notApplicable"
