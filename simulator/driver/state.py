"""The state of a stand-in machine: kept as JSON for us, written as lines for the library.

Any process may change it: one at a time, and each reads what the last one wrote.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

SYSTEM: Final = "-"
"""In place of a GPU's number: what is said of the driver."""


class Block(msgspec.Struct, kw_only=True, frozen=True):
    """Calls do not return, and once they may, return a code."""

    code: int = 0
    path: str = ""
    """Of a frozen file, for sleep from which nothing wakes a thread."""


class State(msgspec.Struct, kw_only=True):
    """All that the library needs to know."""

    about: str = ""
    system: dict[str, Any] = {}
    gpus: list[dict[str, Any]] = []
    absent: list[str] = []
    loads: int = 0
    """How often the driver was loaded."""
    loaded: bool = False
    library: str = ""
    """The version of the library, for who loads it from now on."""
    module: str = ""
    """The version of the kernel module."""
    gone: int = 999
    """What calls return to those who opened NVML before the driver went away."""
    lost: list[int] = []
    blocks: dict[str, Block] = {}
    """By GPU or `-`, and function or `*`: `0/nvmlDeviceGetPowerUsage`, `-/*`."""
    slow: dict[str, int] = {}
    """Milliseconds, likewise."""
    dev: str = ""
    """The folder that stands for /dev."""
    recorded: list[dict[str, Any]] = []
    """What the GPUs said when the machine was installed."""
    reset: str = ""
    """What becomes of a GPU reset: nothing special, `fail` or `hang`."""
    resets: dict[str, int] = {}
    """How often each GPU was reset, by its UUID."""


class Store:
    """The files of a state, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.lines = folder / "nvml"
        self.events = folder / "nvml.events"
        self._json = folder / "machine.json"

    def read(self) -> State:
        """Return the state as it is."""
        return msgspec.json.decode(self._json.read_bytes(), type=State)

    @contextmanager
    def changed(self, *, afresh: bool = False) -> Iterator[State]:
        """Give the state out for changing, and write it once nothing went wrong."""
        with self._json.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = State() if afresh else self.read()
            yield state
            _replace(self._json, msgspec.json.encode(state))
            self._write_lines(state)

    def append(
        self, gpu: int, kind: int, data: int, instances: tuple[int, int], times: int
    ) -> None:
        """Add an event so many times; who waits for it reads whole lines only."""
        line = f"{gpu} {kind} {data} {instances[0]} {instances[1]}\n"
        with self.events.open("ab", buffering=0) as events:
            events.write(line.encode() * times)

    def _write_lines(self, state: State) -> None:
        """Give each writing another time of modification: by it the library knows it as new."""
        self.events.touch()
        before = self.lines.stat().st_mtime_ns if self.lines.exists() else 0
        text = "".join(f"{line}\n" for line in lines(state))
        unfinished = self.lines.with_suffix(".new")
        unfinished.write_text(text)
        os.utime(unfinished, ns=(before + 1000, before + 1000))
        unfinished.rename(self.lines)


def _replace(path: Path, content: bytes) -> None:
    unfinished = path.with_suffix(".new")
    unfinished.write_bytes(content)
    unfinished.rename(path)


def lines(state: State) -> Iterator[str]:
    """Write the state as the library reads it."""
    yield f"- @loaded v {state.loads if state.loaded else 0}"
    yield f"- @gone v {state.gone}"
    yield f"- @library t {state.library}"
    yield f"- @module t {state.module}"
    yield f"- @dev t {state.dev}"
    yield from (f"- @absent/{name} v 1" for name in state.absent)
    yield from (f"{gpu} @lost v 1" for gpu in state.lost)
    for where, block in state.blocks.items():
        gpu, function = where.split("/")
        yield f"{gpu} @block/{function} t {'D' if block.path else 'S'} {block.code} {block.path}"
    for where, milliseconds in state.slow.items():
        gpu, function = where.split("/")
        yield f"{gpu} @slow/{function} v {milliseconds}"
    for name, value in state.system.items():
        yield from _answer(SYSTEM, name, value)
    for at, gpu_answers in enumerate(state.gpus):
        for name, value in gpu_answers.items():
            yield from _answer(str(at), name, value)


def _answer(gpu: str, key: str, value: object) -> Iterator[str]:
    if isinstance(value, Mapping) and set(value) == {"error"}:
        yield f"{gpu} {key} e {value['error']}"
    elif isinstance(value, Mapping):
        for part, inner in value.items():
            yield from _answer(gpu, f"{key}/{part}", inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield from _list(gpu, key, value)
    elif isinstance(value, str):
        yield f"{gpu} {key} t {value}"
    else:
        yield f"{gpu} {key} v {_number(value)}"


def _list(gpu: str, key: str, values: Sequence[object]) -> Iterator[str]:
    """Write numbers on one line; count other things first, then write each."""
    if not any(isinstance(value, Mapping) for value in values):
        yield f"{gpu} {key} v {' '.join(map(_number, values))}"
        return
    yield f"{gpu} {key} n {len(values)}"
    for at, value in enumerate(values):
        yield from _answer(gpu, f"{key}/{at}", value)


def _number(value: object) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, bool) else str(value)
