"""Logins that the official client knows: exec plugins, OIDC, clouds. Imported only when needed.

Importing it costs tens of MiB and a fifth of a second, which is why nothing else here does. It
reads files and waits for programs, so it works in a thread.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from nodehealth.kube.credentials import Credentials
from nodehealth.kube.errors import SettingsError

_KEPT: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(minutes=5)
"""A plugin may ask a person something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a login gave: a header, or a client certificate, or both."""

    authorization: str
    certificate: str
    key: str


class Login(Credentials):
    """Headers from the official client's loader, which logs in again when a login expires."""

    def __init__(self, kubeconfig: str, context: str | None) -> None:
        self._kubeconfig, self._context = kubeconfig, context
        self._configuration: Any = None  # the official client's; it has no types
        self._grant: Grant | None = None
        self._asked_at = float("-inf")
        self._lock = asyncio.Lock()

    async def headers(self, *, refused: bool = False) -> Mapping[str, str]:
        """Return the headers, from a new login where the last one was refused."""
        grant = await self.grant(refused=refused)
        return {"authorization": grant.authorization} if grant.authorization else {}

    async def grant(self, *, refused: bool = False) -> Grant:
        """Log in, unless a login still holds.

        Raises:
            nodehealth.kube.errors.SettingsError: the plugin or the provider gave nothing.
        """
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._grant is None or refused or now - self._asked_at >= _KEPT.total_seconds():
                self._grant = await self._ask(anew=refused)
                self._asked_at = now
            return self._grant

    async def _ask(self, *, anew: bool) -> Grant:
        try:
            async with asyncio.timeout(_LONGEST.total_seconds()):
                grant = await asyncio.to_thread(self._logged_in, anew=anew)
        except TimeoutError as late:
            raise SettingsError(f"{self._kubeconfig}: the login takes too long") from late
        if not grant.authorization and not grant.certificate:
            nothing = "the login gave neither a token nor a certificate"
            raise SettingsError(f"{self._kubeconfig}: {nothing}")
        return grant

    def _logged_in(self, *, anew: bool) -> Grant:
        from kubernetes import client, config  # noqa: PLC0415 - paid for where it is needed

        try:
            if anew or self._configuration is None:
                configuration = client.Configuration()
                config.load_kube_config(  # type: ignore[no-untyped-call]  # it has no types
                    config_file=self._kubeconfig,
                    context=self._context,
                    client_configuration=configuration,
                    persist_config=False,
                )
                self._configuration = configuration
            token = self._configuration.get_api_key_with_prefix("BearerToken")  # or logs in again
        except (config.ConfigException, OSError, ValueError) as error:
            raise SettingsError(f"{self._kubeconfig}: the login failed: {error}") from error
        return Grant(
            authorization=(token or "").strip(),
            certificate=self._configuration.cert_file or "",
            key=self._configuration.key_file or "",
        )
