"""A line that the operator asks for counts once for each pattern, and too many are said to be."""

import asyncio
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from agent import buckets
from agent.host.complaints.own import Own, Patterns
from agent.host.kmsg import KernelLog
from agent.host.linux import Host
from agent.host.records import OWN, TOPICS
from agent.probes.kernel_patterns import SIGNAL, KernelPatterns
from tests.agent.watched import NOON, Watch

FAN: Final = Own(
    name="fan-failed",
    words=("fan stopped",),
    line=re.compile(r"^acme (?P<part>\w{1,8}): fan stopped"),
)
ALL: Final = Own(name="acme", words=("acme",), line=re.compile("^acme"))


class Ring:
    """A kernel's log in a file, and agents that read it one after the other."""

    def __init__(self, path: Path, *patterns: Own, problems: tuple[str, ...] = ()) -> None:
        self.path, self.said = path, list[str]()
        self.patterns = Patterns(good=patterns, problems=problems)
        self.seconds = 0
        self.watch = Watch(KernelPatterns(), self.host())

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def host(self) -> Host:
        topics = {**TOPICS, OWN: self.patterns.words}
        log = KernelLog(self.path, topics=topics)
        return Host(kernel_log=log, patterns=self.patterns, clock=self.now)

    async def says(self, *lines: str, priority: int = 2) -> None:
        begun = len(self.said)
        self.said += [
            f"{priority},{begun + n},1,-;{each}\n" for n, each in enumerate(lines, start=1)
        ]
        await asyncio.to_thread(self.path.write_text, "".join(self.said))
        await self.look()

    async def look(self) -> None:
        await self.watch.host.kernel_log.once()
        await self.watch.look()

    async def restart(self, *patterns: Own) -> None:
        self.patterns = Patterns(good=patterns)
        self.watch.restart(self.host())
        await self.look()

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        return {
            (each.subject, str(each.fields["part"])): each.count
            for each in self.watch.report.events
            if each.name == SIGNAL
        }

    @property
    def suppressed(self) -> dict[str, int]:
        return {
            each.subject: each.count
            for each in self.watch.report.events
            if each.name == buckets.SIGNAL
        }

    @property
    def message(self) -> str:
        return self.watch.report.probes[0].message


async def test_a_line_counts_once_for_each_pattern_that_it_has(tmp_path: Path) -> None:
    ring = Ring(tmp_path / "kmsg", FAN, ALL)

    await ring.says("acme fan1: fan stopped", "acme fan1: fan turns", "app: acme", "fan stopped")
    await ring.restart(FAN, ALL)

    assert ring.counts == {("fan-failed", "fan1"): 1, ("acme", ""): 2}
    assert ring.message == ""


async def test_a_pattern_that_is_new_counts_what_the_log_still_holds(tmp_path: Path) -> None:
    ring = Ring(tmp_path / "kmsg", FAN)
    await ring.says("acme fan1: fan turns", "acme fan1: fan stopped")

    await ring.restart(FAN, ALL)

    assert ring.counts == {("fan-failed", "fan1"): 1, ("acme", ""): 2}


async def test_what_another_program_wrote_is_no_line_of_the_kernel(tmp_path: Path) -> None:
    ring = Ring(tmp_path / "kmsg", FAN)

    await ring.says("acme fan1: fan stopped", priority=14)

    assert ring.counts == {}


async def test_of_many_parts_a_few_are_told_apart(tmp_path: Path) -> None:
    ring = Ring(tmp_path / "kmsg", FAN)

    await ring.says(*(f"acme fan{n}: fan stopped" for n in range(100)))

    assert (len(ring.counts), ring.counts["fan-failed", "others"]) == (13, 88)


async def test_what_is_too_much_is_counted_and_said_not_to_be_told_one_by_one(
    tmp_path: Path,
) -> None:
    ring = Ring(tmp_path / "kmsg", FAN, ALL)

    await ring.says(*(["acme fan1: fan stopped"] * 1300), "acme fan2: fan stopped")
    told = [ring.counts, ring.suppressed, ring.message]
    ring.seconds += 50
    await ring.restart(FAN, ALL)
    await ring.says(*(["acme fan1: fan stopped"] * 60))

    assert told == [
        {("fan-failed", "fan1"): 1300, ("fan-failed", "fan2"): 1, ("acme", ""): 1301},
        {"fan-failed": 301, "acme": 301},
        "",
    ]
    assert ring.counts["fan-failed", "fan1"] == 1360
    assert ring.suppressed == {"fan-failed": 311, "acme": 311}


async def test_what_cannot_be_seen_is_said(tmp_path: Path) -> None:
    ring = Ring(tmp_path / "none", FAN, problems=("x_patterns.yaml: bad",))

    await ring.look()

    assert ring.message == (
        "a pattern is not looked for: x_patterns.yaml: bad; "
        f"no line is seen: {tmp_path}/none: No such file or directory"
    )


async def test_who_asks_for_nothing_misses_nothing(tmp_path: Path) -> None:
    ring = Ring(tmp_path / "none")

    await ring.look()

    assert (ring.counts, ring.message) == ({}, "")


async def test_a_line_wakes_the_probe(tmp_path: Path) -> None:
    ring = Ring(tmp_path / "kmsg", FAN)
    waiting = asyncio.create_task(KernelPatterns().stirred(ring.watch.host))
    await asyncio.to_thread(ring.path.write_text, "2,1,1,-;acme fan1: fan stopped\n")
    await ring.watch.host.kernel_log.once()

    await asyncio.wait_for(waiting, 1)
