"""A filesystem of which nobody answers, until somebody does."""

import asyncio
import ctypes
import os
import struct
import sys
import threading
from datetime import timedelta
from typing import Final

from agent.host.linux import Host
from agent.probes.mounts import HUNG, Mounts
from tests.agent.real.telling import lack, tell
from tests.agent.watched import Watch

INIT: Final = 26
STATFS: Final = 17
REQUEST: Final = 1 << 17
NOT_KNOWN: Final = -38
"""What is said to all that is asked beside those two."""


def mount(where: str) -> int:
    """Mount it, and return where the kernel asks."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        lack("/dev/fuse")
    asked = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={asked},rootmode=40000,user_id=0,group_id=0".encode()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"nobody", where.encode(), b"fuse.nobody", 0, options):
        lack(f"mounts of FUSE: {os.strerror(ctypes.get_errno())}")
    return asked


def answer(asked: int) -> None:
    """Answer all that was asked, and what will be."""
    while True:
        request = os.read(asked, REQUEST)
        kind, number = struct.unpack_from("<4xIQ", request)
        said = b""
        if kind == INIT:
            said = struct.pack("<IIIIHHII32x", 7, 31, 0, 0, 0, 0, 4096, 1)
        if kind == STATFS:
            said = struct.pack("<QQQQQIII28x", 100, 50, 50, 100, 50, 4096, 255, 4096)
        trouble = 0 if said else NOT_KNOWN
        os.write(asked, struct.pack("<IiQ", 16 + len(said), trouble, number) + said)


async def play(where: str) -> list[object]:
    """Look while nobody answers, and when somebody does."""
    asked = mount(where)
    watch = Watch(Mounts(patience=timedelta(seconds=0.3)), Host())
    seen = [(await watch.look())[HUNG, where] for _ in range(2)]
    threading.Thread(target=answer, args=(asked,), daemon=True).start()
    watch.probe = Mounts(patience=timedelta(seconds=20))
    return [*seen, (await watch.look())[HUNG, where]]


tell(asyncio.run(play(sys.argv[1])))
