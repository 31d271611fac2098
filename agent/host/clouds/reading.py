"""Which metadata service is read, and what it keeps from one look to the next."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from agent.host.clouds.aws import Aws
from agent.host.clouds.azure import Azure
from agent.host.clouds.facts import Bulletin, Provider
from agent.host.clouds.gcp import Gcp
from agent.host.clouds.service import ADDRESS, Service

_SERVICES: Final[Mapping[Provider, Callable[[str], Service]]] = {
    Provider.AWS: Aws,
    Provider.AZURE: Azure,
    Provider.GCP: Gcp,
}


class Clouds:
    """The services that were asked so far: a token is good for many looks."""

    def __init__(self) -> None:
        self._services: dict[tuple[Provider, str], Service] = {}

    async def bulletin(self, provider: Provider, url: str, *, patience: timedelta) -> Bulletin:
        """Read what a cloud announces, at a URL or where its service always is."""
        base = url or ADDRESS
        asked = self._services.get((provider, base))
        if asked is None:
            asked = self._services[provider, base] = _SERVICES[provider](base)
        return await asked.bulletin(patience)
