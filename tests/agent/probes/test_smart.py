"""What a disk says of itself is heard, by whichever program; without one nobody is asked."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from agent.host import smart
from agent.host.smart import Disk, Health
from agent.probes.smart import (
    FAILING,
    MEDIA_ERRORS,
    REALLOCATED,
    SMART,
    SPARE,
    UNCORRECTED,
    UNREADABLE,
    USED,
    WARNING,
)
from agent.settings import load
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
WELL: Final = {(WARNING, "nvme0"): 0, (USED, "nvme0"): 0, (SPARE, "nvme0"): 1}
UNKNOWN: Final = dict.fromkeys(WELL, "unknown")
TRIED: Final = "-n standby,3 -i -H -A"


def smartctl(code: int = 0, **changed: int) -> str:
    """Write what smartctl says of an NVMe disk."""
    log = {**LOG, **changed}
    return json.dumps({"smartctl": {"exit_status": code}, "nvme_smart_health_information_log": log})


def ran(code: int, *messages: str, **said: object) -> str:
    """Write how smartctl ended, and what else it said."""
    told = [{"string": each, "severity": "error"} for each in messages]
    return json.dumps({"smartctl": {"exit_status": code, "messages": told}, **said})


def ata(code: int = 0, *, passed: bool = True, others: int = 0, **raw: str) -> str:
    """Write what smartctl says of a SATA disk: its attributes by `id_` and their number."""
    attributes = {"id_1": "199781349", "id_5": "0", "id_197": "0", "id_198": "0", **raw}
    attributes |= {f"id_{200 + n}": "1" for n in range(others)}
    table = [
        {
            "id": int(name.removeprefix("id_")),
            "name": "Some_Attribute",
            "value": 100,
            "flags": {"value": 51, "string": "PO--CK ", "prefailure": True},
            "raw": {"value": 1 << 40, "string": text},
        }
        for name, text in attributes.items()
    ]
    return ran(code, smart_status={"passed": passed}, ata_smart_attributes={"table": table})


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (smartctl(critical_warning=5, percentage_used=107, media_errors=9), (5, 107, 9, 1)),
        (
            '{"critical_warning":4,"percent_used":3,"media_errors":2,"avail_spare":55,"spare_thresh":10}',
            (4, 3, 2, 0.5),
        ),
        (
            '{"critical_warning":{"value":1,"spare":1},"percent_used":3,"media_errors":"12"}',
            (1, 3, 12, None),
        ),
    ],
    ids=["smartctl", "nvme", "a newer nvme"],
)
def test_both_programs_are_understood(said: str, told: tuple[int, int, int, float | None]) -> None:
    warning, used, errors, spare = told

    assert smart.health(said) == Health(
        warning=warning, used=used, media_errors=errors, spare=spare
    )


@pytest.mark.parametrize(
    ("left", "bound", "told"),
    [
        (100, 10, 1.0),
        (28, 10, 0.2),
        (10, 10, 0.0),
        (3, 10, 0.0),
        (100, 99, 1.0),
        (100, 100, 1.0),
        (99, 100, 0.0),
        (200, 10, 1.0),
        (0, 0, None),
        (100, 0, None),
    ],
)
def test_spare_blocks_are_told_by_how_far_they_are_from_too_few(
    left: int, bound: int, told: float | None
) -> None:
    found = smart.health(smartctl(available_spare=left, available_spare_threshold=bound))

    assert isinstance(found, Health)
    assert found.spare == told


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
        '{"critical_warning":0,"percent_used":3,"media_errors":"²"}',
        "\ud800",
    ],
)
def test_anything_else_is_nothing(said: str) -> None:
    assert smart.health(said) == smart.disk(said) == smart.UNTOLD


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (ata(), (False, 0, 0, None)),
        (ata(0b11011000, passed=False, id_5="1975", id_197="8"), (True, 8, 1975, None)),
        (ata(id_5="8 (0 3)", id_187="2", id_198="9"), (False, 9, 8, 2)),
        (ata(id_5="0x01", id_197="", id_198="-"), (False, None, None, None)),
        (ran(0, smart_status={"passed": True}), (False, None, None, None)),
        (
            ran(0, smart_status={"passed": True}, scsi_grown_defect_list=56),
            (False, None, 56, None),
        ),
        (ran(0, smart_support={"available": False}), (None, None, None, None)),
        (ata(0b100, passed=False), (True, 0, 0, None)),
        (
            ran(0, smart_status={"passed": True}, ata_smart_attributes={"table": [7, {"id": 5}]}),
            (False, None, None, None),
        ),
    ],
    ids=[
        "well",
        "failing",
        "several numbers in one",
        "what is no number",
        "a disk without attributes",
        "SAS",
        "a virtual disk",
        "a failing disk that answers in part",
        "what is no table",
    ],
)
def test_what_smartctl_says_of_other_disks_is_understood(
    said: str, told: tuple[bool | None, int | None, int | None, int | None]
) -> None:
    fails, unreadable, reallocated, uncorrected = told

    assert smart.disk(said) == Disk(
        fails=fails, unreadable=unreadable, reallocated=reallocated, uncorrected=uncorrected
    )


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (ran(1, "/dev/sda: Unknown USB bridge [0x0bc2:0x231a (0x100)]"), "Unknown USB bridge"),
        (ran(2, "Smartctl open device: /dev/sda failed: Permission denied"), "Permission denied"),
        (ran(2, "Smartctl open device: /dev/sda failed: No such device"), "No such device"),
        (ran(2), "exit code 2"),
        (json.dumps({"smartctl": {"exit_status": 2, "messages": [{}, 7]}}), "exit code 2"),
        (ran(3), "rests"),
        (ata(0b1, passed=False), "exit code 1"),
        (ata(0b100), "exit code 4"),
        (ran(0, smart_support={"available": True, "enabled": False}), smart.UNTOLD),
    ],
)
def test_a_disk_that_could_not_be_asked_is_never_well(said: str, why: str) -> None:
    told = smart.disk(said)

    assert isinstance(told, str)
    assert why in told


def test_an_nvme_disk_that_answered_in_part_is_believed_only_what_is_bad() -> None:
    assert smart.health(smartctl(0b100)) == "smartctl could not ask all of it: exit code 4"
    assert isinstance(smart.health(smartctl(0b100, critical_warning=4)), Health)


class Machine:
    """A machine with disks, and a program that says of each what a test wrote down."""

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

    def says(self, name: str, said: str) -> None:
        if name.startswith("nvme") and "n" not in name[1:]:
            self.tree.write(f"sys/class/nvme/{name}/state", "live")
            self.tree.write(f"sys/class/nvme/{name}/transport", "pcie")
        elif not (self.tree.root / f"sys/block/{name}").exists():
            self.tree.disk(name, at=f"pci0/{name}")
        self.tree.write(f"dev/{name}", said)

    @property
    def asked(self) -> list[str]:
        file = self.program.parent / f"{self.program.name}.asked"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with one healthy controller."""
    there = Machine(tmp_path)
    there.says("nvme0", smartctl())
    return there


