"""Puts the remediator together and runs it until it is told to stop."""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from prometheus_client import CollectorRegistry

from nodehealth import keys
from nodehealth.health import NODE_HEALTHS, NodeHealth
from nodehealth.kit import clocks, loops, web
from nodehealth.kit.clocks import Clock
from nodehealth.kit.pulse import Pulse
from nodehealth.kit.web import Address
from nodehealth.kube import connect, errors
from nodehealth.kube.client import Client
from nodehealth.kube.lease import TERMS, Election, Terms
from nodehealth.kube.objects import BARE_PODS, NODES, BarePod, Node
from nodehealth.kube.reflector import Key, Reflector
from nodehealth.ledger import REPAIR_LEDGERS, RepairLedger
from nodehealth.repair import NODE_REPAIRS, Mode, NodeRepair, Phase
from remediator import posting
from remediator.act import Act
from remediator.admission import Admission
from remediator.decide import maintenance
from remediator.decide.facts import Watches
from remediator.faults import Faults
from remediator.files import Loaded, Place, fingerprint, loaded, remedy
from remediator.gauges import Gauges
from remediator.metrics import Metrics
from remediator.observe import Fleet
from remediator.pacing import Pacing
from remediator.prerequisites import Prerequisites
from remediator.queueing import Queueing
from remediator.reap import Reap
from remediator.reconcile import Reconciler
from remediator.reload import Reload, Source
from remediator.scene import Around
from remediator.sinks import Outside
from remediator.tell import Tell
from remediator.telling import Telling

logger = logging.getLogger(__name__)

_FREED: Final = frozenset({Phase.RECOVERED, Phase.NEEDS_HUMAN, Phase.PARKED})
_FIRST_PAUSE: Final = timedelta(milliseconds=500)
_LONGEST_PAUSE: Final = timedelta(seconds=30)
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
    manager, heard = keys.REMEDIATOR_MANAGER, metrics.requested
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
    source: Source | None = None,
) -> None:
    """Watch the fleet, and act on it while leading, until told to stop."""
    known = metrics or Metrics(CollectorRegistry())
    known.loaded(clock())
    remediator = Remediator(
        files, client=client, clock=clock, random=random, outside=outside, metrics=known
    )
    remediator.restrict(Mode.OBSERVE)  # until the cluster is known to have all that we need
    prerequisites = Prerequisites(
        client, lambda most: remediator.restrict(most, prerequisites.missing)
    )
    looks = loops.every(_LOOKS, prerequisites.look, name="look at the cluster", random=random)

    async def lead() -> None:
        await prerequisites.known.wait()
        await remediator.lead()

    election = Election(
        client,
        name=keys.LEADER_LEASE,
        namespace=settings.namespace,
        identity=settings.identity or f"{socket.gethostname()}-{random.getrandbits(32):08x}",
        clock=clock,
        random=random,
        terms=settings.terms,
    )
    async with _answering(settings, remediator, known), asyncio.TaskGroup() as tasks:
        watching = [tasks.create_task(each.run()) for each in remediator.reflectors]
        watching.append(tasks.create_task(looks))
        if source is not None:
            watching.append(tasks.create_task(remediator.reload(source).run()))
        leading = tasks.create_task(election.run(lead), name="lead")
        await stop.wait()
        remediator.stop()
        if election.leading:
            await asyncio.wait({leading}, timeout=_LAST_LOOKS.total_seconds())
        for each in (leading, *watching):
            each.cancel()


@asynccontextmanager
async def _answering(
    settings: Settings, remediator: "Remediator", metrics: Metrics
) -> AsyncIterator[None]:
    """Answer who asks for metrics, health and readiness, if an address is set."""
    if settings.listen is None:
        yield
        return
    pulse = Pulse()
    serving = web.serve(
        settings.listen,
        registry=metrics.registry,
        healthy=pulse.missing,
        ready=remediator.unready,
    )
    async with serving:
        beating = asyncio.create_task(pulse.run(), name="pulse")
        try:
            yield
        finally:
            beating.cancel()


