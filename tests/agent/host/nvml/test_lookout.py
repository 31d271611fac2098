"""What was seen last is not taken for the present for ever."""

import os
from pathlib import Path

from agent.host.nvml.lookout import Lookout
from agent.host.nvml.settings import Nvml

DEVICE = "sys/bus/pci/devices/0000:05:00.0"


async def test_a_bus_that_cannot_be_looked_at_for_a_minute_is_not_seen(tmp_path: Path) -> None:
    vendor = tmp_path / DEVICE / "vendor"
    vendor.parent.mkdir(parents=True)
    vendor.write_text("0x10de")
    (vendor.parent / "class").write_text("0x030200")
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
    assert (lookout.is_blind(71), lookout.scan.bus.gpus) == (False, ("0000:05:00.0",))
