"""A file that cannot be read to its end by anything: its reader sleeps where nothing wakes it.

It is the only file of a file system of our own, which is served through /dev/fuse and answers all
that the kernel asks except the reading. A thread that reads sleeps in state D, as one does that
called a sick driver: no signal ends it, SIGKILL neither, until the file is thawed, or the process
that serves it is gone. The file system is mounted nowhere where others could meet it: its root is
a descriptor of this process, and goes with it.
"""

import ctypes
import errno
import os
import select
import signal
import stat
import struct
import subprocess
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_DEVICE: Final = "/dev/fuse"
_NUMBERS: Final = (10, 229)
"""Major and minor."""
_FILE: Final = "frozen"
_ROOT_NODE: Final = 1
_FILE_NODE: Final = 2
_MNT_DETACH: Final = 2
_NOSUID_NODEV: Final = 6
_REQUEST_SIZE: Final = 1 << 17
_FOR_LONG: Final = 3600
_PATIENCE: Final = 10.0

# What the kernel asks, by its numbers.
_LOOKUP, _FORGET, _GETATTR, _OPEN, _READ = 1, 2, 3, 14, 15
_RELEASE, _FLUSH, _INIT, _INTERRUPT, _BATCH_FORGET = 18, 25, 26, 36, 42
_DIRECT_IO: Final = 1


class FrozenError(Exception):
    """No file can be frozen on this machine."""


class Frozen:
    """Serves the file from entering the context until leaving it, which thaws it.

    Raises:
        FrozenError: There is no /dev/fuse here, or this process may not mount.
    """

    def __init__(self) -> None:
        self._fuse = -1
        self._root = -1
        self._stop: tuple[int, int] = (-1, -1)
        self._lock = threading.Lock()
        self._readers: list[int] = []
        self._thawed = False
        self._read = threading.Event()
        self._refused = threading.Event()
        self._server = threading.Thread(target=self._serve, name="frozen-file", daemon=True)

    @property
    def path(self) -> Path:
        """What to read."""
        return Path(f"/proc/{os.getpid()}/fd/{self._root}/{_FILE}")

    def __enter__(self) -> Self:
        try:
            self._fuse = _opened()
        except OSError as missing:
            raise FrozenError(f"{_DEVICE}: must be there to freeze a file; {missing}") from missing
        try:
            self._root = _mounted(self._fuse)
        except OSError as refused:
            os.close(self._fuse)
            raise FrozenError(f"{_DEVICE}: only root can mount it; {refused}") from refused
        self._stop = os.pipe2(os.O_CLOEXEC)
        self._server.start()
        self._harden()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.thaw()
        os.close(self._stop[1])
        self._server.join()
        for descriptor in (self._stop[0], self._root, self._fuse):
            os.close(descriptor)

    def thaw(self) -> None:
        """Let all reads end, and each that is still to come."""
        with self._lock:
            self._thawed = True
            readers, self._readers = self._readers, []
        for reader in readers:
            self._answer(reader, b"")

    @property
    def readers(self) -> int:
        """Count those who sleep."""
        with self._lock:
            return len(self._readers)

    def _harden(self) -> None:
        """Make the sleep deaf.

        The kernel tells who serves a file system when a signal meets a reader, and lets the reader
        sleep lightly, in state S, until it once hears that nobody cares to be told. So one reader
        is sent a signal before others come.
        """
        reader = subprocess.Popen(["cat", str(self.path)], stdout=subprocess.DEVNULL)  # noqa: S603, S607 - any program that reads
        try:
            if not self._read.wait(_PATIENCE):
                raise FrozenError(f"{self.path}: nobody could read it in {_PATIENCE:.0f} s")
            reader.send_signal(signal.SIGTERM)
            if not self._refused.wait(_PATIENCE):
                raise FrozenError(f"{self.path}: the kernel told of no signal")
        finally:
            self.thaw()
            reader.kill()
            reader.wait()
            self._thawed = False

    def _serve(self) -> None:
        waiting = select.poll()
        waiting.register(self._fuse, select.POLLIN)
        waiting.register(self._stop[0], select.POLLHUP)
        while True:
            events = dict(waiting.poll())
            if self._stop[0] in events or events.get(self._fuse, 0) & select.POLLERR:
                return
            try:
                self._hear(os.read(self._fuse, _REQUEST_SIZE))
            except OSError as ended:
                if ended.errno == errno.ENODEV:
                    return
                if ended.errno not in (errno.ENOENT, errno.EINTR, errno.EAGAIN):
                    raise

    def _hear(self, request: bytes) -> None:
        _, operation, unique, node = struct.unpack_from("<IIQQ", request)
        if operation == _READ:
            self._hold(unique)
        elif operation == _INTERRUPT:
            self._answer(unique, b"", errno.ENOSYS)
            self._refused.set()
        elif operation in _ANSWERS:
            self._answer(unique, _ANSWERS[operation])
        elif operation == _GETATTR:
            self._answer(unique, struct.pack("<QII", _FOR_LONG, 0, 0) + _attributes(node))
        elif operation not in (_FORGET, _BATCH_FORGET):
            self._answer(unique, b"", errno.ENOSYS)

    def _hold(self, unique: int) -> None:
        with self._lock:
            thawed = self._thawed
            if not thawed:
                self._readers.append(unique)
        if thawed:
            self._answer(unique, b"")
        self._read.set()

    def _answer(self, unique: int, body: bytes, code: int = 0) -> None:
        try:
            os.write(self._fuse, struct.pack("<IiQ", 16 + len(body), -code, unique) + body)
        except OSError as gone:
            # who asked is not there any more
            if gone.errno != errno.ENOENT:
                raise


def _attributes(node: int) -> bytes:
    is_root = node == _ROOT_NODE
    mode = 0o40755 if is_root else 0o100444
    size = 0 if is_root else 1 << 20
    return struct.pack("<6Q10I", node, size, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


_ANSWERS: Final = {
    _INIT: struct.pack("<IIIIHHIIHHI7I", 7, 31, 1 << 16, 0, 64, 48, 1 << 16, 1, 0, 0, *[0] * 8),
    _LOOKUP: struct.pack("<QQQQII", _FILE_NODE, 0, _FOR_LONG, _FOR_LONG, 0, 0)
    + _attributes(_FILE_NODE),
    _OPEN: struct.pack("<QII", 0, _DIRECT_IO, 0),
    _FLUSH: b"",
    _RELEASE: b"",
}


def _opened() -> int:
    """Open the device; where nobody made its node, as in a container, do so for a moment."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK
    if Path(_DEVICE).exists():
        return os.open(_DEVICE, flags)
    with tempfile.TemporaryDirectory(prefix="frozen-") as folder:
        node = Path(folder) / "fuse"
        os.mknod(node, stat.S_IFCHR | 0o600, os.makedev(*_NUMBERS))
        return os.open(node, flags)


def _mounted(fuse: int) -> int:
    """Mount, keep the root as a descriptor, and take the mount out of sight."""
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={fuse},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()},allow_other"
    with tempfile.TemporaryDirectory(prefix="frozen-") as folder:
        mounted = libc.mount(b"frozen", folder.encode(), b"fuse", _NOSUID_NODEV, options.encode())
        if mounted != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        try:
            return os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        finally:
            libc.umount2(folder.encode(), _MNT_DETACH)
