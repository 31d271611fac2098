"""Makes libnvidia-ml.so.1 from its sources, once for each state of them."""

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Final

LIBRARY: Final = "libnvidia-ml.so.1"
SOURCES: Final = Path(__file__).parent / "nvml"
_FLAGS: Final = (
    *("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"),
    *("-shared", "-fPIC", "-fvisibility=hidden", "-pthread", f"-Wl,-soname,{LIBRARY}"),
)


class BuildError(Exception):
    """The library could not be made here."""


def build(folder: Path) -> Path:
    """Return the library in a folder of its own below this one; make it where there is none.

    Processes that build into one folder at the same time wait for each other.

    Raises:
        BuildError: There is no gcc, or it did not like the sources.
    """
    sources = sorted(SOURCES.glob("*.c"))
    target = folder / _digest([*sources, *sorted(SOURCES.glob("*.h"))]) / LIBRARY
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            _compile(sources, target)
    return target


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256(" ".join(_FLAGS).encode())
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def _compile(sources: list[Path], target: Path) -> None:
    compiler = shutil.which("gcc")
    if compiler is None:
        raise BuildError(f"{target}: gcc makes it from {SOURCES}, but there is no gcc here")
    unfinished = target.with_suffix(".new")
    made = subprocess.run(  # noqa: S603 - our own sources, by an absolute path
        [compiler, *_FLAGS, "-o", str(unfinished), *map(str, sources)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise BuildError(f"{target}: gcc refused the sources in {SOURCES}:\n{made.stderr}")
    unfinished.rename(target)
