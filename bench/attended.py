"""Whom an agent asks on its node beside the kernel: kubelet, container runtime, systemd."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.agent import pid1, runtimes
from tests.agent.pid1 import Service, Systemd
from tests.agent.runtimes import Fake, containers, images, status

KUBELET_PORT: Final = 10_248
"""Where a kubelet answers."""
_SOCKET: Final = "run/containerd/containerd.sock"
_CONTAINERS: Final = 100
_RUNNING: Final = 1
_UNITS: Final = ("kubelet", "containerd", "nvidia-persistenced", "nvidia-fabricmanager", "chrony")


@dataclass(slots=True, kw_only=True)
class Attended:
    """When they were asked, by the clock that all processes of a machine share."""

    kubelet: list[float] = field(default_factory=list)
    runtime: list[float] = field(default_factory=list)
    """When the container runtime was asked how it is, which one look does once."""
    port: int = KUBELET_PORT
    """Where the kubelet answers."""

    async def healthz(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Say that the kubelet is well."""
        self.kubelet.append(time.perf_counter())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok")
        writer.close()

    def heard(self, method: str) -> None:
        """Take a note that the container runtime was asked something."""
        if method == "RuntimeService/Status":
            self.runtime.append(time.perf_counter())


@contextlib.asynccontextmanager
async def running(root: Path, port: int = 0) -> AsyncIterator[Attended]:
    """Have all of them answer that all is well, on a node with a hundred containers.

    Args:
        root: The root directory of the node.
        port: Of the kubelet; if somebody answers there, it is left to them. 0 is any that is free.
    """
    found = Attended(port=port)
    said = {
        "RuntimeService/Status": status(RuntimeReady="", NetworkReady=""),
        "RuntimeService/ListPodSandbox": b"",
        "RuntimeService/ListContainers": containers(*[(_RUNNING, 1)] * _CONTAINERS),
        "ImageService/ImageFsInfo": images("/"),
    }
    systemd = Systemd(units={f"{each}.service": Service() for each in _UNITS})
    async with contextlib.AsyncExitStack() as stack:
        with contextlib.suppress(OSError):
            server = await asyncio.start_server(found.healthz, "127.0.0.1", port)
            await stack.enter_async_context(server)
            found.port = server.sockets[0].getsockname()[1]
        fake = Fake(said, heard=found.heard)
        await stack.enter_async_context(runtimes.runtime(root / _SOCKET, fake))
        await stack.enter_async_context(pid1.running(root, systemd))
        yield found
