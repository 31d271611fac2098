"""The same answers without an API server behind them: `python -m bench.bare`.

It says fixed bytes of the sizes that the emulator's answers have, and passes the body of a patch
on to whoever watches: what aiohttp itself costs, and so the least that any server here could.
"""

import asyncio
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from bench import child
from bench.child import Offer

_HOST: Final = "127.0.0.1"


class Bare:
    """Answers as if it knew a cluster."""

    def __init__(self, *, nodes: int, pods: int, patched: int, event: int) -> None:
        self._lists = {"nodes": bytes(nodes), "pods": bytes(pods)}
        self._patched = bytes(patched)
        self._event = event
        self._watching: set[asyncio.Queue[bytes]] = set()

    async def read(self, request: web.Request) -> web.StreamResponse:
        """Answer a list or a watch."""
        if "limit" in request.query:
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": []})
        if "watch" not in request.query:
            return web.Response(body=self._lists[request.match_info["plural"]])
        response = web.StreamResponse()
        await response.prepare(request)
        mine: asyncio.Queue[bytes] = asyncio.Queue()
        self._watching.add(mine)
        try:
            while True:
                lines = [await mine.get()]
                while not mine.empty():
                    lines.append(mine.get_nowait())
                await response.write(b"".join(lines))
        except ConnectionResetError:
            return response
        finally:
            self._watching.discard(mine)

    async def patch(self, request: web.Request) -> web.Response:
        """Take a patch, and show it to whoever watches."""
        body = await request.read()
        line = body.ljust(self._event - 1) + b"\n"
        for each in self._watching:
            each.put_nowait(line)
        return web.Response(body=self._patched)


@asynccontextmanager
async def _served(told: Namespace) -> AsyncIterator[Offer]:
    bare = Bare(nodes=told.nodes, pods=told.pods, patched=told.patched, event=told.event)
    app = web.Application()
    app.router.add_get("/api/v1/{plural}", bare.read)
    app.router.add_patch("/api/v1/nodes/{name}", bare.patch)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, _HOST, 0).start()
        url = f"http://{_HOST}:{runner.addresses[0][1]}"
        yield Offer(url=url, answers={"cpu": child.cpu})
    finally:
        await runner.cleanup()


def _main() -> None:
    parser = child.arguments("Serve fixed bytes.")
    for name in ("--nodes", "--pods", "--patched", "--event"):
        parser.add_argument(name, type=int, default=0, help="how many bytes")
    told = parser.parse_args()
    child.run(_served(told), told.folder, told.core)


if __name__ == "__main__":
    _main()
