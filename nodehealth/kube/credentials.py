"""Who we say we are in a request's headers, read anew as tokens are renewed."""

import abc
import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from nodehealth.kube.errors import SettingsError

_KEPT: Final = timedelta(minutes=1)
"""How long a token is used before its file is read again; the kubelet renews it hourly."""


class Credentials(abc.ABC):
    """What proves who we are."""

    @abc.abstractmethod
    async def headers(self, *, refused: bool = False) -> Mapping[str, str]:
        """Return the headers that prove it; `refused` says that the last ones did not."""


class Fixed(Credentials):
    """Headers that never change; none at all where a client certificate says it."""

    def __init__(self, headers: Mapping[str, str] | None = None) -> None:
        self._headers = headers or {}

    async def headers(self, *, refused: bool = False) -> Mapping[str, str]:  # noqa: ARG002 - nothing newer to try
        """Return them."""
        return self._headers


class TokenFile(Credentials):
    """A bearer token in a file that somebody else renews.

    While the file is missing or empty, as between two writes, the last token goes on serving; so it
    does where the machine has no thread left to read the file in.

    Args:
        path: The file.
        kept: How long a token is used before the file is read again.
        in_thread: How the file is read.
    """

    def __init__(
        self,
        path: Path,
        *,
        kept: timedelta = _KEPT,
        in_thread: Callable[[Callable[[], str]], Awaitable[str]] = asyncio.to_thread,
    ) -> None:
        self.path, self._in_thread = path, in_thread
        self._kept = kept.total_seconds()
        self._token = ""
        self._read_at = float("-inf")

    async def headers(self, *, refused: bool = False) -> Mapping[str, str]:
        """Return the token, from the file if the one in memory is old or refused."""
        now = asyncio.get_running_loop().time()
        if refused or now - self._read_at >= self._kept:
            with contextlib.suppress(RuntimeError):
                self._token = await self._in_thread(self._read) or self._token
                self._read_at = now
        if not self._token:
            raise SettingsError(f"{self.path}: expected a token, found none")
        return {"authorization": f"Bearer {self._token}"}

    def _read(self) -> str:
        try:
            return self.path.read_text().strip()
        except OSError:
            return ""
