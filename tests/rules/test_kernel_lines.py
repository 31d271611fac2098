"""Every line that is understood comes through a FIFO to the rule that is about it, and is over."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

import pytest
import yaml

from agent import state
from agent.host.complaints import own
from agent.host.kmsg import KernelLog
from agent.host.linux import Host
from agent.host.records import OWN, TOPICS
from agent.probes.kernel_log import Complaints
from agent.probes.kernel_patterns import KernelPatterns
from nodehealth.health import NodeHealth
from nodehealth.kube.objects import Metadata, Node, NodeInfo, NodeStatus
from nodehealth.signals import Kind
from remediator.decide.facts import Facts, Watches
from remediator.decide.judge import Judgement, judge
from remediator.files import remedy
from remediator.rules import load
from tests.agent.kernellines import SAID
from tests.agent.watched import NOON

ROOT: Final = Path(__file__).parents[2]
RULES: Final = load.rules(ROOT / "rules", remedy)
SHIPPED: Final = tuple(sorted((ROOT / "rules").glob("*/*_patterns.yaml")))
PATTERNS: Final = own.read(SHIPPED)
PROBES: Final = {"kernel-log": Complaints(), "kernel-patterns": KernelPatterns()}
OFTEN: Final = 100
"""So often a line is said that every rule has heard it often enough."""
LATER: Final = timedelta(days=3)
"""By then every rule has forgotten what it counts for a while only."""
SOON: Final = timedelta(minutes=10)
"""By then what has to last has lasted."""
STILL: Final = "not responding, still trying"
"""What the kernel takes back when it is over; of nothing else does it say that."""
HARMLESS: Final = (
    "Memory cgroup out of memory",  # a container met its own limit; many kills make a storm
    "Machine check events logged",  # which ones, other lines say
    "Card not present",  # somebody may have taken it out; a link that is lost is the fault
    "nfs: server filer-3.example OK",
)
UNTIL_BOOT: Final = {
    rule.name
    for rule in RULES.rules
    if any(each.signal.kind is Kind.EVENT and each.within is None for each in rule.questions)
}
"""The rules by which a kernel that has said such a thing is not believed before it boots."""


class Machine:
    """A machine with a FIFO for a kernel's log, its agent, and what the rules make of it."""

    def __init__(self, folder: Path) -> None:
        self.kmsg = folder / "kmsg"
        self.now, self.boot, self.said = NOON, "b1", 0
        topics = {**TOPICS, OWN: PATTERNS.words}
        self.log = KernelLog(self.kmsg, topics=topics, clock=self.clock)
        self.host = Host(
            root=folder,
            mountinfo=folder / "mountinfo",
            kernel_log=self.log,
            patterns=PATTERNS,
            clock=self.clock,
        )
        self.known = state.begin(None, boot_id="b1", node_uid="u", probes=PROBES, now=NOON)
        self.judgement = Judgement()

    def clock(self) -> datetime:
        return self.now

    async def says(self, *lines: str) -> None:
        """Let the kernel say lines, and wait until they were read."""
        first, self.said = self.said, self.said + len(lines)
        records = "".join(f"2,{first + n},1,-;{line}\n" for n, line in enumerate(lines, start=1))
        await asyncio.to_thread(self.kmsg.write_text, records)
        async with asyncio.timeout(30):
            while self.log.lines < self.said:  # noqa: ASYNC110 - the log tells of no line
                await asyncio.sleep(0.001)

    def boots(self) -> None:
        """Let it boot anew."""
        self.boot = "b2"
        self.known = state.begin(
            self.known, boot_id="b2", node_uid="u", probes=PROBES, now=self.now
        )

    async def faults(self) -> tuple[str, ...]:
        """Let the agent look and the rules judge, and name the rules that hold or are not over."""
        for name, probe in PROBES.items():
            answers = await probe.check(self.host, state.past(self.known, name))
            self.known = state.answered(self.known, name, answers, self.now)
        info = NodeStatus(node_info=NodeInfo(boot_id=self.boot))
        facts = Facts(
            node=Node(metadata=Metadata(name="n1", uid="u"), status=info),
            health=NodeHealth(status=state.status(self.known, agent_version="0")),
            heard_at=self.now,
            watches=Watches(nodes=self.now, healths=self.now, agents=self.now),
        )
        self.judgement = judge(RULES.rules, facts, self.judgement, self.now)
        return self.judgement.faults()

    async def broken(self) -> tuple[str, ...]:
        """Look at once and after a while, and name all rules that hold at either time."""
        first = await self.faults()
        self.now += SOON
        return tuple({*first, *await self.faults()})

    async def later(self) -> tuple[str, ...]:
        """Let time pass in two steps: one in which all grows old, one in which that is over."""
        self.now += LATER
        await self.faults()
        self.now += LATER
        return await self.faults()


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Machine]:
    (folder / "mountinfo").write_text("25 1 259:1 / / rw - ext4 /dev/root rw\n")
    os.mkfifo(folder / "kmsg")
    machine = Machine(folder)
    reading = asyncio.create_task(machine.log.run(Random(1)))
    try:
        yield machine
    finally:
        reading.cancel()
        await asyncio.wait([reading])


def shipped() -> Iterator[str]:
    """Give the samples of all patterns that come with the rules."""
    for file in SHIPPED:
        for pattern in yaml.safe_load(file.read_text())["spec"]["patterns"]:
            yield from pattern["says"]


def harmless(line: str) -> bool:
    """Say whether a line is told of, but no fault by itself however often it comes."""
    return any(words in line for words in HARMLESS)


@pytest.mark.parametrize("line", [*SAID, *shipped()])
async def test_a_line_makes_the_fault_of_one_rule_and_that_ends(tmp_path: Path, line: str) -> None:
    async with running(tmp_path) as machine:
        await machine.says(*["all is well"] * OFTEN)
        well = await machine.faults()
        await machine.says(*[line] * OFTEN)
        broken = await machine.broken()
        if STILL in line:
            await machine.says(line.replace(STILL, "OK"))
        old = await machine.later()
        machine.boots()
        booted = await machine.later()

    assert (well, len(broken), booted) == ((), 0 if harmless(line) else 1, ())
    assert set(old) == set(broken) & UNTIL_BOOT
