"""Whether root can still watch a file: what kubelet, runtimes and log collectors live by.

Who holds how many watches is not ours to read. But all of root's are of one stock, and the agent is
root: if it is refused one, so is the kubelet.
"""

import ctypes
import errno
import os
from typing import Final

WELL: Final = ""
INSTANCES: Final = "instances"
WATCHES: Final = "watches"

_DELETE_SELF: Final = 0x400


def exhausted() -> str:
    """Ask for a watch and give it back at once; return nothing, or what there was none left of.

    Raises:
        OSError: it was refused for another reason, such as a lack of descriptors of our own.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    os.close(os.open("/", os.O_RDONLY | os.O_CLOEXEC))  # the same error means our own limit here
    fd = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    if fd < 0:
        return _refused(INSTANCES, errno.EMFILE)
    try:
        watch = libc.inotify_add_watch(fd, b"/", _DELETE_SELF)
        return WELL if watch >= 0 else _refused(WATCHES, errno.ENOSPC)
    finally:
        os.close(fd)


def _refused(what: str, expected: int) -> str:
    code = ctypes.get_errno()
    if code != expected:
        raise OSError(code, f"inotify: {os.strerror(code)}")
    return what
