"""Every kubectl that this machine has, each with a fresh cluster."""

import functools
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from tests.kubectl.station import Kubectl, Station, opened
from tests.lacking import lacking

DEBIANS: Final = Path(__file__).parents[2] / ".cache" / "kubectl" / "usr" / "bin" / "kubectl"
HOW: Final = "no kubectl is in PATH; `.ci/kubectl` gets Debian's"


def programs() -> list[str]:
    """Find the one in PATH, which is the user's, and Debian's, which is old."""
    ours, debians = shutil.which("kubectl"), str(DEBIANS) if DEBIANS.exists() else None
    return [each for each in (ours, debians) if each]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test once for each kubectl; without any, once, to say so."""
    if "program" in metafunc.fixturenames:
        metafunc.parametrize("program", programs() or [""], ids=named)


def named(program: str) -> str:
    """Say which kubectl it is."""
    return {"": "none", str(DEBIANS): "debian"}.get(program, "path")


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """Where the way to the cluster is written."""
    return tmp_path / "kubeconfig"


@pytest.fixture
async def station(kubeconfig: Path) -> AsyncIterator[Station]:
    """A cluster with nothing in it."""
    async with opened(kubeconfig) as found:
        yield found


@functools.cache
def version(program: str) -> tuple[int, int]:
    """Ask a kubectl for its own version."""
    words = [program, "version", "--client", "--output=json"]
    said = subprocess.run(words, capture_output=True, check=True, timeout=30)
    found = json.loads(said.stdout)["clientVersion"]
    return int(found["major"]), int(found["minor"].rstrip("+"))


@pytest.fixture
def kubectl(program: str, kubeconfig: Path, tmp_path: Path, station: Station) -> Kubectl:
    """A kubectl that is pointed to the cluster."""
    del station  # only there so that the cluster is up
    if not program:
        lacking(HOW)
    return Kubectl(program=program, version=version(program), kubeconfig=kubeconfig, home=tmp_path)
