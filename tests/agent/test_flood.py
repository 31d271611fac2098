"""A hundred thousand complaints at once: every one is counted, none is lost, nobody is starved."""

import asyncio
from collections import Counter
from pathlib import Path
from random import Random
from typing import Final

from agent import buckets, state
from agent.host.doors import Door
from agent.host.kmsg import KernelLog
from agent.host.linux import Host
from agent.monitor import Monitor
from agent.probes.kernel_log import Complaints
from nodehealth.health import ProbeState
from simulator import virtualtime
from simulator.virtualtime import played
from tests.agent.kernellines import SAID
from tests.agent.test_storm import Ring, Steady

LINES: Final = 100_000
ERRORS: Final = "I/O error, dev sda, sector 1"
ODD: Final = [text for text, each in SAID.items() if each.signal == "disk.filesystem_errors"]
"""What must not be lost among them, of the same table."""


@played
async def test_a_flood_of_complaints_is_counted_to_the_last_one() -> None:
    texts, clock, asked = [ERRORS] * LINES, virtualtime.clock(), list[float]()
    for at, text in enumerate(ODD):
        texts[(at + 1) * LINES // (len(ODD) + 1)] = text
    records = [f"2,{n},1,-;{text}\n".encode() for n, text in enumerate(texts, 1)]

    async def opened(_: Path) -> Door:
        await asyncio.sleep(1)
        return Ring(records)

    log = KernelLog(Path("/dev/kmsg"), opened=opened, clock=clock)
    probes = {"kernel-log": Complaints(), "steady": Steady(asked=asked)}
    begin = state.begin(None, boot_id="b", node_uid="u", probes=probes, now=clock())
    monitor = Monitor(probes, Host(kernel_log=log, clock=clock), begin=begin, clock=clock)
    running = [asyncio.create_task(each.run(Random(1))) for each in (log, monitor)]
    await asyncio.sleep(10)
    for each in running:
        each.cancel()
    await asyncio.wait(running)

    counted = Counter[str]()
    for event in monitor.state.events:
        counted[event.name] += event.count
    assert log.losses.count == 0
    single = LINES - len(ODD) - counted.pop(buckets.SIGNAL)
    assert counted == {
        "disk.io_errors_logged": LINES - len(ODD),
        "disk.filesystem_errors": len(ODD),
    }
    assert buckets.HOLDS <= single <= buckets.HOLDS + 10
    assert monitor.state.reports["kernel-log"].state is ProbeState.OK
    assert len(asked) >= 9
