"""A service that systemd gave up has failed; one that it starts over and over is counted."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from agent.host.linux import Host
from agent.probes.services import FAILED, RESTARTS, Services
from nodehealth.health import ProbeState
from tests.agent import pid1
from tests.agent.pid1 import Service, Systemd
from tests.agent.watched import Watch

PROBE: Final = Services(units=("kubelet", "sshd.service", "x.timer"), patience=timedelta(seconds=1))
KUBELET: Final = "kubelet.service"


class Machine:
    """A host with services, watched."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "uptime").write_text("100.0 1.0")
        self.watch = Watch(PROBE, Host(root=root, uptime=root / "uptime"))

    async def look(self, systemd: Systemd) -> Mapping[tuple[str, str], float | str | None]:
        async with pid1.running(self.root, systemd):
            return await self.watch.look()

    @property
    def state(self) -> tuple[ProbeState, str]:
        (report,) = self.watch.report.probes
        return report.state, report.message


def answering(body: bytes, kind: int = pid1.RETURN) -> Systemd:
    return Systemd(says=pid1.message(kind, 1, body))


async def test_a_service_that_failed_is_told_with_the_reason(tmp_path: Path) -> None:
    machine, services = Machine(tmp_path), Systemd()
    services.units = {
        KUBELET: Service(active="failed", result="oom-kill"),
        "sshd.service": Service(result="exit-code"),
        "x.timer": Service(result=""),
    }

    said = await machine.look(services)

    assert said == {(FAILED, KUBELET): 1, (FAILED, "sshd.service"): 0, (FAILED, "x.timer"): 0}
    assert {subject: each.fields for (_, subject), each in machine.watch.levels.items()} == {
        KUBELET: {"result": "oom-kill"},
        "sshd.service": {"result": ""},
        "x.timer": {"result": ""},
    }
    assert services.asked == [KUBELET, "sshd.service", "x.timer"]


async def test_a_service_that_was_started_again_has_not_failed(tmp_path: Path) -> None:
    machine, seen = Machine(tmp_path), list[object]()
    for service in (Service(), Service(active="failed", result="exit-code"), Service()):
        seen.append((await machine.look(Systemd(units={KUBELET: service})))[FAILED, KUBELET])

    assert seen == [0, 1, 0]


async def test_a_service_that_the_machine_has_not_is_passed_over(tmp_path: Path) -> None:
    masked = Systemd(units={"sshd.service": Service(load="masked", active="inactive")})

    assert await Machine(tmp_path).look(masked) == {}


async def test_restarts_are_counted_from_when_the_agent_looked_first(tmp_path: Path) -> None:
    machine, counts = Machine(tmp_path), list[int]()

    for restarts in (40, 42, 0, 3):
        await machine.look(Systemd(units={KUBELET: Service(restarts=restarts)}))
        counts.append(machine.watch.events.get((RESTARTS, KUBELET), 0))

    assert counts == [0, 2, 2, 5]


async def test_a_machine_without_systemd_has_none_of_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path)

    assert await machine.watch.look() == {(FAILED, ""): "notApplicable"}
    assert machine.state == (ProbeState.OK, "")


@pytest.mark.parametrize(
    ("systemd", "why"),
    [
        (Systemd(refuses=True), "systemd does not let us ask"),
        (Systemd(hangs=True), "systemd does not answer in time"),
        (Systemd(says=b"l\x02"), "systemd does not answer in time"),
        (Systemd(says=b"B" * 16), "systemd answers in a way that it never does"),
        (
            Systemd(says=pid1.message(pid1.ERROR, 1, b"")),
            "systemd does not answer ListUnitsByNames",
        ),
        (answering(b"\x50\0\0\0"), "systemd breaks off"),
        (answering(b"\1\0\0\0\0\0\0\0\1"), "systemd breaks off"),
    ],
)
async def test_what_systemd_does_not_say_is_unknown(
    tmp_path: Path, systemd: Systemd, why: str
) -> None:
    machine = Machine(tmp_path)
    first = await machine.look(systemd)
    await machine.look(Systemd(units={KUBELET: Service()}))

    then = await machine.look(systemd)

    assert first == {(FAILED, ""): "unknown"}
    assert then == {(FAILED, KUBELET): "unknown"}
    assert machine.state == (ProbeState.FAILED, f"{KUBELET}: {why}")


async def test_who_may_not_ask_does_not_know(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    socket = tmp_path / "run/systemd/private"
    socket.parent.mkdir(parents=True)
    socket.write_text("nobody listens")

    assert await machine.watch.look() == {(FAILED, ""): "unknown"}
    assert machine.state == (ProbeState.FAILED, f"{FAILED}: Connection refused")
