"""The clusters that the contract is tried on: the emulator always, a real one when it is named."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.contract.cluster import Cluster, Pace, visited
from tests.contract.emulation import Emulated, emulated

VARIABLE: Final = "NODEMEND_TEST_KUBECONFIG"
"""Names the kubeconfig of a real cluster; its user must be an administrator."""

REAL: Final = os.environ.get(VARIABLE, "")
REAL_PACE: Final = Pace(poll=0.25, patience=100.0, watch=timedelta(seconds=12))


@pytest.fixture(params=["emulator", *(["real"] if REAL else [])])
async def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    """A cluster with a corner of our own."""
    async with AsyncExitStack() as stack:
        if request.param == "real":
            yield await stack.enter_async_context(visited(Path(REAL), REAL_PACE))
        else:
            yield (await stack.enter_async_context(emulated(tmp_path))).cluster


@pytest.fixture
async def emulator(tmp_path: Path) -> AsyncIterator[Emulated]:
    """The emulator, for what nobody can make a real server do at will."""
    async with emulated(tmp_path) as found:
        yield found
