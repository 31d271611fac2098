"""A remediator in a corner of a cluster: its API group and its namespace are those of the test."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from nodehealth import keys
from nodehealth.kube.transport import Request, Response, Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Cornered(Transport):
    """Has what is asked of our kinds, and in our namespace, asked of the corner's instead.

    Fields:
        inner: The way to the API server.
        group: The API group in which the corner has our kinds.
        namespace: The corner's namespace.
    """

    inner: Transport
    group: str
    namespace: str

    @asynccontextmanager
    async def open(self, request: Request, *, deadline: timedelta) -> AsyncIterator[Response]:
        """Send a request on, as it is meant here."""
        path = request.path.replace(f"/apis/{keys.GROUP}/", f"/apis/{self.group}/")
        path = path.replace(f"/namespaces/{keys.NAMESPACE}/", f"/namespaces/{self.namespace}/")
        body = request.body.replace(f'"{keys.GROUP}/v'.encode(), f'"{self.group}/v'.encode())
        ours, theirs = (f'"namespace":"{n}"'.encode() for n in (keys.NAMESPACE, self.namespace))
        meant = dataclasses.replace(request, path=path, body=body.replace(ours, theirs))
        async with self.inner.open(meant, deadline=deadline) as response:
            yield response
