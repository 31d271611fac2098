"""Shows by the conditions of Nodes what holds on them: seldom, and off the way of any repair."""

import asyncio
import contextlib
import heapq
import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from nodehealth.kit import loops
from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, OWNED_NODES, Node
from remediator.decide import showing
from remediator.decide.conditions import Claim

logger = logging.getLogger(__name__)

_PAUSE: Final = timedelta(milliseconds=50)
"""Between two Nodes: 20 a second at most, in the largest fleet too."""
_TRY_AGAIN: Final = timedelta(seconds=5)
_ASK_AGAIN: Final = timedelta(minutes=10)
"""How long it is believed that a condition is somebody else's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Foreign:
    writers: Mapping[str, str]
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    uid: str
    """Of which machine it was said: another one of its name has done nothing."""
    claims: tuple[Claim, ...]


class Conditions:
    """Writes the conditions of one Node after the other, each as it was just read, while leading.

    Args:
        client: The door to the API server.
        clock: The present time.
        wrote: Is told of every condition that was written, by its type and status.
        foreign: Is told, by type and writer, on which nodes a condition is somebody else's,
            whenever that changes.
    """

    def __init__(
        self,
        *,
        client: Client,
        clock: Clock,
        wrote: Callable[[str, str], None],
        foreign: Callable[[Mapping[tuple[str, str], int]], None],
    ) -> None:
        self._client, self._clock = client, clock
        self._wrote, self._tell = wrote, foreign
        self._wanted: dict[str, _Wanted] = {}
        self._urgent: dict[str, None] = {}
        self._calm: dict[str, None] = {}
        self._later: list[tuple[datetime, str]] = []
        self._due: dict[str, datetime] = {}
        self._foreign: dict[str, _Foreign] = {}
        self._woken = asyncio.Event()

    def see(self, node: Node, claims: tuple[Claim, ...]) -> None:
        """Take in what the conditions of a node ought to be."""
        name = node.metadata.name
        if not showing.is_due(node, claims, self._known_foreign(node)):
            self._drop(name)
            return
        wanted = _Wanted(uid=node.metadata.uid, claims=claims)
        if self._wanted.get(name) != wanted:
            self._wanted[name] = wanted
            self._queue(name)

    def forget(self, name: str) -> None:
        """Take in that a node is gone."""
        self._drop(name)
        if self._foreign.pop(name, None) is not None:
            self._told()

    async def run(self) -> None:
        """Write what is due, until cancelled; what another term left undone is found again."""
        for name in tuple(self._wanted):
            self._drop(name)
        while True:
            name = await self._next()
            if not await loops.survived(partial(self._try, name), name=f"conditions of {name}"):
                self._put_off(name, _TRY_AGAIN)
            await asyncio.sleep(_PAUSE.total_seconds())

    async def _next(self) -> str:
        """Wait for the node whose turn it is: one with a fault goes first."""
        while True:
            self._woken.clear()
            now = self._clock()
            while self._later and self._later[0][0] <= now:
                due, name = heapq.heappop(self._later)
                if self._due.get(name) == due:
                    self._queue(name)
            for ready in (self._urgent, self._calm):
                if ready:
                    name = next(iter(ready))
                    del ready[name]
                    return name
            pause = (self._later[0][0] - now).total_seconds() if self._later else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._woken.wait()

    def _queue(self, name: str) -> None:
        self._unqueue(name)
        tells = any(each.status == each.bad for each in self._wanted[name].claims)
        (self._urgent if tells else self._calm)[name] = None
        self._woken.set()

    def _unqueue(self, name: str) -> None:
        self._due.pop(name, None)
        self._urgent.pop(name, None)
        self._calm.pop(name, None)

    def _drop(self, name: str) -> None:
        self._wanted.pop(name, None)
        self._unqueue(name)

    def _put_off(self, name: str, pause: timedelta) -> None:
        if name in self._wanted:
            self._unqueue(name)
            self._due[name] = self._clock() + pause
            heapq.heappush(self._later, (self._due[name], name))

    def _known_foreign(self, node: Node) -> Collection[str]:
        """Return what was lately found to be somebody else's and is still there."""
        name = node.metadata.name
        known = self._foreign.get(name)
        if known is None:
            return ()
        there = {each.type for each in node.status.conditions}
        left = {type_: who for type_, who in known.writers.items() if type_ in there}
        if self._clock() >= known.until or left != known.writers:
            self._note(name, {})
            return ()
        return left

    async def _try(self, name: str) -> None:
        wanted = self._wanted.get(name)
        if wanted is None:
            return
        try:
            again = await self._write(name, wanted)
        except errors.GoneError:
            self.forget(name)
        except errors.KubeError as failed:
            logger.info("conditions of %s: tries again: %s", name, failed)
            self._put_off(name, _TRY_AGAIN)
        else:
            self._done(name, wanted, again)

    async def _write(self, name: str, wanted: _Wanted) -> datetime | None:
        """Write what is due, if the Node is the one that is meant, and as it was read."""
        node = await self._client.get(OWNED_NODES, name)
        if node.metadata.uid != wanted.uid:
            return None
        now = self._client.server_time or self._clock()
        change = showing.change(node, wanted.claims, showing.writers(node), now)
        self._note(name, change.foreign)
        if change.entries:
            pinned = {
                "uid": node.metadata.uid,
                "resourceVersion": node.metadata.resource_version,
            }
            body = {"metadata": pinned, "status": {"conditions": change.entries}}
            await self._client.strategic_patch(NODES, name, body, subresource="status")
            for entry in change.entries:
                self._wrote(entry["type"], entry.get("status", "removed"))
        return change.again

    def _done(self, name: str, wanted: _Wanted, again: datetime | None) -> None:
        """Wait for what may be written later; what is wanted anew meanwhile has its own turn."""
        if self._wanted.get(name) != wanted:
            return
        if again is None:
            self._drop(name)
            return
        now = self._client.server_time or self._clock()
        self._put_off(name, max(again - now, _PAUSE))

    def _note(self, name: str, writers: Mapping[str, str]) -> None:
        before = self._foreign.pop(name, None)
        if writers:
            self._foreign[name] = _Foreign(writers=writers, until=self._clock() + _ASK_AGAIN)
        if (before.writers if before is not None else {}) != writers:
            self._told()

    def _told(self) -> None:
        found = Counter(
            (type_, who) for each in self._foreign.values() for type_, who in each.writers.items()
        )
        self._tell(found)