class Remediator:
    """One replica: its caches are always warm, and it acts while it leads."""

    def __init__(
        self,
        files: Loaded,
        *,
        client: Client,
        clock: Clock,
        random: Random,
        outside: Outside | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._metrics = metrics or Metrics(CollectorRegistry())
        self._policy, self._provider = files.policy, files.provider
        self._client, self._clock, self._random = client, clock, random
        self._fleet = Fleet(files.policy, self._watches)
        self._admission = Admission(client=client, clock=clock)
        tell = Tell(client=client, clock=clock)
        self._telling = Telling(
            tell=tell,
            client=client,
            outside=outside,
            repairs=self._fleet.repairs,
            metrics=self._metrics,
            clock=clock,
            random=random,
        )
        self._telling.use(files.policy.alerts, files.rules, files.sinks)
        self.faults = Faults(begun=self._telling.fault, over=self._telling.fault_over)
        self._queueing = Queueing(clock)
        act = Act(
            client=client,
            admission=self._admission,
            clock=clock,
            around=self._around,
            actions=remedy,
            queueing=self._queueing,
            pacing=Pacing(clock),
            tell=self._telling.phase,
        )
        self._reconciler = Reconciler(
            fleet=self._fleet,
            rules=files.rules,
            policy=files.policy,
            client=client,
            advance=act.advance,
            reap=Reap(client=client, admission=self._admission).reap,
            faults=self.faults,
            clock=clock,
            random=random,
            judged=self._metrics.judged,
        )
        reflect = partial(Reflector, client, clock=clock, random=random)
        self._nodes = reflect(NODES, on_change=self._node_changed)
        self._healths = reflect(NODE_HEALTHS, on_change=self._health_changed)
        self._agents = reflect(
            BARE_PODS,
            on_change=self._agent_changed,
            namespace=keys.NAMESPACE,
            labels=f"{keys.NAME_LABEL}={keys.AGENT_NAME}",
        )
        self._needed = (
            self._nodes,
            self._healths,
            reflect(NODE_REPAIRS, on_change=self._repair_changed),
            reflect(REPAIR_LEDGERS, on_change=self._ledger_changed),
        )
        self.reflectors = (*self._needed, self._agents)
        gauges = Gauges(
            fleet=self._fleet,
            policy=lambda: self._policy,
            watches={each.kind: partial(getattr, each, "fresh_at") for each in self.reflectors},
            queues=self._telling.queues,
            admissions=self._admission.tally,
            clock=clock,
        )
        self._metrics.registry.register(gauges)

    def unready(self) -> str:
        """Say which copies are not complete yet; nothing when we could lead."""
        missing = [each.kind for each in self._needed if not each.synced.is_set()]
        return f"waits for the first list of {', '.join(missing)}" if missing else ""

    async def lead(self) -> None:
        """Act until leadership is lost or we are told to stop."""
        for each in self._needed:  # without the agents' pods it is only unknown who is silent
            await each.synced.wait()
        for pause in loops.backoff(_FIRST_PAUSE, _LONGEST_PAUSE, random=self._random):
            if await self._ensured():
                break
            await asyncio.sleep(pause.total_seconds())
        self._metrics.leader.set(1)
        try:
            async with asyncio.TaskGroup() as tasks:
                telling = tasks.create_task(self._telling.run(), name="tell")
                await self._reconciler.run()
                telling.cancel()
        finally:
            self._metrics.leader.set(0)

    def use(self, files: Loaded) -> None:
        """Judge, decide and tell by other files from now on; what has begun goes on as planned."""
        self._policy, self._provider = files.policy, files.provider
        self._fleet.use(files.policy)
        self._queueing.clear()
        self._reconciler.use(files.rules, files.policy)
        self._telling.use(files.policy.alerts, files.rules, files.sinks)

    def reload(self, source: Source) -> Reload:
        """Return what takes the files in anew whenever they change."""
        return Reload(source, use=self.use, broken=self._broken, clock=self._clock)

    def _broken(self, says: str) -> None:
        self._telling.rules_broken(says)
        if says:
            self._metrics.not_loaded()
        else:
            self._metrics.loaded(self._clock())

    def restrict(self, most: Mode, missing: tuple[str, ...] = ()) -> None:
        """Go no further than this, whatever rules and policy say, for the cluster lacks something.

        Args:
            most: How far we may go.
            missing: What is lacking, as sentences for people.
        """
        self._telling.lacks(missing)
        self._metrics.lacks(len(missing))
        self._reconciler.restrict(most)

    def stop(self) -> None:
        """Begin nothing new."""
        self._reconciler.stop()

    async def _ensured(self) -> bool:
        try:
            await self._admission.ensure()
        except errors.KubeError as failed:
            logger.warning("without a ledger nothing is done: %s", failed)
            return False
        return True

    def _around(self, repair: NodeRepair) -> Around:
        return Around(
            wellness=self._reconciler.wellness(repair),
            allowed=self._reconciler.allowed(repair),
            ruled=self._reconciler.is_ruled(repair),
            eclipsed_by=self._reconciler.eclipsed_by(repair),
            scopes=self._fleet.scopes(),
            repairs=self._fleet.open_repairs(),
            policy=self._policy,
            provider=self._provider,
        )

    def _node_changed(self, key: Key, before: Node | None, node: Node | None) -> None:
        self._fleet.see_node(key[1], node)
        self._reconciler.touch(key[1])
        if maintenance.is_over(before, node):
            self._reconciler.touch_waiting()

    def _health_changed(self, key: Key, _: NodeHealth | None, health: NodeHealth | None) -> None:
        self._fleet.see_health(key[1], health, now=self._clock(), served=self._client.server_time)
        self._reconciler.touch(key[1])

    def _agent_changed(self, _: Key, before: BarePod | None, pod: BarePod | None) -> None:
        served = self._client.server_time
        node = self._fleet.see_agent(before, pod, now=self._clock(), served=served)
        if node:
            self._reconciler.touch(node)

    def _watches(self) -> Watches:
        return Watches(
            nodes=self._nodes.fresh_at,
            healths=self._healths.fresh_at,
            agents=self._agents.fresh_at,
        )

    def _ledger_changed(
        self, _: Key, before: RepairLedger | None, ledger: RepairLedger | None
    ) -> None:
        self._telling.ledger(ledger)
        for node in self._fleet.see_ledger(ledger):
            self._reconciler.touch(node)
        if before is not None and ledger is not None and _gave_back(before, ledger):
            self._reconciler.touch_waiting()

    def _repair_changed(
        self, key: Key, before: NodeRepair | None, repair: NodeRepair | None
    ) -> None:
        self._fleet.see_repair(key[1], repair)
        self._telling.repair(before, repair)
        known = repair or before
        if known is not None:
            self._reconciler.touch(known.spec.target.node)
        was, now = _phase(before), _phase(repair)
        if was is not None and was not in _FREED and (now is None or now in _FREED):
            self._reconciler.touch_waiting()


def _phase(repair: NodeRepair | None) -> Phase | None:
    return repair.status.phase if repair is not None else None


def _gave_back(before: RepairLedger, after: RepairLedger) -> bool:
    """Say whether somebody who waits may get a slot now that could not before."""
    freed = before.status.slots.keys() - after.status.slots.keys()
    return bool(freed) or before.spec != after.spec
