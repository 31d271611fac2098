"""A transport that tells how each request went: its verb, its status and how long it took."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Final, TypeAlias

from nodehealth.kube import errors
from nodehealth.kube.transport import Request, Response, Transport

Heard: TypeAlias = Callable[[str, str, float], None]
"""Is told of a request's verb, its status or `none`, and the seconds until its answer began."""

UNANSWERED: Final = "none"
_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Metered(Transport):
    """Hands requests on to another transport.

    Args:
        inner: The transport that does the work.
        heard: Is told of each request.
    """

    def __init__(self, inner: Transport, heard: Heard) -> None:
        self._inner, self._heard = inner, heard

    @asynccontextmanager
    async def open(self, request: Request, *, deadline: timedelta) -> AsyncIterator[Response]:
        """Send a request, and tell of it as soon as its answer begins or none will come."""
        loop, verb = asyncio.get_running_loop(), _verb(request)
        began = loop.time()
        async with AsyncExitStack() as stack:
            try:
                response = await stack.enter_async_context(
                    self._inner.open(request, deadline=deadline)
                )
            except errors.KubeError:
                self._heard(verb, UNANSWERED, loop.time() - began)
                raise
            self._heard(verb, str(response.status), loop.time() - began)
            yield response


def _verb(request: Request) -> str:
    if request.query.get("watch"):
        return "watch"
    return _VERBS.get(request.method, "get")