async def test_a_healthy_disk_warns_of_nothing(machine: Machine) -> None:
    assert await machine.watch.look() == WELL
    assert machine.asked == [f"--json=c {TRIED} {machine.tree.root}/dev/nvme0"]


async def test_nvme_cli_is_asked_in_its_own_words_and_only_of_nvme_disks(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "nvme")
    machine.says("sda", "")
    machine.says("nvme0", '{"critical_warning":0,"percent_used":3,"media_errors":2}')

    assert await machine.watch.look() == {**WELL, (SPARE, "nvme0"): "notApplicable"}
    assert machine.asked == [f"smart-log -o json {tmp_path}/dev/nvme0"]


async def test_a_disk_that_warns_is_heard_and_new_media_errors_are_counted(
    machine: Machine,
) -> None:
    machine.says("nvme0", smartctl(media_errors=7))
    await machine.watch.look()
    machine.says(
        "nvme0",
        smartctl(critical_warning=12, percentage_used=101, media_errors=9, available_spare=20),
    )

    told = await machine.watch.look()

    assert told == {(WARNING, "nvme0"): 12, (USED, "nvme0"): 1, (SPARE, "nvme0"): 0.1}
    assert machine.watch.levels[WARNING, "nvme0"].fields == {"means": "unreliable read-only"}
    assert machine.watch.events == {(MEDIA_ERRORS, "nvme0"): 2}


async def test_a_disk_that_warns_no_more_is_well(machine: Machine) -> None:
    seen = []
    for warning in (0, 4, 0):
        machine.says("nvme0", smartctl(critical_warning=warning))
        seen.append((await machine.watch.look())[WARNING, "nvme0"])

    assert seen == [0, 4, 0]


