"""The process that alone loads NVML: `python -m agent.host.nvml.worker`.

It does what it is asked by lines of JSON on stdin, says what it does on stdout, and ends when
stdin does or SIGTERM comes: after the call that is under way, never in the midst of it. Its first
thread listens, and names a call that takes long; another one makes the calls.

What it imports is kept on every node with a GPU: argparse, pathlib and traceback took a mebibyte.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import threading
import time
from types import ModuleType
from typing import Final

from agent.host.nvml.sampling import Sampler
from agent.host.nvml.voice import Voice
from agent.host.nvml.ways import Nvml

_PR_SET_PDEATHSIG: Final = 1
_LONG: Final = 1.0
"""Seconds after which a call is named."""
_FAREWELL: Final = 10.0
"""Seconds that the call under way has to end, unless it sleeps where nothing can end it."""
_STDIN: Final = 0


def main(parent: str, library: str = "", oom: str = "") -> None:
    """Serve the agent until it wants no more.

    Args:
        parent: The process that started us.
        library: Where NVML lies, if not where the loader finds it.
        oom: How likely we are to be killed when memory runs out, if that is to change.
    """
    ended = _end_with(int(parent))
    voice = Voice(_stdout())
    _oom(oom)
    threading.excepthook = _fail
    sampler = Sampler(_pynvml(), library, voice)
    sampler.start()
    _serve(sampler, voice, ended)
    _wait_for(sampler)
    # NVML is not shut down: that is a call that may hang, and the kernel closes what was open
    os._exit(0)


def _pynvml() -> Nvml:
    """Import pynvml without what looks for libraries: it imports that too, but never calls it."""
    nothing = ModuleType("ctypes.util")  # the real one takes two mebibytes
    nothing.__dict__["find_library"] = lambda _: None
    sys.modules[nothing.__name__] = nothing
    import pynvml  # noqa: PLC0415 - not before

    del sys.modules[nothing.__name__]
    return pynvml


def _end_with(parent: int) -> int:
    """End when the parent does, or SIGTERM comes; return what becomes readable then."""
    ended, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's; the agent hears it too
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent:
        sys.exit(0)
    return ended


def _stdout() -> int:
    """Keep stdout for ourselves: what a library prints goes where complaints go."""
    mine = os.dup(1)
    os.dup2(2, 1)
    return mine


def _oom(adjustment: str) -> None:
    """Be no likelier to be killed for memory than the agent was before it stepped forward."""
    if adjustment:
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write(adjustment)  # else both are as likely


def _serve(sampler: Sampler, voice: Voice, ended: int) -> None:
    """Pass on what is asked, and name what takes long."""
    poll, rest, named = select.poll(), b"", (0, "", 0.0)
    poll.register(_STDIN, select.POLLIN)
    poll.register(ended, select.POLLIN)
    while True:
        ready = dict(poll.poll(500 if sampler.is_busy else None))
        if ended in ready:
            return
        if ready:
            heard = os.read(_STDIN, 65536)
            if not heard:
                return
            *lines, rest = (rest + heard).split(b"\n")
            for line in lines:
                sampler.ask(json.loads(line))
        flight, now = sampler.flight, time.monotonic()
        if flight is not None and flight != named and now - flight[2] > _LONG:
            voice.say(within=flight[0], call=flight[1], seconds=round(now - flight[2], 3))
            named = flight


def _fail(failure: threading.ExceptHookArgs) -> None:
    """End at once rather than live on without a thread."""
    threading.__excepthook__(failure)
    os._exit(70)


def _wait_for(sampler: Sampler) -> None:
    """Let the call that is under way end."""
    sampler.end()
    began = time.monotonic()
    while sampler.is_alive():
        sampler.join(0.5)
        if time.monotonic() - began > _FAREWELL and not _sleeps_deeply(sampler.native_id):
            os._exit(1)


def _sleeps_deeply(thread: int | None) -> bool:
    try:
        with open(f"/proc/self/task/{thread}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "D"
    except OSError:
        return False


if __name__ == "__main__":
    main(*sys.argv[1:])
