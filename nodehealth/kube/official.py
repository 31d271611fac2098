"""Logins that the official client knows: exec plugins, OIDC, clouds. Imported only when needed.

Importing it costs 20 MiB and a quarter of a second, which is why nothing else here does. It reads
files and starts programs as it pleases, so it runs in a thread with a loop of its own.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from nodehealth.kube.credentials import Credentials
from nodehealth.kube.errors import SettingsError

_KEPT: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(minutes=2)
"""A login may ask a person something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a login gave: a header, or a client certificate, or both."""

    authorization: str
    certificate: str
    key: str


class Login(Credentials):
    """Headers from the official client's loader, asked every minute whether they still hold."""

    def __init__(self, kubeconfig: str, context: str | None) -> None:
        self._kubeconfig, self._context = kubeconfig, context
        self._loader: Any = None  # the official client has no types
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
                self._loader = None if refused else self._loader
                self._grant = await asyncio.to_thread(self._logged_in)
                self._asked_at = now
            return self._grant

    def _logged_in(self) -> Grant:
        from kubernetes.aio import client, config  # noqa: PLC0415 - paid for where it is needed

        configuration = client.Configuration()
        try:
            asyncio.run(asyncio.wait_for(self._load(config, configuration), _LONGEST.seconds))
        except (config.ConfigException, OSError, ValueError) as error:
            raise SettingsError(f"{self._kubeconfig}: the login failed: {error}") from error
        grant = Grant(
            authorization=configuration.api_key.get("BearerToken", "").strip(),
            certificate=configuration.cert_file or "",
            key=configuration.key_file or "",
        )
        if not grant.authorization and not grant.certificate:
            raise SettingsError(
                f"{self._kubeconfig}: the login gave neither a token nor a certificate"
            )
        return grant

    async def _load(self, config: Any, configuration: Any) -> None:  # noqa: ANN401 - it has no types
        if self._loader is not None:
            await self._loader.load_and_set(configuration)
            return
        self._loader = await config.load_kube_config(
            config_file=self._kubeconfig,
            context=self._context,
            client_configuration=configuration,
            persist_config=False,
        )
