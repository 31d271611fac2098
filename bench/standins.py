"""The benchmark in the place of many agents: it reports for their nodes over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from nodehealth.health import NODE_HEALTHS, Level, NodeHealth, NodeHealthStatus
from nodehealth.kube.client import Client
from nodehealth.kube.objects import Metadata

HEALTHY: Final = 0.6
FULL: Final = 0.0
_LANES: Final = 16
_FIELDS: Final = {"device": "/dev/sda1", "fstype": "ext4"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standins:
    """Reports the free space of one filesystem for each node."""

    client: Client
    uids: Mapping[str, str]
    """The nodes' UIDs by their names."""
    since: datetime

    async def begin(self) -> None:
        """Make every node's NodeHealth, healthy."""
        await self._each(self.uids, self._begin)

    async def report(self, name: str, value: float) -> int:
        """Report a level and return the version that the report got."""
        level = Level(
            name="disk.free_ratio", subject="/", value=value, since=self.since, fields=_FIELDS
        )
        status = NodeHealthStatus(
            node_uid=self.uids[name], boot_id="boot", refresh_seconds=3600, levels=(level,)
        )
        made = await self.client.merge_patch(
            NODE_HEALTHS, name, {"status": status}, subresource="status"
        )
        return int(made.metadata.resource_version)

    async def report_all(self, names: Iterable[str], value: float) -> dict[str, int]:
        """Report for many nodes as fast as it goes; return the versions."""
        versions: dict[str, int] = {}

        async def one(name: str) -> None:
            versions[name] = await self.report(name, value)

        await self._each(names, one)
        return versions

    async def _begin(self, name: str) -> None:
        await self.client.create(NODE_HEALTHS, NodeHealth(metadata=Metadata(name=name)))
        await self.report(name, HEALTHY)

    async def _each(self, names: Iterable[str], work: Callable[[str], Awaitable[object]]) -> None:
        waiting = iter(tuple(names))

        async def lane() -> None:
            for name in waiting:
                await work(name)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(_LANES):
                tasks.create_task(lane())
