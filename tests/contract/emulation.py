"""The emulator as a cluster: on a socket, with its controllers, behind a kubeconfig."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from nodehealth.kit import clocks
from simulator.api import http
from simulator.api.controllers.plane import ControlPlane
from simulator.api.kubeconfig import write_kubeconfig
from simulator.api.server import ApiServer
from tests.contract.cluster import Cluster, Pace, visited

PACE: Final = Pace(poll=0.01, patience=10.0, watch=timedelta(seconds=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulated:
    """A cluster of which everything can be seen and switched."""

    cluster: Cluster
    api: ApiServer
    plane: ControlPlane


@asynccontextmanager
async def emulated(directory: Path) -> AsyncIterator[Emulated]:
    """Start an emulator and go there as to any other cluster."""
    api = ApiServer(clock=clocks.wall)
    plane = ControlPlane(api)
    async with http.serve(api) as served, running(plane):
        kubeconfig = directory / "kubeconfig"
        await asyncio.to_thread(write_kubeconfig, kubeconfig, served.url)
        async with visited(kubeconfig, PACE, api.compact) as cluster:
            yield Emulated(cluster=cluster, api=api, plane=plane)


@asynccontextmanager
async def running(plane: ControlPlane) -> AsyncIterator[None]:
    """Let the controllers run for a while."""
    task = asyncio.create_task(plane.run(), name="control plane")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
