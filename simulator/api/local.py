"""A way to the API server in the same process: no sockets, no threads."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from nodehealth.kube.errors import OutcomeUnknownError
from nodehealth.kube.transport import Request, Response, Transport
from simulator.api.answers import Answer
from simulator.api.server import ADMIN_TOKEN, ApiServer


class LocalResponse(Response):
    """An answer whose every piece has a deadline."""

    def __init__(self, answer: Answer, deadline: timedelta) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self._pieces = answer.chunks()
        self._deadline = deadline.total_seconds()

    async def read(self) -> bytes:
        """Return the whole body."""
        async with aclosing(self.chunks()) as pieces:
            return b"".join([piece async for piece in pieces])

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the body piece by piece."""
        while True:
            try:
                async with asyncio.timeout(self._deadline):
                    piece = await anext(self._pieces)
            except StopAsyncIteration:
                return
            except TimeoutError as late:
                raise OutcomeUnknownError("the answer stopped arriving") from late
            yield piece

    async def close(self) -> None:
        """Let go of what is still arriving."""
        await self._pieces.aclose()


class LocalTransport(Transport):
    """Hands requests to an API server in this process, with a bearer token."""

    def __init__(self, api: ApiServer, token: str = ADMIN_TOKEN) -> None:
        self._api = api
        self._token = token

    @asynccontextmanager
    async def open(self, request: Request, *, deadline: timedelta) -> AsyncIterator[Response]:
        """Send a request and give its response."""
        headers = {"authorization": f"Bearer {self._token}", **request.headers}
        try:
            async with asyncio.timeout(deadline.total_seconds()):
                await asyncio.sleep(0)
                answer = await self._api.handle(replace(request, headers=headers))
        except TimeoutError as late:
            raise OutcomeUnknownError("no answer came") from late
        response = LocalResponse(answer, deadline)
        try:
            yield response
        finally:
            await response.close()
