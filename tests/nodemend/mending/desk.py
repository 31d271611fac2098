"""The real command line on a stand-in machine, out of whose reach every real program is."""

import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from nodehealth.outcome import Outcome
from nodemend.commands import node

ROOT: Final = Path(__file__).parents[3]
SYSTEMCTL: Final = f"""#!{sys.executable}
import pathlib, sys
here = pathlib.Path(__file__).parents[2]
with (here / "asked").open("a") as asked:
    print(*sys.argv[1:], file=asked)
answers = here / "answers" / sys.argv[1]
text = answers.read_text() if answers.exists() else ""
if sys.argv[1] == "show":
    restarted = "restart" in (here / "asked").read_text()
    text += f"InvocationID={{'new' if restarted else 'old'}}"
print(text)
sys.exit((here / "answers" / f"{{sys.argv[1]}}.fails").exists())
"""


class Desk:
    """A machine below a folder, and the means to run `nodemend node` on it.

    Args:
        folder: Its root.
        environ: What the programs find in their environment besides.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.root, self.message = folder, folder / "message"
        (folder / "usr/bin").mkdir(parents=True, exist_ok=True)
        (folder / "answers").mkdir()
        programs = {
            "PATH": str(folder / "usr/bin"),
            node.NVIDIA_SMI: str(folder.parent / "nvidia-smi"),
            node.SYSTEMCTL: str(folder / "usr/bin/systemctl"),
        }
        self._environ = {**os.environ, **environ, **programs}

    def program(self, name: str, script: str) -> Path:
        """Install a program."""
        path = self.root / "usr/bin" / name
        path.write_text(script)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command, its last words to our file."""
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "nodemend", "node", *words),
                *("--root", str(self.root), "--message-file", str(self.message)),
            ],
            cwd=ROOT,
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str) -> tuple[int, str]:
        """Run a command to its end; return its exit code and what it said."""
        with self.start(*words) as process:
            said, _ = process.communicate(timeout=100)
            return process.returncode, said

    @property
    def words(self) -> Outcome:
        """Return the last words that were left."""
        return msgspec.json.decode(self.message.read_bytes(), type=Outcome)

    @property
    def asked(self) -> list[str]:
        """Return what systemctl was asked for."""
        file = self.root / "asked"
        return file.read_text().splitlines() if file.exists() else []