async def test_a_disk_of_another_kind_fails_and_is_well_again(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    seen = []
    for passed, sectors in ((True, "0"), (False, "3"), (True, "0")):
        machine.says("sda", ata(passed=passed, id_197=sectors))
        told = await machine.watch.look()
        seen.append((told[FAILING, "sda"], told[UNREADABLE, "sda"]))

    assert seen == [(0, 0), (1, 3), (0, 0)]


async def test_sectors_that_a_disk_gives_up_and_data_that_it_loses_are_counted(
    tmp_path: Path,
) -> None:
    machine = Machine(tmp_path)
    machine.says("sda", ata(id_5="3", id_187="1"))
    await machine.watch.look()
    machine.says("sda", ata(id_5="14", id_187="2"))
    await machine.watch.look()

    assert machine.watch.events == {(REALLOCATED, "sda"): 11, (UNCORRECTED, "sda"): 1}


async def test_a_disk_that_says_a_lot_is_heard_to_the_end(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.says("sda", ata(passed=False, others=50))

    assert len((tmp_path / "dev/sda").read_bytes()) > 8192
    assert (await machine.watch.look())[FAILING, "sda"] == 1


async def test_only_disks_with_firmware_of_their_own_are_asked(machine: Machine) -> None:
    for name in ("sda", "vda", "nvme0n1", "mmcblk0"):
        machine.says(name, ata())
        machine.tree.write(f"dev/{name}", ata())
    machine.tree.write("sys/block/dm-0/size", 1000)
    machine.tree.write("sys/block/loop0/size", 1000)

    told = await machine.watch.look()

    assert {subject for _, subject in told} == {"nvme0", "sda"}


async def test_each_disk_is_asked_once_in_its_time(machine: Machine) -> None:
    machine.says("nvme1", smartctl(critical_warning=1))
    watch = Watch(machine.probe(every=timedelta(hours=1)), machine.tree.host)
    for _ in range(3):
        told = await watch.look()

    assert (told[WARNING, "nvme0"], told[WARNING, "nvme1"]) == (0, 1)
    assert len(machine.asked) == 2


async def test_only_so_many_of_each_kind_are_asked(machine: Machine) -> None:
    for n in range(1, 5):
        machine.says(f"nvme{n}", smartctl())
        machine.says(f"sd{n}", ata())
    watch = Watch(SMART(command=str(machine.program), most=2), machine.tree.host)

    told = await watch.look()

    assert {subject for _, subject in told} == {"nvme0", "nvme1", "sd1", "sd2"}


async def test_smartctl_is_used_unnamed_where_it_is_there(machine: Machine) -> None:
    machine.says("sda", ata())

    told = await Watch(SMART(), machine.tree.host).look()

    assert told == {**WELL, (FAILING, "sda"): 0, (UNREADABLE, "sda"): 0}


async def test_a_disk_whose_device_the_agent_lacks_is_unknown(machine: Machine) -> None:
    machine.says("sda", ran(2, "Smartctl open device: /dev/sda failed: No such device"))

    told = await Watch(SMART(), machine.tree.host).look()

    assert told == {**WELL, (FAILING, "sda"): "unknown", (UNREADABLE, "sda"): "unknown"}


async def test_an_agent_without_any_device_asks_nobody_unless_it_is_told_to(
    machine: Machine,
) -> None:
    (machine.tree.root / "dev/nvme0").unlink()

    assert await Watch(SMART(), machine.tree.host).look() == {}
    assert machine.asked == []
    assert await machine.watch.look() == UNKNOWN


async def test_nobody_is_asked_without_a_program(machine: Machine) -> None:
    machine.program.unlink()

    assert await Watch(SMART(), machine.tree.host).look() == {}


async def test_what_is_called_smartctl_and_cannot_be_run_is_no_program(machine: Machine) -> None:
    machine.program.chmod(0o644)

    assert await Watch(SMART(), machine.tree.host).look() == {}


async def test_a_machine_without_sysfs_has_no_disks(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "sys/block").rmdir()

    assert await machine.watch.look() == {}


@pytest.mark.parametrize("probe", [SMART(), None], ids=["unnamed", "named"])
async def test_a_program_that_anybody_may_have_written_is_not_run(
    machine: Machine, probe: SMART | None
) -> None:
    machine.program.chmod(0o777)

    told = await Watch(probe or machine.probe(), machine.tree.host).look()

    assert told == UNKNOWN
    assert machine.asked == []


async def test_a_disk_that_tells_nothing_is_unknown(machine: Machine) -> None:
    machine.says("nvme0", "Smartctl open device: /dev/nvme0 failed: Permission denied")

    assert await machine.watch.look() == UNKNOWN


async def test_a_program_that_hangs_is_not_waited_for_and_makes_nothing_well(
    machine: Machine,
) -> None:
    machine.program.write_text("#!/bin/sh\nexec sleep 60\n")
    probe = SMART(patience=timedelta(seconds=0.2))

    assert await Watch(probe, machine.tree.host).look() == UNKNOWN


@pytest.mark.parametrize("settings", [{"command": "smartctl"}, {"memory": "0"}], ids=str)
def test_what_cannot_be_run_is_refused(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected"):
        SMART(**settings)  # type: ignore[arg-type]  # what a file may say


def test_it_is_on_as_it_comes() -> None:
    assert load({}).probes["smart"] == SMART()
