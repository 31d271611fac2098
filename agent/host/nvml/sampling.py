"""Carries out what the agent asks for, one batch after the other, in the one thread that may hang.

Before and after each batch it leaves a mark, so that whoever listens knows what does not return.
"""

import os
import queue
import signal
import threading
import time
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from agent.host.nvml import asking, calls, devices, ways
from agent.host.nvml.asking import Gpu
from agent.host.nvml.voice import Voice
from agent.host.nvml.waiting import WANTED, Waiter
from agent.host.nvml.ways import NO_PERMISSION, Nvml

Request: TypeAlias = Mapping[str, Any]

ENOUGH: Final = 10.0
"""Seconds after which no further call of a batch is made."""
_EVENT_TYPES: Final = "nvmlDeviceGetSupportedEventTypes"
_REGISTER: Final = "nvmlDeviceRegisterEvents"
_UUID: Final = "nvmlDeviceGetUUID"


class Sampler(threading.Thread):
    """The thread that calls NVML."""

    def __init__(self, nv: Nvml, library: str, voice: Voice) -> None:
        super().__init__(name="sampler", daemon=True)
        self._asked: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._given = self._done = 0
        self._ending = False
        self.flight: tuple[int, str, float] | None = None
        """The batch and call that are under way, and since when."""
        self._nv, self._library, self._voice = nv, library, voice
        self._waiter = Waiter(nv, voice)
        self._unsupported: dict[str, set[str]] = {}
        self._gpus: dict[str, Gpu] = {}
        self._heard: dict[str, int] = {}
        self._batch = 0

    @property
    def is_busy(self) -> bool:
        """Say whether something that was asked is not done."""
        return self._given > self._done

    def ask(self, request: Request) -> None:
        """Have something done when all that was asked before is."""
        self._given += 1
        self._asked.put(request)

    def end(self) -> None:
        """Make no further call."""
        self._ending = True
        self._asked.put(None)

    def run(self) -> None:
        """Do what is asked until told that there is nothing more."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        self._voice.say(hello=os.getpid(), sampler=threading.get_native_id())
        while (request := self._asked.get()) is not None:
            if self._ending:
                break
            self._do(request)

    def _do(self, request: Request) -> None:
        self._batch, began = request["id"], time.monotonic()
        self._making(request["do"])
        self._voice.say(begin=self._batch)
        try:
            said = self._DOES[request["do"]](self, request)
        except self._nv.NVMLError as error:
            said = {"code": error.value}
        self.flight = None
        self._done += 1
        self._voice.say(end=self._batch, seconds=round(time.monotonic() - began, 6), **said)

    def _making(self, call: str) -> None:
        self.flight = (self._batch, call, time.monotonic())

    def _init(self, request: Request) -> dict[str, object]:
        self._unsupported = {pci: set(names) for pci, names in request["unsupported"].items()}
        self._making("open")
        if not devices.may_open(request["devices"]):
            return {"code": NO_PERMISSION}
        self._load()
        self._making("nvmlInit_v2")
        self._nv.nvmlInit()
        self._making("nvmlSystemGetDriverVersion")
        system = calls.system(self._nv)
        self._making("nvmlEventSetCreate")
        self._waiter.begin()
        return {"system": system}

    def _load(self) -> None:
        """Load the library that was named; without one pynvml looks for it itself."""
        if self._library:
            try:
                self._nv.nvmlLib = self._nv.CDLL(self._library)
            except OSError as error:
                raise self._nv.NVMLError(12) from error

    def _count(self, _: Request) -> dict[str, object]:
        self._making("nvmlDeviceGetCount_v2")
        return {"count": self._nv.nvmlDeviceGetCount()}

    def _list(self, _: Request) -> dict[str, object]:
        """Name the GPUs that NVML has, where the bus cannot be read."""
        found = []
        for index in range(self._nv.nvmlDeviceGetCount()):
            self._making("nvmlDeviceGetHandleByIndex_v2")
            try:
                info = self._nv.nvmlDeviceGetPciInfo(self._nv.nvmlDeviceGetHandleByIndex(index))
            except self._nv.NVMLError:
                continue  # one that is lost has no address any more
            found.append(calls.pci_address(str(ways.text(info.busId))))
        return {"gpus": found}

    def _gpu(self, request: Request) -> dict[str, object]:
        pci, began = request["pci"], time.monotonic()
        gpu = self._handled(pci)
        before = len(gpu.unsupported)
        said = gpu.ask(
            request["tiers"],
            request["links"],
            lambda: self._ending or time.monotonic() - began > ENOUGH,
        )
        self._register(pci, gpu, str(said.get(_UUID) or request["uuid"]))
        if any(map(asking.is_lost, said.values())):
            del self._gpus[pci]
        told: dict[str, object] = {"said": said, "latency": gpu.latency}
        if len(gpu.unsupported) != before:
            told["unsupported"] = sorted(gpu.unsupported)
        return {**told, "took": gpu.took} if request.get("timed") else told

    def _handled(self, pci: str) -> Gpu:
        if pci not in self._gpus:
            self._making("nvmlDeviceGetHandleByPciBusId_v2")
            handle = self._nv.nvmlDeviceGetHandleByPciBusId(calls.bus_id(pci).encode())
            known = self._unsupported.setdefault(pci, set())
            self._gpus[pci] = Gpu(self._nv, handle, known, self._making)
            self._heard.pop(pci, None)
        return self._gpus[pci]

    def _register(self, pci: str, gpu: Gpu, uuid: str) -> None:
        """Have the events of a GPU told, once for each set of events."""
        generation = self._waiter.generation
        if not generation or self._heard.get(pci) == generation or _REGISTER in gpu.unsupported:
            return
        supported = gpu.make(
            _EVENT_TYPES, lambda: self._nv.nvmlDeviceGetSupportedEventTypes(gpu.handle)
        )
        mask = supported & WANTED if isinstance(supported, int) else 0
        if not mask:
            return
        failed = gpu.make(_REGISTER, lambda: self._waiter.register(gpu.handle, pci, uuid, mask))
        if failed is None:
            self._heard[pci] = generation

    _DOES: Final = {"init": _init, "count": _count, "list": _list, "gpu": _gpu}
