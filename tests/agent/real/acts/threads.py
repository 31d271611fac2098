"""Numbers for threads, and watches for files, that run out and are there again."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Final

from agent.host import limits
from agent.host.linux import Host
from agent.probes.limits import INOTIFY, THREADS, Limits
from tests.agent.real.telling import lack, tell
from tests.agent.watched import Watch

PID_MAX: Final = Path("/proc/sys/kernel/pid_max")
WATCHES: Final = Path("/proc/sys/user/max_inotify_watches")
OWN_SINCE: Final = (6, 14)
"""Before, all namespaces have one limit, which is the machine's."""
LEAST: Final = 301
"""The kernel takes no lower one."""


async def play() -> list[object]:
    """Look with plenty of both, with none left, and with plenty again."""
    threads = limits.read(Path("/")).threads
    assert threads is not None
    few, plenty = max(LEAST, threads.used), PID_MAX.read_text()
    over = threading.Event()
    for _ in range(few - threads.used):
        threading.Thread(target=over.wait, daemon=True).start()
    watch, seen = Watch(Limits(), Host()), list[object]()
    for most, watches in ((plenty, 1000), (f"{few}", 0), (plenty, 1000)):
        PID_MAX.write_text(most)
        WATCHES.write_text(f"{watches}")
        told = await watch.look()
        seen.append([told[THREADS, ""], told[INOTIFY, ""]])
    over.set()
    return seen


release = tuple(int(each) for each in os.uname().release.split(".")[:2])
if release < OWN_SINCE:
    lack("a kernel that counts threads by namespace: 6.14 or newer")
tell(asyncio.run(play()))
