"""Acts that are played in namespaces of their own: whatever they break there, no machine has."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.agent.real.telling import LACKING
from tests.lacking import lacking

ROOT: Final = Path(__file__).parents[3]
PRIVATE: Final = 'mount -t tmpfs none /run && exec "$@"'
"""Where networks have names: under /run."""


def played(act: str, *args: str, namespaces: str = "") -> Any:  # noqa: ANN401 - what an act tells, it tells as JSON
    """Play an act and return what it tells.

    Args:
        act: A module beside this one, below `acts`.
        args: What it is told.
        namespaces: Which of its own it has, as `unshare` has them, beside those of users and of
            mounts.
    """
    own = [*("unshare", "-Urm", *namespaces.split()), "sh", "-c", PRIVATE, "sh"]
    if shutil.which("unshare") is None or subprocess.run([*own, "true"], check=False).returncode:
        lacking("needs unshare, and a kernel that gives namespaces of one's own")
    ended = subprocess.run(
        [*own, sys.executable, "-m", f"tests.agent.real.acts.{act}", *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if ended.stderr.startswith(LACKING):
        pytest.skip(ended.stderr.strip())  # a kernel's lack: nothing that could be installed
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)
