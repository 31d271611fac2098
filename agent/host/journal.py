"""The kernel's log out of the journal's files, for an agent that may not open the kernel's own.

The journal's own numbers are everybody's, and begin anew with it. So what the kernel said is
numbered by the time at which it did, in µs: the same however often and out of which file it is
read, and with holes that tell nothing. What is compressed, lines of half a kibibyte and more, is
not read here.
"""

import asyncio
import errno
import itertools
import logging
import os
import stat
from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import Final, TypeAlias

from agent.host import doors
from agent.host.doors import Door
from agent.host.guard import Guard, HungError
from agent.host.journalfile import Entry, JournalFile, StrangeError

logger = logging.getLogger(__name__)

FOLDERS: Final = ("var/log/journal", "run/log/journal")
_FULL: Final = "@"
"""In the name of a file that is written to no more."""
_MACHINE_ID: Final = "etc/machine-id"
_LOOK_AGAIN: Final = 1.0
"""Seconds between two looks: the journal wakes nobody who may not watch its files."""
_PATIENCE: Final = timedelta(seconds=20)
_MOST: Final = 20_000
"""How many entries are read in one look: what is damaged may go round in circles."""
_TRIES: Final = 5
"""How often an entry may be half written."""


_Place: TypeAlias = tuple[int, int]
"""Where a file is, whatever its name: its filesystem and its inode."""


class Kernel:
    """Opens the kernel's log, or the journal where that is not to be had.

    Args:
        root: Where the host's root directory is mounted.
        boot_id: The file that tells one boot from the next.
        patience: How long a look at the journal may take.
    """

    def __init__(self, root: Path, boot_id: Path, *, patience: timedelta = _PATIENCE) -> None:
        self._root, self._boot_id, self._patience = root, boot_id, patience
        self._guard = Guard()
        """Outlasts every door: a disk that hangs has one thread, however often it is tried."""

    async def opened(self, path: Path) -> Door:
        """Open one of both.

        Raises:
            OSError: neither can be opened; says why of both.
            agent.host.guard.HungError: the log lies where nobody answers.
        """
        try:
            return await doors.opened(path, self._guard)
        except OSError as refused:
            try:
                door = await self._journal()
            except OSError as failure:
                both = f"{refused.strerror}, and {failure.strerror}"
                raise OSError(refused.errno, both) from failure
            logger.info("%s: %s; the journal is read instead", path, refused.strerror)
            return door

    async def _journal(self) -> "JournalDoor":
        door = JournalDoor(self._root, self._boot_id, self._guard, patience=self._patience)
        try:
            await door.look()
        except BaseException:
            door.close()
            raise
        return door


class JournalDoor(Door):
    """Gives what the kernel said in this boot in the form in which the kernel itself gives it."""

    source = "journal"
    is_numbered = False

    def __init__(
        self, root: Path, boot_id: Path, guard: Guard, *, patience: timedelta = _PATIENCE
    ) -> None:
        self._root, self._boot_id = root, boot_id
        self._guard, self._patience = guard, patience
        self._records = deque[bytes]()
        self._files = dict[_Place, tuple[JournalFile, int]]()
        """Those that were opened, and after when what they say is new: they are renamed when they
        are full, and what was in memory is copied when the disk is there."""
        self._others = set[_Place]()
        """Full ones of earlier boots."""
        self._newest = self._number = -1
        self._damaged, self._tries = 0, 0
        self._looking, self._is_closed = Lock(), False

    def read(self, size: int) -> bytes:
        """Return a record whole, whatever its size."""
        del size
        if not self._records:
            raise BlockingIOError
        return self._records.popleft()

    async def ready(self) -> None:
        """Return when there are records."""
        self._tries = _TRIES
        while not self._records:
            await asyncio.sleep(_LOOK_AGAIN)
            await self.look()

    async def look(self) -> None:
        """Read what is new; a disk that does not answer is no journal."""
        try:
            found = await self._guard.call("journal", self._look, patience=self._patience)
        except HungError as hung:
            raise OSError(errno.ETIMEDOUT, "the journal does not answer") from hung
        self._records += found

    def close(self) -> None:
        """Let go of its files; a look that hangs still reads them, and lets go itself."""
        self._is_closed = True
        self._let_go()

    def _let_go(self) -> None:
        if self._looking.acquire(blocking=False):
            for file, _ in self._files.values():
                file.close()
            self._files.clear()
            self._looking.release()

    def _look(self) -> list[bytes]:
        try:
            with self._looking:
                return self._fresh()
        finally:
            if self._is_closed:
                self._let_go()

    def _fresh(self) -> list[bytes]:
        boot = self._boot_id.read_text().strip().replace("-", "")
        self._open(boot)
        fresh, damaged = list[Entry](), ""
        for file, after in sorted(self._files.values(), key=lambda each: each[0].began):
            try:
                entries = itertools.islice(file.fresh(boot), _MOST)
                fresh += (each for each in entries if each.at > after)
            except StrangeError as strange:
                damaged = str(strange)
            if len(fresh) >= _MOST:
                break  # the rest comes in the next look, and after these
        self._doubt(damaged)
        return [self._record(each) for each in sorted(fresh, key=lambda each: each.at)]

    def _record(self, entry: Entry) -> bytes:
        self._newest = max(self._newest, entry.at)
        self._number = max(self._number + 1, entry.at)  # two may have been said at once
        if b"MESSAGE" not in entry.fields:
            return b"a line that was compressed\n"
        priority = entry.number(b"SYSLOG_FACILITY", 1) << 3 | entry.number(b"PRIORITY", 6)
        text = entry.fields[b"MESSAGE"].replace(b"\n", rb"\x0a")
        return b"%d,%d,%d,-;%s\n" % (priority, self._number, entry.at, text)

    def _doubt(self, damaged: str) -> None:
        """Give up when a file makes no sense, unless it may in a moment, being written to."""
        self._damaged = self._damaged + 1 if damaged else 0
        if self._damaged > self._tries:
            raise OSError(errno.EBADMSG, f"the journal is damaged: {damaged}")

    def _open(self, boot: str) -> None:
        """Open the files that are new and of this boot, and forget those that are gone."""
        there = dict(_found(self._root))
        for place in self._files.keys() - there.keys():
            self._files.pop(place)[0].close()
        self._others &= there.keys()
        for place in there.keys() - self._files.keys() - self._others:
            self._opened(place, there[place], boot)
        if not self._files:
            raise FileNotFoundError(errno.ENOENT, "the host has no journal of this boot")

    def _opened(self, place: _Place, path: Path, boot: str) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            file = JournalFile(fd)
        except (StrangeError, OSError) as strange:
            os.close(fd)
            logger.debug("%s: %s", path, strange)
            return
        if file.boot == boot:
            self._files[place] = (file, self._newest)
            return
        file.close()
        if _FULL in path.name:
            self._others.add(place)


def _found(root: Path) -> Iterator[tuple[_Place, Path]]:
    """Find the files of the system's own journal, full ones and the one that is written to."""
    try:
        machine = (root / _MACHINE_ID).read_text().strip()
    except FileNotFoundError:
        return
    for folder in FOLDERS:
        try:
            paths = [*(root / folder / machine).glob("system*.journal")]
        except OSError:
            continue
        for path in paths:
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                yield (status.st_dev, status.st_ino), path
