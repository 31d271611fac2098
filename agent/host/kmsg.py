"""The one reader of the kernel's log: it never blocks, never spins, and says what it missed.

The ring holds the records of this boot, the oldest of them overwritten. It is read from its oldest
record whenever the agent begins; whoever counts knows by a record's number what he has counted, and
what an earlier agent had not read yet and the ring holds no more is lost.
"""

import asyncio
import errno
import functools
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from itertools import chain
from pathlib import Path
from random import Random
from typing import Final, NoReturn, TypeAlias

from agent.host import doors, records
from agent.host.doors import Door
from agent.host.guard import Guard, HungError
from agent.host.records import KERNEL, TOPICS, Line, Position, Record
from agent.host.stream import Losses, Stream
from nodehealth.kit import clocks, loops
from nodehealth.kit.clocks import Clock

logger = logging.getLogger(__name__)

KMSG: Final = Path("/dev/kmsg")
TURN: Final = 512
"""How many records are read before the rest of the agent gets its turn."""
_BREATH: Final = 0.005
"""Seconds between two turns while a stream is crowded, for 100,000 records a second at most."""
_SIZE: Final = 8192
"""Bytes of a read: a record of any kernel fits; one that does not makes it larger."""
_LARGEST: Final = 1 << 20
_MOST_TORN: Final = 16
"""How often the device may say that records were overwritten before it gives a new one."""
_FIRST_PAUSE: Final = timedelta(seconds=1)
_LONGEST_PAUSE: Final = timedelta(minutes=1)

Opened: TypeAlias = Callable[[Path], Awaitable[Door]]
_FAILURES: Final = (OSError, HungError, RuntimeError)
"""What is in the way for a while; the last where the machine gives us no thread."""


