"""Leader election over a Lease: one runs, the others are ready, and who cannot renew stops itself.

A leader's time runs from the moment *before* it sent the renewal that succeeded last, by its own
monotonic clock. Others count from the moment after they saw it, so the leader always stops first.
Clocks are never compared. It saves work; it is no fence for single writes: a process that was
frozen may wake and send one more. What must never be done twice needs a fence of its own.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Final

from nodehealth.kit import loops
from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import LEASES, Lease, micro_time

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How long a lease is held, and when its holder must stop."""

    duration: timedelta = timedelta(seconds=10)
    """After how long without renewal others take over; whole seconds."""
    renew_deadline: timedelta = timedelta(seconds=7)
    """After how long without renewal the leader stops; the rest is its time to stop in."""
    retry: timedelta = timedelta(seconds=1.5)
    """How often the leader renews and the others look."""

    def __post_init__(self) -> None:
        if not self.retry < self.renew_deadline < self.duration:
            raise ValueError("expected retry < renew_deadline < duration")
        if self.duration % timedelta(seconds=1):
            raise ValueError(f"expected whole seconds, got {self.duration}")


TERMS: Final = Terms()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sighting:
    """A lease, and when it was first seen held like this, by our monotonic clock."""

    lease: Lease
    at: float

    @property
    def holder(self) -> str:
        return self.lease.spec.holder_identity

    def expires(self, terms: Terms) -> float:
        """Return when others may take the lease if nothing more is seen of its holder."""
        declared = self.lease.spec.lease_duration_seconds
        return self.at + (declared or terms.duration.total_seconds())


