"""The seam below the client: one request goes out, one response comes back as it arrives."""

import abc
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to the API server."""

    method: str
    path: str
    """The path without its query, such as `/api/v1/nodes`."""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Header names are lower case."""
    body: bytes = b""


class Response(abc.ABC):
    """The answer: its head is known, its body is still arriving."""

    status: int
    headers: Mapping[str, str]
    """Header names are lower case."""

    @abc.abstractmethod
    async def read(self) -> bytes:
        """Return the whole body."""

    @abc.abstractmethod
    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives, cut anywhere."""


class Transport(abc.ABC):
    """One way to the API server: HTTP, or straight into an emulator in the same process."""

    @abc.abstractmethod
    def open(
        self, request: Request, *, deadline: timedelta
    ) -> AbstractAsyncContextManager[Response]:
        """Send a request and give its response; leaving the context drops the connection.

        The deadline covers the time until the response's head, and each wait for a chunk after it.

        Raises:
            nodehealth.kube.errors.UnreachableError: nothing was sent.
            nodehealth.kube.errors.OutcomeUnknownError: sent, and no answer came.
        """