class KernelLog:
    """Follows the kernel's log, and keeps the records of each topic for whoever watches it.

    Args:
        path: The device, or a FIFO or a file in its place; nothing is read where there is none.
        topics: By name the words of which a record of the topic has one.
        everybody: Whether records count that other programs than the kernel wrote.
        clock: What time it is.
        opened: What opens the path.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        topics: Mapping[str, tuple[str, ...]] = TOPICS,
        everybody: bool = False,
        clock: Clock = clocks.wall,
        opened: Opened | None = None,
    ) -> None:
        self.trouble = "" if path else "the kernel's log is not read"
        """Why it cannot be read now, in words that stay the same while it is so."""
        self.lines = 0
        """Records that were read."""
        self.losses = Losses()
        """Records that were overwritten before they were read, or that nobody took in time."""
        self.strange = 0
        """Lines that are no record."""
        self.reopens = 0
        """How often it had to be opened again, or could not be."""
        self._streams = {name: Stream[Line](losses=self.losses) for name in topics}
        self._wanted = [
            (records.matcher(words), self._streams[name]) for name, words in topics.items()
        ]
        self._any = records.matcher(tuple(chain.from_iterable(topics.values())))
        self._path, self._everybody, self._clock = path, everybody, clock
        self._opened = opened or functools.partial(doors.opened, guard=Guard())
        self._size = _SIZE
        self._part = b""
        self._last: int | None = None
        self._last_at = 0
        self._source = Door.source
        self._is_numbered = True
        self._before: Position | None = None
        self._is_torn = False
        self._torn = 0
        self._is_live = False

    def stream(self, topic: str) -> Stream[Line]:
        """Return the records of a topic; each has one reader."""
        return self._streams[topic]

    @property
    def position(self) -> Position | None:
        """Return how far it was read, by this agent or the one before."""
        if self._last is None:
            return self._before
        return Position(source=self._source, sequence=self._last, microseconds=self._last_at)

    def resume(self, before: Position | None) -> None:
        """Take in, before anything is read, how far an earlier agent of this boot had read.

        A hole behind that is a loss. Of another source, what was written by then was counted.
        """
        self._before = before

    async def run(self, random: Random) -> None:
        """Read for ever, through every failure, until cancelled."""
        if self._path is None:
            return
        while True:
            pauses = loops.backoff(_FIRST_PAUSE, _LONGEST_PAUSE, random=random)
            for pause in pauses:
                had = self.lines
                await self._followed(self._path)
                self.reopens += 1
                await asyncio.sleep(pause.total_seconds())
                if self.lines > had:
                    break  # it was good for a while: the next pause is short again

    async def once(self) -> None:
        """Read all that is in the log now, and no more."""
        if self._path is None:
            return
        try:
            door = await self._opened(self._path)
        except _FAILURES as failure:
            self._complain(self._path, failure)
            return
        self._begin(door)
        try:
            while True:
                if self._drained(door):
                    return
                await asyncio.sleep(0)
        except _FAILURES as failure:
            self._complain(self._path, failure)
        finally:
            door.close()

    async def _followed(self, path: Path) -> None:
        """Open and follow it until something is in the way."""
        try:
            door = await self._opened(path)
        except _FAILURES as failure:
            self._complain(path, failure)
            return
        self._begin(door)
        try:
            await self._follow(door)
        except _FAILURES as failure:
            self._complain(path, failure)
        finally:
            door.close()

    def _begin(self, door: Door) -> None:
        """Read on through a door, which may be another source's."""
        if door.source != self._source:
            self._before, self._last = self.position, None
        self._source, self._is_numbered = door.source, door.is_numbered
        self._part, self._is_live, self._torn = b"", False, 0
        self._is_torn = door.is_numbered and self._last is not None

    async def _follow(self, door: Door) -> NoReturn:
        while True:
            if self._drained(door):
                self._is_live = True
                self._recover()
                await door.ready()
            else:
                await asyncio.sleep(0)
            if any(stream.when_crowded.is_set() for _, stream in self._wanted):
                await asyncio.sleep(_BREATH)

    def _drained(self, door: Door) -> bool:
        """Read as much as one turn may; say whether nothing is left for now."""
        begun = self.lines
        for _ in range(TURN):
            if self.lines - begun >= TURN:
                return False
            try:
                chunk = door.read(self._size)
            except BlockingIOError:
                return True
            except OSError as failure:
                self._forgive(failure)
                continue
            if not chunk:
                return True
            self._take(chunk)
        return False

    def _forgive(self, failure: OSError) -> None:
        """Go on after what the device says of records, and raise what it says of itself."""
        if failure.errno == errno.EPIPE and self._torn < _MOST_TORN:
            if self._last is None and not self._is_torn:
                self.losses.note(1)
            self._is_torn, self._part = True, b""
            self._torn += 1
        elif failure.errno == errno.EINVAL and self._size < _LARGEST:
            self._size *= 2
        elif failure.errno != errno.EINTR:
            raise failure

    def _take(self, chunk: bytes) -> None:
        *lines, self._part = (self._part + chunk).split(b"\n")
        for each in lines:
            if each and not each.startswith(b" "):  # else it tells of the device of the record
                self._read(each)
        if len(self._part) > _LARGEST:
            self._part, self.strange = b"", self.strange + 1

    def _read(self, line: bytes) -> None:
        found = records.record(line)
        if found is None:
            self.strange += 1
            return
        if self._is_torn:
            self._mend(found.sequence)
        if self._last is not None and found.sequence <= self._last:
            return  # the ring is read from its oldest record after a failure
        if self._last is None:
            self._miss(found.sequence)
        self._last, self._last_at = found.sequence, found.microseconds
        self.lines += 1
        self._torn = 0
        if self._was_counted(found):
            return
        if self._everybody or found.facility == KERNEL:
            self._sort(found)

    def _mend(self, sequence: int) -> None:
        """Count what is missing between the record that was read last and this one."""
        self._is_torn = False
        if self._last is not None:
            self.losses.note(sequence - self._last - 1)

    def _miss(self, first: int) -> None:
        """Count what is missing between an earlier agent's last record and our first one."""
        before = self._before
        if self._is_numbered and before is not None and before.source == self._source:
            self.losses.note(first - before.sequence - 1)

    def _was_counted(self, found: Record) -> bool:
        """Say whether a record was read in another source, which numbers it otherwise."""
        before = self._before
        is_other = before is not None and before.source != self._source
        return is_other and before is not None and found.microseconds <= before.microseconds

    def _sort(self, found: Record) -> None:
        if not self._any.search(found.text):
            return  # most lines are nobody's: they are looked at once, not once a topic
        for wanted, stream in self._wanted:
            if wanted.search(found.text):
                stream.put(self._line(found))

    def _line(self, found: Record) -> Line:
        """Say when it was written.

        One that comes while we listen was written just now. The clock of the ring is not corrected
        and runs away from every other one by a second in some days; there is nothing else for what
        was written before.
        """
        heard, age = self._clock(), 0.0
        up = asyncio.get_running_loop().time()  # counted from the start of the machine, too
        if not self._is_live:
            age = max(age, up - found.microseconds / 1e6)
        return Line(
            sequence=found.sequence,
            at=heard - timedelta(seconds=age),
            heard=heard,
            up=up,
            text=found.text.decode(errors="replace"),
            source=self._source,
        )

    def _complain(self, path: Path, failure: Exception) -> None:
        why = failure.strerror if isinstance(failure, OSError) else None
        trouble = f"{path}: {why or failure}"
        if trouble != self.trouble:
            logger.warning("the kernel's log cannot be read, trying again: %s", trouble)
        self.trouble = trouble

    def _recover(self) -> None:
        if self.trouble:
            logger.info("the kernel's log can be read again")
            self.trouble = ""
