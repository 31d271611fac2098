"""What a kubelet and a container runtime answer, in a process that can be stopped and continued."""

import asyncio
import sys
from pathlib import Path

from tests.agent.real.telling import tell
from tests.agent.runtimes import Fake, containers, images, speaks_http2, status


async def healthz(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say that all is well."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\nok")
    writer.close()


async def main(run: Path) -> None:
    """Serve for ever: the kubelet, a runtime that is pinged and one that is asked."""
    said = {
        "RuntimeService/Status": status(RuntimeReady="", NetworkReady=""),
        "RuntimeService/ListPodSandbox": b"",
        "RuntimeService/ListContainers": containers(),
        "ImageService/ImageFsInfo": images(),
    }
    kubelet = await asyncio.start_server(healthz, "127.0.0.1", 0)
    pinged = await asyncio.start_unix_server(speaks_http2, run / "pinged.sock")
    asked = await asyncio.start_unix_server(Fake(said).serve, run / "asked.sock")
    async with kubelet, pinged, asked:
        tell(kubelet.sockets[0].getsockname()[1])
        await asyncio.Event().wait()


asyncio.run(main(Path(sys.argv[1])))
