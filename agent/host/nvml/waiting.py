"""Waits for what NVML tells without being asked, in a thread of its own.

The sampler registers each GPU, so that one that hangs is found out as any other call that hangs.
When NVML gives up on a set of events, as it does when a GPU is lost, there is a new one after a
pause that grows, and every GPU is registered again when it is asked next.
"""

import contextlib
import signal
import threading
from typing import Final

from agent.host.nvml.voice import Voice
from agent.host.nvml.ways import Handle, Nvml

_PATIENCE: Final = 1000
"""Milliseconds of one wait."""
_TIMEOUT: Final = 10
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
WANTED: Final = 0x2 | 0x8 | 0x200 | 0x400 | 0x800 | 0x1000 | 0x2000 | 0x4000 | 0x8000
"""Double bit errors, XIDs, storms of single bit errors, pages and rows given up, poison, a GPU that
is not available, another recovery action."""


class Waiter:
    """Says what happens on the GPUs that were registered."""

    def __init__(self, nv: Nvml, voice: Voice) -> None:
        self.generation = 0
        """Which set of events is in use; 0 while there is none."""
        self._nv, self._voice = nv, voice
        self._sets = 0
        self._set: Handle = None
        self._known: dict[int, tuple[str, str]] = {}
        self._registered = threading.Event()
        self._pause = threading.Event()  # never set: the process ends without asking this thread
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def begin(self) -> None:
        """Make a set of events and wait for them, where NVML has such a thing."""
        if self._make():
            self._thread.start()

    def register(self, handle: Handle, pci: str, uuid: str, mask: int) -> None:
        """Hear of a GPU from now on."""
        self._known[_address(self._nv, handle)] = (pci, uuid)
        self._nv.nvmlDeviceRegisterEvents(handle, mask, self._set)
        self._registered.set()

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        pause = _FIRST_PAUSE
        while True:
            self._registered.wait()
            try:
                self._tell(self._nv.nvmlEventSetWait_v2(self._set, _PATIENCE))
                pause = _FIRST_PAUSE
            except self._nv.NVMLError as error:
                if error.value == _TIMEOUT:
                    continue
                self._voice.say(events="lost", code=error.value)
                self._renew(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _tell(self, event: Handle) -> None:
        pci, uuid = self._known.get(_address(self._nv, event.device), ("", ""))
        self._voice.say(event=event.eventType, pci=pci, uuid=uuid, data=event.eventData)

    def _renew(self, pause: float) -> None:
        self._registered.clear()
        self.generation = 0
        with contextlib.suppress(self._nv.NVMLError):  # it is of no use either way
            self._nv.nvmlEventSetFree(self._set)
        self._pause.wait(pause)
        while not self._make():
            self._pause.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _make(self) -> bool:
        try:
            self._set = self._nv.nvmlEventSetCreate()
        except self._nv.NVMLError as error:
            self._voice.say(events="none", code=error.value)
            return False
        self._sets += 1
        self.generation = self._sets
        return True


def _address(nv: Nvml, handle: Handle) -> int:
    return nv.cast(handle, nv.c_void_p).value or 0
