"""A stand-in for nvidia-smi: lists the GPUs of a stand-in machine, and resets them by the rules.

A reset is refused while anybody holds the GPU, or one that is linked with it, and while the driver
cannot be asked. It does for a GPU what `cleared` says.
"""

import argparse
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from simulator.driver import cleared, fabric, machine
from simulator.driver.recording import PCI, UUID, sysfs_address
from simulator.driver.state import SYSTEM, Block, State, Store

NAME: Final = "nvidia-smi"
_BAD_ARGUMENT: Final = 2
_NO_DRIVER: Final = 9
_LOST: Final = 15
_REFUSED: Final = 255
_LOOK_AGAIN: Final = 0.05
_PROCESSES: Final = "nvmlDeviceGetComputeRunningProcesses_v3"


class RefusedError(Exception):
    """The tool does not do it."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


def place(folder: Path) -> None:
    """Put the program into the folder of a driver, which it will be about."""
    script = folder / NAME
    home = Path(__file__).parents[2]
    script.write_text(
        f"#!{sys.executable}\n"
        "import sys, pathlib\n"
        f"sys.path.insert(0, {str(home)!r})\n"
        "from simulator.driver import nvidia_smi\n"
        "sys.exit(nvidia_smi.main(sys.argv[1:], pathlib.Path(__file__).parent))\n"
    )
    script.chmod(0o755)


def main(arguments: Sequence[str], folder: Path) -> int:
    """Do what the command line says, to the machine in the folder; return the exit status."""
    parser = argparse.ArgumentParser(prog=NAME)
    parser.add_argument("-L", "--list-gpus", action="store_true")
    parser.add_argument("-r", "--gpu-reset", action="store_true")
    parser.add_argument("-i", "--id", default="")
    asked = parser.parse_args(arguments)
    store = Store(folder)
    try:
        _require_driver(store.read())
        lines = _reset(store, asked.id, folder / "root") if asked.gpu_reset else _list(store.read())
        sys.stdout.write("".join(f"{line}\n" for line in lines))
    except RefusedError as refused:
        sys.stdout.write(f"{refused}\n")
        return refused.code
    return 0


def _require_driver(state: State) -> None:
    if not state.loaded:
        raise RefusedError(_NO_DRIVER, "No NVIDIA driver answers: is its kernel module loaded?")


def _list(state: State) -> Iterator[str]:
    for index, gpu in enumerate(state.gpus):
        if index in state.lost:
            raise RefusedError(_LOST, f"GPU {gpu[PCI]['busId']} cannot be opened: it is lost.")
        yield f"GPU {index}: {gpu.get('nvmlDeviceGetName', 'NVIDIA')} (UUID: {gpu[UUID]})"


def _reset(store: Store, wanted: str, root: Path) -> list[str]:
    state = store.read()
    chosen = _chosen(state, wanted)
    for gpu in chosen:
        _require_answer(store, gpu)
    if state.reset:
        _go_wrong(state.reset)
    _require_idle(state, chosen)
    with store.changed() as changing:
        for gpu in chosen:
            now, uuid = changing.gpus[gpu], str(changing.gpus[gpu][UUID])
            changing.gpus[gpu] = cleared.by_reset(now, changing.recorded[gpu])
            changing.resets[uuid] = changing.resets.get(uuid, 0) + 1
        machine.show(root, changing)
    return [f"GPU {state.gpus[gpu][PCI]['busId']} was reset." for gpu in chosen]


def _chosen(state: State, wanted: str) -> list[int]:
    """Return the GPUs of a list of indices, serials, UUIDs or addresses; all for an empty one."""
    if not wanted:
        return list(range(len(state.gpus)))
    return [_named(state, name) for name in wanted.split(",")]


def _named(state: State, name: str) -> int:
    for index, gpu in enumerate(state.gpus):
        names = {str(index), gpu[UUID], gpu.get("nvmlDeviceGetSerial"), gpu[PCI]["busId"]}
        if name in names or name.lower() in {
            gpu[PCI]["busId"].lower(),
            sysfs_address(gpu[PCI]["busId"]),
        }:
            return index
    raise RefusedError(_BAD_ARGUMENT, f"There is no GPU {name} here.")


def _require_answer(store: Store, gpu: int) -> None:
    """Wait for a driver that does not answer, as the tool does; do not go on with a lost GPU."""
    while (block := _block(store.read(), gpu)) is not None:
        if not (block.path and _sleep_frozen(block.path)):
            threading.Event().wait(_LOOK_AGAIN)
    if gpu in (state := store.read()).lost:
        bus_id = state.gpus[gpu][PCI]["busId"]
        raise RefusedError(_LOST, f"GPU {bus_id} cannot be reset: it is lost.")


def _block(state: State, gpu: int) -> Block | None:
    return state.blocks.get(f"{gpu}/*") or state.blocks.get(f"{SYSTEM}/*")


def _sleep_frozen(path: str) -> bool:
    try:
        Path(path).read_bytes()
    except OSError:
        return False
    return True


def _go_wrong(how: str) -> None:
    if how == "hang":
        threading.Event().wait()
    raise RefusedError(_REFUSED, "The reset was tried and failed.")


def _require_idle(state: State, chosen: Sequence[int]) -> None:
    for gpu in chosen:
        for peer in sorted(fabric.direct_peers(state, gpu) - set(chosen)):
            raise RefusedError(
                _REFUSED,
                f"GPU {state.gpus[gpu][PCI]['busId']} is linked to GPU "
                f"{state.gpus[peer][PCI]['busId']}: they can only be reset together.",
            )
        for other in sorted(fabric.domain(state, gpu)):
            if pids := holders(state, other):
                raise RefusedError(
                    _REFUSED,
                    f"GPU {state.gpus[gpu][PCI]['busId']} is not reset: GPU "
                    f"{state.gpus[other][PCI]['busId']} is in use by {', '.join(map(str, pids))}.",
                )


def holders(state: State, gpu: int) -> list[int]:
    """Return who has the GPU open, and who computes on it as the recording says."""
    answers = state.gpus[gpu]
    node = Path(state.dev) / f"nvidia{answers.get('nvmlDeviceGetMinorNumber', gpu)}"
    said = answers.get(_PROCESSES) or []
    computing = {int(each["pid"]) for each in said} if isinstance(said, list) else set()
    return sorted(computing | set(_having_open(node)))


def _having_open(node: Path) -> Iterator[int]:
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            is_it = link.readlink() == node
        except OSError:
            # it was closed, or its process ended, or is none of ours
            continue
        if is_it and int(link.parts[2]) != os.getpid():
            yield int(link.parts[2])
