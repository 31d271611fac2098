"""The conditions that every test runs under: each is seen to fail a test that breaks it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.architecture.repository import ROOT

CULPRITS: Final = """
import asyncio
import threading
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodehealth.kube import kubeconfig
from simulator import virtualtime

RELEASE = threading.Event()


@pytest.fixture(autouse=True)
def spare(tmp_path):
    (tmp_path / "file").touch()
    yield
    RELEASE.set()


async def test_blocks_the_loop(tmp_path):
    kubeconfig.load(tmp_path / "file")


@virtualtime.played
async def test_blocks_the_virtual_loop(tmp_path=None):
    kubeconfig.load(__file__)


async def test_leaves_a_task():
    asyncio.get_running_loop().kept = asyncio.create_task(asyncio.sleep(60))


def test_leaves_a_thread():
    stuck = threading.Thread(target=threading.Event().wait, args=(3,))
    stuck.start()


def test_warns():
    warnings.warn("careless", stacklevel=1)


async def test_good_ends_its_task_and_its_thread(tmp_path):
    await asyncio.to_thread((tmp_path / "file").read_text)
    task = asyncio.create_task(asyncio.sleep(60))
    task.cancel()


@virtualtime.played
async def test_good_arranges_files_in_virtual_time():
    with open(__file__) as file:
        file.read()


@given(st.integers())
def test_good_is_given_the_same_luck_each_time(number):
    assert settings().derandomize
"""


def test_a_test_that_breaks_a_condition_fails_and_no_other(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_culprits.py").write_text(CULPRITS)

    setting = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path)]
    told = subprocess.run(
        [sys.executable, "-m", "pytest", *setting, "-p", "no:cacheprovider", "-q", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"CI": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    ).stdout

    summary = [line for line in told.splitlines() if line.startswith(("FAILED", "ERROR"))]
    told_of = sorted(line.split("::")[1].split()[0] for line in summary)
    assert told_of == [
        "test_blocks_the_loop",
        "test_blocks_the_virtual_loop",
        "test_leaves_a_task",
        "test_leaves_a_thread",
        "test_warns",
    ], told
