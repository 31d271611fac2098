"""What the stand-in driver writes into the kernel's log."""

import os
import re
from collections.abc import Callable
from pathlib import Path

from simulator.driver import kernellog
from simulator.driver.control import Driver
from tests.simulator.driver.clients import Client


def test_a_lost_gpu_is_told_as_xid_and_in_words() -> None:
    assert kernellog.kernel_lines("0000:3b:00.0", 79) == (
        (
            "NVRM: Xid (PCI:0000:3b:00): 79, pid='<unknown>', name=<unknown>, "
            "GPU has fallen off the bus."
        ),
        "NVRM: GPU 0000:3b:00.0: GPU has fallen off the bus.",
    )


def test_an_xid_of_a_program_names_it() -> None:
    line = kernellog.xid("0000:3b:00.0", 31, pid=77, name="train")

    assert line.startswith("NVRM: Xid (PCI:0000:3b:00): 31, pid=77, name=train, Ch 00000008")


def test_any_xid_can_be_told() -> None:
    pattern = re.compile(r"NVRM: Xid \(PCI:0000:3b:00\): (\d+), pid=\S+, name=\S+, \S.*")
    matched = [pattern.fullmatch(kernellog.xid("0000:3b:00.0", code)) for code in range(1, 180)]

    assert [int(found[1]) for found in matched if found] == list(range(1, 180))


def test_an_error_of_a_switch_names_its_link() -> None:
    assert kernellog.sxid("0000:07:00.0", 1, 12028, fatal=False, link=5) == (
        "nvidia-nvswitch1: SXid (PCI:0000:07:00): 12028, Non-fatal, Link 05"
    )


def test_records_are_those_of_the_kernel(tmp_path: Path) -> None:
    log = kernellog.KernelLog(path=tmp_path / "kmsg", clock=lambda: 12.5)
    log.write(["one", "two"])

    assert log.path.read_text() == "3,0,12500000,-;one\n3,1,12500000,-;two\n"


def test_a_fifo_gets_each_record_in_one_piece(tmp_path: Path) -> None:
    fifo = tmp_path / "kmsg"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    kernellog.KernelLog(path=fifo, clock=lambda: 0.0).write(["one", "two"])
    told = os.read(reader, 4096)
    os.close(reader)

    assert told.splitlines() == [b"3,0,0,-;one", b"3,1,0,-;two"]


def test_an_xid_is_told_both_ways(
    driver: Driver, start: Callable[[], Client], tmp_path: Path
) -> None:
    client, log = start().open(), kernellog.KernelLog(path=tmp_path / "kmsg")
    events = client.watch(3)
    driver.xid(3, 48, log=log)

    assert client.ask("nvmlEventSetWait_v2", events, 20_000, thread="events")["eventData"] == 48
    assert "Xid (PCI:0000:61:00): 48" in log.path.read_text()