class Election:
    """One candidate for a lease.

    Args:
        client: The way to the API server.
        name: The lease's name; it is made if there is none.
        namespace: The lease's namespace.
        identity: Who we are; unlike any other process's, also unlike our own before a restart.
        clock: The time that we write down for people to read.
        random: Where the jitter of looking comes from.
        terms: How long a lease is held.
    """

    def __init__(
        self,
        client: Client,
        *,
        name: str,
        namespace: str,
        identity: str,
        clock: Clock,
        random: Random,
        terms: Terms = TERMS,
    ) -> None:
        self.leading = False
        """Whether the body runs now."""
        self._client, self._name, self._namespace = client, name, namespace
        self._identity, self._clock, self._random = identity, clock, random
        self._terms = terms
        self._seen: _Sighting | None = None
        self._doubtful = True
        self._renewed_at = float("-inf")

    @property
    def leader(self) -> str:
        """Return who held the lease when it was last seen; empty if nobody did."""
        return self._seen.holder if self._seen is not None else ""

    async def run(self, body: Callable[[], Awaitable[None]]) -> None:
        """Run the body whenever we lead, until it returns, it raises or we are cancelled.

        The body is cancelled when leadership is lost, and started again when it is won back. The
        lease is given back at the end, whatever the end.
        """
        try:
            while True:
                await self._win()
                if await self._lead(body):
                    return
                logger.warning("%s does not lead any more", self._identity)
        finally:
            await self._release()

    async def _win(self) -> None:
        while True:
            if await self._attempt():
                logger.info("%s leads", self._identity)
                return
            await asyncio.sleep(self._pause())

    async def _lead(self, body: Callable[[], Awaitable[None]]) -> bool:
        """Run the body beside the renewals; say whether it ended by itself."""
        self.leading = True
        work = asyncio.ensure_future(body())
        renewals = asyncio.create_task(self._keep(), name=f"renew lease {self._name}")
        try:
            await asyncio.wait({work, renewals}, return_when=asyncio.FIRST_COMPLETED)
            ended = work.done()
        finally:
            self.leading = False
            renewals.cancel()
            await self._stop(work)
            await asyncio.wait({renewals})
        if not renewals.cancelled():
            await renewals
        if ended or not work.cancelled():
            await work  # a crash is the caller's to hear of
        return ended

    async def _keep(self) -> None:
        """Renew until the lease is somebody else's, or was not renewed in time."""
        deadline = self._terms.renew_deadline.total_seconds()
        try:
            while True:
                async with asyncio.timeout_at(self._renewed_at + deadline):
                    await asyncio.sleep(self._pause())
                    while not await self._attempt():
                        if self.leader != self._identity:
                            return
                        await asyncio.sleep(self._pause())
        except TimeoutError:
            logger.warning("lease %s: not renewed within %g s", self._name, deadline)

    async def _stop(self, work: asyncio.Future[None]) -> None:
        """Cancel the body and wait for its end, however long it takes."""
        work.cancel()
        margin = self._terms.duration - self._terms.renew_deadline
        _, running = await asyncio.wait({work}, timeout=margin.total_seconds())
        if running:
            logger.error("lease %s: the leader's work does not stop", self._name)
            await asyncio.wait({work})

    async def _attempt(self) -> bool:
        """Take or renew the lease, if we may; say whether it is surely ours."""
        limit = self._terms.renew_deadline.total_seconds() / 2
        try:
            async with asyncio.timeout(limit):
                return await self._take()
        except TimeoutError:
            logger.warning("lease %s: no answer within %g s", self._name, limit)
        except errors.KubeError as error:
            logger.warning("lease %s: %s", self._name, error)
        return False

    async def _take(self) -> bool:
        if self._doubtful:
            await self._look()
        seen, now = self._seen, asyncio.get_running_loop().time()
        free = seen is None or seen.holder in {"", self._identity}
        if seen is not None and not free and now < seen.expires(self._terms):
            return False
        self._doubtful = True
        try:
            lease = await self._write(seen.lease if seen is not None else None)
        except (errors.ConflictError, errors.GoneError):
            await self._look()
            return False
        self._doubtful, self._renewed_at = False, now
        self._see(lease)
        return True

    async def _look(self) -> None:
        try:
            lease = await self._client.get(LEASES, self._name, namespace=self._namespace)
        except errors.GoneError:
            self._seen = None
        else:
            self._see(lease)

    def _see(self, lease: Lease) -> None:
        unchanged = self._seen is not None and self._seen.lease.spec == lease.spec
        at = self._seen.at if self._seen and unchanged else asyncio.get_running_loop().time()
        self._seen = _Sighting(lease=lease, at=at)

    async def _write(self, known: Lease | None) -> Lease:
        now = micro_time(self._clock())
        spec: dict[str, object] = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._terms.duration.total_seconds()),
            "renewTime": now,
        }
        if known is None or known.spec.holder_identity != self._identity:
            before = known.spec.lease_transitions if known is not None else -1
            spec |= {"acquireTime": now, "leaseTransitions": before + 1}
        if known is None:
            body = {"metadata": {"name": self._name, "namespace": self._namespace}, "spec": spec}
            return await self._client.create(LEASES, body, namespace=self._namespace)
        return await self._patch(known, spec)

    async def _patch(self, known: Lease, spec: Mapping[str, object]) -> Lease:
        version = {"resourceVersion": known.metadata.resource_version}
        body = {"metadata": version, "spec": spec}
        return await self._client.merge_patch(LEASES, self._name, body, namespace=self._namespace)

    async def _release(self) -> None:
        """Give the lease back if it is ours, so that nobody has to wait for its end."""
        try:
            async with asyncio.timeout(self._terms.retry.total_seconds()):
                if self._doubtful:
                    await self._look()
                if self._seen is not None and self._seen.holder == self._identity:
                    renewed = micro_time(self._clock())
                    given = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": renewed}
                    self._see(await self._patch(self._seen.lease, given))
        except (errors.KubeError, TimeoutError) as error:
            logger.warning("lease %s: not given back, it will run out: %s", self._name, error)

    def _pause(self) -> float:
        return loops.jittered(self._terms.retry, 0.2, self._random).total_seconds()
