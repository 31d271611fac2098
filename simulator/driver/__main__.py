"""Makes and breaks GPUs that are not there, for a person who types `python -m simulator.driver`.

What it makes is a folder; nodemend finds the GPUs in it when the environment says so, and nothing
of the machine itself is changed.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

from simulator.driver import recording
from simulator.driver.build import BuildError
from simulator.driver.control import Driver
from simulator.driver.recording import RecordingError
from simulator.driver.state import Store

_USAGE: Final = 2
_NO_MACHINE: Final = "expected a folder in which `play` made a machine, found none"


def main(words: Sequence[str] | None = None) -> int:
    """Do what a person typed, and say what is wrong with it in one line."""
    typed = _parser().parse_args(words)
    try:
        return _done(typed)
    except (BuildError, RecordingError, LookupError, OSError, ValueError) as wrong:
        sys.stderr.write(f"simulator.driver: {wrong}\n")
        return _USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulator.driver", description="GPUs that are not there, to be played with."
    )
    below = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    play = below.add_parser("play", help="make a machine as it was recorded")
    play.add_argument("folder", type=Path)
    known = ", ".join(recording.shipped())
    play.add_argument("recording", help=f"{known}, or a file that `nodemend record-gpu` wrote")
    for verb, about, arguments in (
        ("field", "let a field of NVML say something else", ("gpu", "field", "value")),
        ("say", "let a function of NVML say something else", ("gpu", "function", "value")),
        ("lose", "let a GPU fall off the bus", ("gpu",)),
        ("find", "let it be back", ("gpu",)),
        ("unload", "take the driver away", ()),
        ("load", "load it again", ()),
    ):
        command = below.add_parser(verb, help=about)
        command.add_argument("folder", type=Path)
        for each in arguments:
            command.add_argument(each, type=int if each == "gpu" else str)
    return parser


def _done(typed: argparse.Namespace) -> int:
    driver = Driver(typed.folder.resolve())
    if typed.verb == "play":
        _play(driver, typed.recording)
        return 0
    if not Store(driver.folder).lines.exists():
        raise ValueError(f"{typed.folder}: {_NO_MACHINE}")
    _break(driver, typed)
    return 0


def _break(driver: Driver, typed: argparse.Namespace) -> None:
    if "gpu" in typed and not 0 <= typed.gpu < (count := len(driver.state().gpus)):
        raise ValueError(f"expected a GPU from 0 to {count - 1}, got {typed.gpu}")
    match typed.verb:
        case "field":
            driver.field(typed.gpu, typed.field, yaml.safe_load(typed.value))
        case "say":
            driver.set(typed.gpu, typed.function, yaml.safe_load(typed.value))
        case "lose":
            driver.lose(typed.gpu)
        case "find":
            driver.find(typed.gpu)
        case "unload":
            driver.unload()
        case _:
            driver.load()


def _play(driver: Driver, source: str) -> None:
    """Make the machine, and say how nodemend comes to see it."""
    made = recording.load(source)
    if driver.folder.exists() and any(driver.folder.iterdir()) and not driver.store.lines.exists():
        raise ValueError(
            f"{driver.folder}: expected an empty folder, or one of a machine like this"
        )
    driver.install(made)
    library = driver.root / "usr" / "lib64"
    library.parent.mkdir(parents=True, exist_ok=True)
    library.symlink_to(driver.folder)
    (driver.root / "proc").symlink_to("/proc")
    environ = {
        "HOST_ROOT": str(driver.root),
        "NODEMEND_FAKE_NVML": str(driver.store.lines),
        "NODEMEND_NVIDIA_SMI": shlex.quote(str(driver.folder / "nvidia-smi")),
    }
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environ.items())
    sys.stdout.write(f"# {made.about}\n{exports}")


if __name__ == "__main__":
    sys.exit(main())
