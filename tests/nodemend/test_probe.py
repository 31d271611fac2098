"""One sweep of this machine, for a person and for a script."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import pytest
from rich.console import Console

from agent import settings
from agent.host.nvml.facts import Bus, Driver, Gpus
from nodehealth.health import Event, Level, NodeHealthStatus, ProbeReport, ProbeState
from nodehealth.kit.settings import SettingsError
from nodehealth.signals import Knowledge
from nodemend import probe
from nodemend.probe import Sweep, Verdict

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
KNOWN = Level(
    name="disk.free_ratio", subject="/", value=0.035, since=NOON, fields={"fstype": "xfs"}
)
UNKNOWN = msgspec.structs.replace(KNOWN, subject="/nfs", knowledge=Knowledge.UNKNOWN)
ABSENT = Level(
    name="disk.free_inodes_ratio", subject="/", since=NOON, knowledge=Knowledge.NOT_APPLICABLE
)
XID = Event(name="gpu.xid", subject="GPU-1", boot_id="b", fields={"code": 79}, count=2)
WELL = ProbeReport(name="filesystems", state=ProbeState.OK, since=NOON)
FAILED = ProbeReport(
    name="filesystems", state=ProbeState.FAILED, since=NOON, message="/nfs: it hangs"
)


def status(*levels: Level, report: ProbeReport = WELL) -> NodeHealthStatus:
    return NodeHealthStatus(
        boot_id="b", levels=levels, events=(XID,), probes=(report,), reported_at=NOON
    )


def drawn(told: NodeHealthStatus, faults: Sequence[str] = ()) -> str:
    console = Console(width=100, color_system=None)
    with console.capture() as seen:
        console.print(probe.render(Sweep(status=told), faults))
    return seen.get()


def test_this_machine_is_swept_without_a_cluster() -> None:
    told = asyncio.run(probe.sweep_once(settings.load({}))).status

    roots = [each for each in told.levels if each.subject == "/"]
    shares = {"disk.free_ratio", "disk.free_inodes_ratio"}
    assert {each.name for each in roots} >= {*shares, "disk.read_only"}
    assert told.boot_id
    assert told.reported_at is not None


def test_a_wrong_boot_id_file_is_said() -> None:
    wrong = settings.load({"BOOT_ID_FILE": "/nowhere"})

    with pytest.raises(SettingsError, match=r"boot id: expected a readable file, got: .*nowhere"):
        asyncio.run(probe.sweep_once(wrong))


@pytest.mark.parametrize(
    ("told", "faults", "verdict"),
    [
        (status(KNOWN, ABSENT), [], Verdict.HEALTHY),
        (status(KNOWN), ["disk-full"], Verdict.UNHEALTHY),
        (status(UNKNOWN, report=FAILED), ["disk-full"], Verdict.UNHEALTHY),
        (status(KNOWN, UNKNOWN), [], Verdict.UNKNOWN),
        (status(KNOWN, report=FAILED), [], Verdict.UNKNOWN),
    ],
)
def test_the_exit_code_says_how_the_machine_is(
    told: NodeHealthStatus, faults: list[str], verdict: Verdict
) -> None:
    assert probe.verdict(Sweep(status=told), faults) is verdict


def test_a_machine_whose_gpus_have_no_driver_is_not_called_healthy() -> None:
    bare = Gpus(bus=Bus(gpus=("0000:3b:00.0",)), driver=Driver.ABSENT)

    assert probe.verdict(Sweep(status=status(KNOWN), gpus=bare), []) is Verdict.UNKNOWN


def test_a_person_sees_what_is_known_and_what_is_not() -> None:
    lines = drawn(status(KNOWN, ABSENT, UNKNOWN, report=FAILED)).splitlines()

    assert [" ".join(line.split()) for line in lines] == [
        "SIGNAL SUBJECT VALUE DETAILS",
        "disk.free_ratio / 3.5% fstype=xfs",
        "disk.free_inodes_ratio / not applicable",
        "disk.free_ratio /nfs unknown fstype=xfs",
        "gpu.xid GPU-1 2 times code=79",
        "",
        "probe filesystems: Failed: /nfs: it hangs",
        "No fault is known, but not everything could be read.",
    ]


def test_a_person_sees_the_faults() -> None:
    assert drawn(status(KNOWN), ["disk-full: / has 3.5% left"]).endswith(
        "fault: disk-full: / has 3.5% left\n"
    )


def test_a_person_sees_that_all_is_well() -> None:
    assert drawn(status(KNOWN)).endswith("Healthy, as of 2026-01-01T12:00:00+00:00.\n")


def test_a_script_reads_the_same() -> None:
    read = json.loads(probe.as_json(Sweep(status=status(KNOWN)), ["disk-full"]))

    assert (read["health"], read["faults"], read["gpus"]) == ("unhealthy", ["disk-full"], None)
    assert read["status"]["levels"][0]["value"] == 0.035
