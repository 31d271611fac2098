"""What was seen last is not taken for the present for ever."""

import os
from pathlib import Path

from agent.host.nvml.lookout import Lookout
from agent.host.nvml.settings import Nvml
from tests.agent import descriptors
from tests.agent.host.nvml.stands import device

PCI = "0000:05:00.0"


async def test_a_bus_that_cannot_be_looked_at_for_a_minute_is_not_seen(tmp_path: Path) -> None:
    device(tmp_path, PCI)
    vendor = tmp_path / "sys/bus/pci/devices" / PCI / "vendor"
    lookout = Lookout(Nvml(), tmp_path)
    await lookout.look(0)
    vendor.unlink()
    os.mkfifo(vendor)  # whoever opens it waits
    await lookout.look(20)
    before = [(now, lookout.is_blind(now)) for now in (30, 60, 61)]

    os.close(os.open(vendor, os.O_RDWR | os.O_NONBLOCK))
    vendor.unlink()
    vendor.write_text("0x10de")
    await lookout.look(70)

    assert before == [(30, False), (60, False), (61, True)]
    assert (lookout.is_blind(71), lookout.scan.bus.gpus) == (False, (PCI,))


async def test_what_cannot_be_seen_for_want_of_descriptors_is_as_it_was(tmp_path: Path) -> None:
    device(tmp_path, PCI)
    lookout = Lookout(Nvml(), tmp_path)
    await lookout.look(0)

    with descriptors.none_left():
        await lookout.look(20)

    assert lookout.scan.bus.gpus == (PCI,)
