"""The process that alone loads NVML: `python -m agent.host.nvml.worker`.

It does what it is asked by lines of JSON on stdin, says what it does on stdout, and ends when
stdin does or SIGTERM comes: after the call that is under way, never in the midst of it. Its first
thread listens, and names a call that takes long; another one makes the calls.
"""

import argparse
import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Final

import pynvml

from agent.host.nvml.sampling import Sampler
from agent.host.nvml.voice import Voice

_PR_SET_PDEATHSIG: Final = 1
_LONG: Final = 1.0
"""Seconds after which a call is named."""
_FAREWELL: Final = 10.0
"""Seconds that the call under way has to end, unless it sleeps where nothing can end it."""
_STDIN: Final = 0


def main() -> None:
    """Serve the agent until it wants no more."""
    asked = _arguments()
    ended = _end_with(asked.parent)
    voice = Voice(_stdout())
    _oom(asked.oom)
    threading.excepthook = _fail
    sampler = Sampler(pynvml, asked.library, voice)
    sampler.start()
    _serve(sampler, voice, ended)
    _wait_for(sampler)
    # NVML is not shut down: that is a call that may hang, and the kernel closes what was open
    os._exit(0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nodemend's NVML worker")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--library", default="")
    parser.add_argument("--oom", default="")
    return parser.parse_args()


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
        with contextlib.suppress(OSError):  # then both are as likely
            Path("/proc/self/oom_score_adj").write_text(adjustment, encoding="ascii")


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
    traceback.print_exception(failure.exc_type, failure.exc_value, failure.exc_traceback)
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
        stat = Path(f"/proc/self/task/{thread}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] == "D"


if __name__ == "__main__":
    main()
