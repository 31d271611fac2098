"""A driver that a test, a demo or a person can install, break, mend and take away."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from simulator.driver import build, functions, kernellog, machine, nvidia_smi
from simulator.driver.frozen import Frozen
from simulator.driver.recording import FIELDS, PCI, UUID, Recording, plain, sysfs_address
from simulator.driver.state import SYSTEM, Block, State, Store

XID: Final = 0x8
NO_INSTANCE: Final = (0xFFFFFFFF, 0xFFFFFFFF)
_VERSION: Final = "nvmlSystemGetDriverVersion"


def error(code: int) -> Mapping[str, int]:
    """Return what stands in an answer's place where NVML returns an error."""
    return {"error": code}


class Driver:
    """The driver of a stand-in machine, all of whose state is in a folder.

    GPUs are counted from 0 as the recording counts them, whatever becomes of the others. Each
    change is seen by the next call of any process that uses the library.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        """What stands for / of the machine, with its /sys and /dev."""
        self.store = Store(folder)
        self._frozen: Frozen | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave no call asleep."""
        if self.store.lines.exists():
            self.unblock()

    def install(self, recording: Recording, *, cache: Path | None = None) -> None:
        """Put the library and the machine into the folder, the driver loaded.

        Args:
            recording: The machine.
            cache: Where libraries stay that were built before; the folder itself otherwise.

        Raises:
            BuildError: The library cannot be made here.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        library = build.build(cache or self.folder / "built")
        shutil.copyfile(library, self.folder / f"{build.LIBRARY}.new")
        (self.folder / f"{build.LIBRARY}.new").rename(self.folder / build.LIBRARY)
        shutil.rmtree(self.root, ignore_errors=True)
        nvidia_smi.place(self.folder)
        with self._changed(afresh=True) as state:
            state.about = recording.about
            state.system = dict(recording.system)
            state.gpus = [dict(gpu) for gpu in recording.gpus]
            state.recorded = [dict(gpu) for gpu in recording.gpus]
            state.dev = str(self.root.resolve() / "dev")
            state.absent = list(recording.absent)
            state.library = state.module = str(recording.system.get(_VERSION, ""))
            state.loaded, state.loads = True, 1

    def environ(self) -> dict[str, str]:
        """Name what a process needs in its environment, from its start, to find this NVML."""
        before = os.environ.get("LD_LIBRARY_PATH")
        return {
            "LD_LIBRARY_PATH": f"{self.folder}:{before}" if before else str(self.folder),
            "NODEMEND_FAKE_NVML": str(self.store.lines),
        }

    def state(self) -> State:
        """Return all that stands now."""
        return self.store.read()

    def uuid(self, gpu: int) -> str:
        """Name a GPU as NVML does."""
        return str(self.state().gpus[gpu][UUID])

    def pci(self, gpu: int) -> str:
        """Return a GPU's address as sysfs has it."""
        return sysfs_address(self.state().gpus[gpu][PCI]["busId"])

    def set(self, gpu: int | None, function: str, value: object) -> None:
        """Let a function give another value or an `error`; for None as GPU, one of the system."""
        with self._changed() as state:
            answers = state.system if gpu is None else state.gpus[gpu]
            answers[functions.named(function)] = plain(value, function)

    def part(self, gpu: int, function: str, part: int | str, value: object) -> None:
        """Let one part of an answer be another: of one link, or one member of a structure."""
        name = functions.named(function)
        with self._changed() as state:
            parts = dict(state.gpus[gpu].get(name) or {})
            parts[str(part)] = plain(value, f"{name}.{part}")
            state.gpus[gpu][name] = parts

    def field(self, gpu: int, field: int | str, value: object) -> None:
        """Let a field have another value or an `error`: 230, or "165/3" for link 3."""
        self.part(gpu, FIELDS, field, value)

    def mend(self, before: State) -> None:
        """Let the machine and its GPUs answer as they did at an earlier time."""
        with self._changed() as state:
            state.system, state.gpus, state.lost = before.system, before.gpus, before.lost

    def xid(
        self, gpu: int, code: int, *, times: int = 1, log: kernellog.KernelLog | None = None
    ) -> None:
        """Tell of an XID: to all that wait for XIDs of this GPU, and in the kernel's log."""
        self.event(gpu, XID, code, times=times)
        if log is not None:
            log.write(kernellog.kernel_lines(self.pci(gpu), code) * times)

    def event(
        self,
        gpu: int,
        kind: int,
        data: int = 0,
        *,
        instances: tuple[int, int] = NO_INSTANCE,
        times: int = 1,
    ) -> None:
        """Tell of anything that NVML has a bit for; a MIG device has instance numbers."""
        self.store.append(gpu, kind, data, instances, times)

    def lose(self, gpu: int) -> None:
        """Let a GPU fall off the bus."""
        with self._changed() as state:
            state.lost = sorted({*state.lost, gpu})

    def find(self, gpu: int) -> None:
        """Let it be back."""
        with self._changed() as state:
            state.lost = [other for other in state.lost if other != gpu]

    def block(
        self,
        gpu: int | None = None,
        function: str | None = None,
        *,
        uninterruptible: bool = False,
        code: int = 0,
    ) -> None:
        """Let calls not return: of one GPU or of all, of one function or of all.

        What the library knows by heart (counts, names, addresses) returns all the same, unless it
        is named.

        Args:
            gpu: Whose calls, or None for all.
            function: Which calls, or None for all.
            uninterruptible: Let their threads sleep in state D, where no signal ends them, while
                this process lives; otherwise in state S.
            code: What they return in the end; for 0, what they would have returned.

        Raises:
            FrozenError: No thread can be put into state D on this machine.
        """
        path = str(self._freeze()) if uninterruptible else ""
        with self.store.changed() as state:
            state.blocks[_where(gpu, function)] = Block(code=code, path=path)

    def unblock(self) -> None:
        """Let all calls return."""
        with self.store.changed() as state:
            state.blocks = {}
        if self._frozen is not None:
            self._frozen.__exit__(None, None, None)
            self._frozen = None

    @property
    def asleep(self) -> int:
        """Count the calls that sleep where no signal ends them."""
        return 0 if self._frozen is None else self._frozen.readers

    def _freeze(self) -> Path:
        if self._frozen is None:
            self._frozen = Frozen().__enter__()
        return self._frozen.path

    def slow(self, milliseconds: int, gpu: int | None = None, function: str | None = None) -> None:
        """Let calls take that long; 0 is as fast as ever."""
        with self.store.changed() as state:
            state.slow[_where(gpu, function)] = milliseconds

    def unload(self, *, code: int = 999) -> None:
        """Take the driver away: who had NVML open gets this code, who opens it gets 9."""
        with self._changed() as state:
            state.loaded, state.gone, state.module = False, code, ""

    def load(self, version: str | None = None, *, library: str | None = None) -> None:
        """Load the driver again, perhaps another version of it.

        Who has the library of the old version in memory gets 18 (mismatch) for opening NVML, and
        so do all where another version of the library is said to be there.
        """
        with self._changed() as state:
            version = version or str(state.system.get(_VERSION, ""))
            state.system[_VERSION] = state.module = version
            state.library = library or version
            state.loaded, state.loads = True, state.loads + 1

    def resets(self, outcome: str = "") -> None:
        """Say what becomes of GPU resets: all goes well, or they `fail`, or `hang` for ever."""
        with self.store.changed() as state:
            state.reset = outcome

    @contextmanager
    def _changed(self, *, afresh: bool = False) -> Iterator[State]:
        """Change the state, and let the rest of the machine follow."""
        with self.store.changed(afresh=afresh) as state:
            yield state
            machine.show(self.root, state)


def _where(gpu: int | None, function: str | None) -> str:
    return f"{SYSTEM if gpu is None else gpu}/{functions.named(function) if function else '*'}"
