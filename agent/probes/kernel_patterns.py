"""Lines of the kernel's log that patterns of the operator's own ask for, if there are any."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from agent import troubles
from agent.buckets import Teller
from agent.host.complaints.own import Own
from agent.host.linux import Host
from agent.host.records import OWN, Line
from agent.host.stream import Stream
from agent.probe import Past, Probe
from agent.readings import Answer, Aside, Gap, Occurrence

SIGNAL: Final = "kernel.custom"
_RECENT: Final = timedelta(minutes=10)
_TURN: Final = 64
"""How many lines are understood before the rest of the agent gets its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelPatterns(Probe):
    """Takes what the kernel's log has told since the last look."""

    interval: timedelta = timedelta(seconds=10)

    def listens(self, host: Host) -> Sequence[Stream[Any]]:
        """Listen to the log."""
        return [host.kernel_log.stream(OWN)]

    async def check(self, host: Host, past: Past) -> Sequence[Answer | Aside]:
        """Count each line once for each pattern that it has."""
        names, teller = troubles.remembered(past), Teller(past, host.now())
        for at, line in enumerate(host.kernel_log.stream(OWN).take()):
            if at % _TURN == 0:
                await asyncio.sleep(0)
            for pattern, part in _found(host.patterns.good, line):
                names, called = names.called(f"{SIGNAL} {pattern.name}", part)
                teller.tell(pattern.name, line.source, _occurrence(pattern, line, called))
        return [*teller.told(), *names.memos(), *teller.memos(), *_gaps(host)]


def _found(patterns: Sequence[Own], line: Line) -> Iterator[tuple[Own, str]]:
    for each in patterns:
        part = each.read(line.text)
        if part is not None:
            yield each, part


def _occurrence(pattern: Own, line: Line, part: str) -> Occurrence:
    """Say that it happened: a pattern that is new begins with all that the log holds."""
    return Occurrence(
        name=SIGNAL,
        at=line.at,
        source=f"{line.source} {OWN} {pattern.name}",
        position=line.sequence,
        subject=pattern.name,
        fields={"part": part},
    )


def _gaps(host: Host) -> Iterator[Gap]:
    for problem in host.patterns.problems:
        yield Gap(why=f"a pattern is not looked for: {problem}")
    if host.patterns.good and host.kernel_log.trouble:
        yield Gap(why=f"no line is seen: {host.kernel_log.trouble}")
    if host.patterns.good and host.kernel_log.losses.within(_RECENT):
        yield Gap(why="records of the kernel's log were lost before they were counted")
