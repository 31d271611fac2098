"""The kernel itself refuses a watch, and that is told from every other refusal."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from agent.host import inotify
from tests.lacking import lacking

ROOT: Final = Path(__file__).parents[3]
ASK: Final = "from agent.host import inotify; print(inotify.exhausted())"


def opened() -> set[str]:
    """Say what this process has open, but for the folder that says so."""
    return {str(each.resolve()) for each in Path("/proc/self/fd").iterdir()}


def with_limit(name: str) -> str:
    """Ask where root of a namespace of its own may have none of something."""
    unshare = shutil.which("unshare")
    if unshare is None:
        lacking("needs unshare, of util-linux")
    script = f'echo 0 > /proc/sys/user/{name} || exit 9; exec "$0" -c "$1"'
    asked = subprocess.run(
        [unshare, "--user", "--map-root-user", "sh", "-c", script, sys.executable, ASK],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if asked.returncode in {1, 9} and "Traceback" not in asked.stderr:
        lacking(f"needs user namespaces: {asked.stderr.strip()}")
    assert asked.returncode == 0, asked.stderr
    return asked.stdout.strip()


def test_on_this_machine_nothing_is_exhausted_and_everything_is_given_back() -> None:
    before = opened()

    assert inotify.exhausted() == ""
    assert opened() == before


@pytest.mark.parametrize(
    ("limit", "what"),
    [("max_inotify_instances", "instances"), ("max_inotify_watches", "watches")],
)
def test_what_the_kernel_refuses_is_said(limit: str, what: str) -> None:
    assert with_limit(limit) == what


def test_a_lack_of_our_own_descriptors_is_no_lack_of_watches() -> None:
    script = (
        "import resource; from agent.host import inotify\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "try:\n    inotify.exhausted()\nexcept OSError as refusal:\n    print(refusal.errno)\n"
    )

    asked = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert asked.stdout.strip() == "24"
