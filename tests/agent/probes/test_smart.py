"""What an NVMe disk says of itself is heard, by whichever program; without one nobody is asked."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from agent.host import smart
from agent.host.smart import Health
from agent.probes.smart import MEDIA_ERRORS, SMART, USED, WARNING
from tests.agent.trees import Tree
from tests.agent.watched import Watch

LOG: Final[Mapping[str, object]] = {
    "critical_warning": 0,
    "temperature": 39,
    "available_spare": 100,
    "available_spare_threshold": 10,
    "percentage_used": 3,
    "media_errors": 0,
}


def smartctl(**changed: int) -> str:
    return json.dumps(
        {"device": {"name": "x"}, "nvme_smart_health_information_log": {**LOG, **changed}}
    )


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (smartctl(critical_warning=5, percentage_used=107, media_errors=9), (5, 107, 9)),
        ('{"critical_warning":4,"percent_used":3,"media_errors":2}', (4, 3, 2)),
        (
            '{"critical_warning":{"value":1,"spare":1},"percent_used":3,"media_errors":"12"}',
            (1, 3, 12),
        ),
    ],
    ids=["smartctl", "nvme", "a newer nvme"],
)
def test_both_programs_are_understood(said: str, told: tuple[int, int, int]) -> None:
    warning, used, errors = told

    assert smart.health(said) == Health(warning=warning, used=used, media_errors=errors)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "smartctl 7.4",
        "[]",
        "{}",
        '{"nvme_smart_health_information_log":[]}',
        smartctl(media_errors=-1),
        smartctl(media_errors=2**64),
        smartctl()[:-9],
        '{"critical_warning":true,"percent_used":3,"media_errors":2}',
        "\ud800",
    ],
)
def test_anything_else_is_nothing(said: str) -> None:
    assert smart.health(said) is None


class Machine:
    """A machine with NVMe controllers, and a program that says of each what a test wrote down."""

    def __init__(self, root: Path, name: str = "smartctl") -> None:
        self.tree = Tree(root=root)
        self.tree.up(100)
        (root / "sys/block").mkdir(parents=True)
        self.program = root / "sbin" / name
        self.program.parent.mkdir()
        self.program.write_text(
            '#!/bin/sh\nfor last; do :; done\necho "$@" >>"$0.asked"\ncat "$last"\n'
        )
        self.program.chmod(0o755)
        self.watch = Watch(self.probe(), self.tree.host)

    def probe(self, every: timedelta = timedelta()) -> SMART:
        return SMART(command=str(self.program), every=every)

    def says(self, controller: str, said: str) -> None:
        self.tree.write(f"sys/class/nvme/{controller}/state", "live")
        self.tree.write(f"sys/class/nvme/{controller}/transport", "pcie")
        self.tree.write(f"dev/{controller}", said)

    @property
    def asked(self) -> list[str]:
        return (self.program.parent / f"{self.program.name}.asked").read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with one healthy controller."""
    there = Machine(tmp_path)
    there.says("nvme0", smartctl())
    return there


async def test_a_healthy_disk_warns_of_nothing(machine: Machine) -> None:
    assert await machine.watch.look() == {(WARNING, "nvme0"): 0, (USED, "nvme0"): 0}
    assert machine.asked == [f"--json=c -A {machine.tree.root}/dev/nvme0"]


async def test_nvme_cli_is_asked_in_its_own_words(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "nvme")
    machine.says("nvme0", '{"critical_warning":0,"percent_used":3,"media_errors":2}')

    assert await machine.watch.look() == {(WARNING, "nvme0"): 0, (USED, "nvme0"): 0}
    assert machine.asked == [f"smart-log -o json {tmp_path}/dev/nvme0"]


async def test_a_disk_that_warns_is_heard_and_new_media_errors_are_counted(
    machine: Machine,
) -> None:
    machine.says("nvme0", smartctl(media_errors=7))
    await machine.watch.look()
    machine.says("nvme0", smartctl(critical_warning=12, percentage_used=101, media_errors=9))

    told = await machine.watch.look()

    assert told == {(WARNING, "nvme0"): 12, (USED, "nvme0"): 1}
    assert machine.watch.levels[WARNING, "nvme0"].fields == {"means": "unreliable read-only"}
    assert machine.watch.events == {(MEDIA_ERRORS, "nvme0"): 2}


async def test_a_disk_that_warns_no_more_is_well(machine: Machine) -> None:
    seen = []
    for warning in (0, 4, 0):
        machine.says("nvme0", smartctl(critical_warning=warning))
        seen.append((await machine.watch.look())[WARNING, "nvme0"])

    assert seen == [0, 4, 0]


async def test_each_controller_is_asked_once_in_its_time(machine: Machine) -> None:
    machine.says("nvme1", smartctl(critical_warning=1))
    watch = Watch(machine.probe(every=timedelta(hours=1)), machine.tree.host)
    for _ in range(3):
        told = await watch.look()

    assert (told[WARNING, "nvme0"], told[WARNING, "nvme1"]) == (0, 1)
    assert len(machine.asked) == 2


async def test_nobody_is_asked_without_a_program(machine: Machine) -> None:
    assert await Watch(SMART(), machine.tree.host).look() == {}


async def test_a_program_that_anybody_may_have_written_is_not_run(machine: Machine) -> None:
    machine.program.chmod(0o777)

    told = await machine.watch.look()

    assert told == {(WARNING, "nvme0"): "unknown", (USED, "nvme0"): "unknown"}
    assert not (machine.program.parent / "smartctl.asked").exists()


async def test_a_disk_that_tells_nothing_is_unknown(machine: Machine) -> None:
    machine.says("nvme0", "Smartctl open device: /dev/nvme0 failed: Permission denied")

    told = await machine.watch.look()

    assert told == {(WARNING, "nvme0"): "unknown", (USED, "nvme0"): "unknown"}


@pytest.mark.parametrize("settings", [{"command": "smartctl"}, {"memory": "0"}], ids=str)
def test_what_cannot_be_run_is_refused(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected"):
        SMART(**settings)  # type: ignore[arg-type]  # what a file may say
