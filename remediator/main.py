"""Puts the remediator together and runs it until it is told to stop."""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from prometheus_client import CollectorRegistry

from nodehealth import keys
from nodehealth.kit import clocks, loops, web
from nodehealth.kit.clocks import Clock
from nodehealth.kit.pulse import Pulse
from nodehealth.kit.web import Address
from nodehealth.kube import connect
from nodehealth.kube.client import Client
from nodehealth.kube.lease import TERMS, Election, Terms
from nodehealth.repair import Mode
from remediator import posting
from remediator.files import Loaded, Place, fingerprint, loaded
from remediator.metrics import Metrics
from remediator.prerequisites import Prerequisites
from remediator.reload import Source
from remediator.replica import Replica
from remediator.sinks import Outside
from remediator.trail import Trail
from remediator.wire import Wire

logger = logging.getLogger(__name__)

_LOOKS: Final = timedelta(minutes=1)
"""How often the cluster is asked whether it has all that we need."""
_LAST_LOOKS: Final = timedelta(seconds=5)
"""How long what is under way may still take when we are told to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator chooses."""

    place: Place = field(default_factory=Place)
    """Where rules and policy are."""
    namespace: str = keys.NAMESPACE
    """Where the leader's Lease lives."""
    identity: str = ""
    """Who we are among the replicas; by default the host's name and something random."""
    terms: Terms = TERMS
    listen: Address | None = None
    """Where metrics, health and readiness are answered; nowhere by default."""
    decisions: Callable[[str], None] | None = None
    """Takes each line of the decision log."""


async def serve(
    settings: Settings, *, config: Path | None = None, context: str | None = None
) -> None:
    """Run a replica until SIGTERM or SIGINT.

    Raises:
        remediator.rules.documents.ProblemsError: rules or policy can't be used.
        nodehealth.kube.errors.SettingsError: the way to the API server is described wrongly.
    """
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    source = await asyncio.to_thread(_source, settings.place)
    files = await asyncio.to_thread(source.read)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, source.hurried.set)
    logger.info("%d rules (%s), %s", len(files.rules.rules), files.rules.digest, files.policy.mode)
    jitter = Random()  # noqa: S311 - jitter is no secret
    metrics = Metrics(CollectorRegistry())
    manager, wire = keys.REMEDIATOR_MANAGER, Wire()

    def heard(verb: str, code: str, seconds: float) -> None:
        metrics.requested(verb, code, seconds)
        wire.requested(verb, code, seconds)

    async with (
        connect.connect(config, context=context, manager=manager, heard=heard) as client,
        posting.outside(clocks.wall) as outside,
    ):
        await run(
            settings,
            files,
            client=client,
            clock=clocks.wall,
            random=jitter,
            stop=stop,
            outside=outside,
            metrics=metrics,
            wire=wire,
            source=source,
        )


def _source(place: Place) -> Source:
    """Take the fingerprint first: what is edited while we begin is then taken in later."""
    tell = partial(fingerprint, place)
    return Source(fingerprint=tell, read=partial(loaded, place), used=tell())


async def run(
    settings: Settings,
    files: Loaded,
    *,
    client: Client,
    clock: Clock,
    random: Random,
    stop: asyncio.Event,
    outside: Outside | None = None,
    metrics: Metrics | None = None,
    wire: Wire | None = None,
    source: Source | None = None,
) -> None:
    """Watch the fleet, and act on it while leading, until told to stop."""
    known = metrics or Metrics(CollectorRegistry())
    known.loaded(clock())
    replica = Replica(
        files,
        client=client,
        clock=clock,
        random=random,
        outside=outside,
        metrics=known,
        trail=Trail(settings.decisions, clock),
        wire=wire,
    )
    replica.restrict(Mode.OBSERVE)  # until the cluster is known to have all that we need
    prerequisites = Prerequisites(
        client, lambda most: replica.restrict(most, prerequisites.missing)
    )
    looks = loops.every(_LOOKS, prerequisites.look, name="look at the cluster", random=random)

    async def lead() -> None:
        await prerequisites.known.wait()
        await replica.lead()

    election = Election(
        client,
        name=keys.LEADER_LEASE,
        namespace=settings.namespace,
        identity=settings.identity or f"{socket.gethostname()}-{random.getrandbits(32):08x}",
        clock=clock,
        random=random,
        terms=settings.terms,
    )
    async with _answering(settings, replica, known), asyncio.TaskGroup() as tasks:
        watching = [tasks.create_task(each.run()) for each in replica.reflectors]
        watching.append(tasks.create_task(looks))
        if source is not None:
            watching.append(tasks.create_task(replica.reload(source).run()))
        leading = tasks.create_task(election.run(lead), name="lead")
        await stop.wait()
        replica.stop()
        if election.leading:
            await asyncio.wait({leading}, timeout=_LAST_LOOKS.total_seconds())
        for each in (leading, *watching):
            each.cancel()


@asynccontextmanager
async def _answering(settings: Settings, replica: Replica, metrics: Metrics) -> AsyncIterator[None]:
    """Answer who asks for metrics, health and readiness, if an address is set."""
    if settings.listen is None:
        yield
        return
    pulse = Pulse()
    serving = web.serve(
        settings.listen,
        metrics=metrics.told,
        healthy=pulse.missing,
        ready=replica.unready,
    )
    async with serving:
        beating = asyncio.create_task(pulse.run(), name="pulse")
        try:
            yield
        finally:
            beating.cancel()
