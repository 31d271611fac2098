"""One of several equal remediators: what it is made of, and what it does while it leads."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from random import Random
from typing import Final

from prometheus_client import CollectorRegistry

from nodehealth import keys
from nodehealth.kept import KEPT_HEALTHS
from nodehealth.kit import loops
from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import BARE_PODS, NODES
from nodehealth.kube.reflector import Reflector
from nodehealth.ledger import REPAIR_LEDGERS
from nodehealth.repair import NODE_REPAIRS, Mode, NodeRepair
from remediator.act import Act
from remediator.admission import Admission
from remediator.agreed import Agreed
from remediator.asking import Service, Way
from remediator.beginning import Beginning
from remediator.breakers import Breakers
from remediator.changes import Changes
from remediator.competitors import Competitors, most
from remediator.conditions import Conditions
from remediator.decide import plan
from remediator.decide.competitors import Competitor
from remediator.decide.facts import Watches
from remediator.faults import Faults
from remediator.files import Loaded, remedy
from remediator.gauges import Gauges
from remediator.means import Means
from remediator.metrics import Metrics
from remediator.neighbours import Neighbours
from remediator.observe import Fleet
from remediator.pacing import Pacing
from remediator.queueing import Queueing
from remediator.reap import Reap
from remediator.reconcile import Reconciler
from remediator.reload import Reload, Source
from remediator.scene import Around
from remediator.sinks import Outside
from remediator.tell import Tell
from remediator.telling import Telling
from remediator.trail import SILENT, Trail
from remediator.unplaced import Unplaced
from remediator.wire import Wire

logger = logging.getLogger(__name__)

_FIRST_PAUSE: Final = timedelta(milliseconds=500)
_LONGEST_PAUSE: Final = timedelta(seconds=30)
_LOOKS: Final = timedelta(minutes=10)
"""How often it is looked who else repairs nodes."""


class Replica:
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
        trail: Trail = SILENT,
        wire: Wire | None = None,
        ask: Way = Service.ask,
    ) -> None:
        self._metrics = metrics or Metrics(CollectorRegistry())
        self._policy, self._provider, self._random = files.policy, files.provider, random
        self._client, self._clock = client, Agreed(clock, client)
        self._fleet = Fleet(files.policy, self._watches)
        neighbours = Neighbours(
            client=client, clock=self._clock, settings=lambda: self._policy.coexistence
        )
        self._breakers = Breakers(
            fleet=self._fleet,
            rules=lambda: self._reconciler.rules,
            policy=lambda: self._reconciler.policy,
            wire=wire or Wire(),
            unplaced=Unplaced(client, self._clock),
            clock=self._clock,
        )
        self._admission = Admission(
            client=client, clock=self._clock, held=neighbours.at_work, seen=self._breakers.seen
        )
        self._telling = Telling(
            tell=Tell(client=client, clock=self._clock),
            client=client,
            outside=outside,
            repairs=self._fleet.repairs,
            metrics=self._metrics,
            clock=self._clock,
            random=random,
        )
        self._telling.use(files.policy.alerts, files.rules, files.sinks)
        self.faults = Faults(begun=self._telling.fault, over=self._telling.fault_over)
        self._queueing = Queueing(self._clock)
        act = Act(
            means=Means(
                client=client,
                admission=self._admission,
                clock=self._clock,
                actions=remedy,
                queueing=self._queueing,
                pacing=Pacing(self._clock, random),
                neighbours=neighbours,
                ask=ask,
            ),
            around=self._around,
            entered=self._metrics.ended,
            trail=trail,
        )
        self._most = Mode.ENFORCE
        self._competitors = Competitors(client, nodes=self._fleet.all_nodes, found=self._beside)
        self._conditions = Conditions(
            client=client,
            clock=self._clock,
            wrote=self._metrics.condition,
            foreign=self._foreign_conditions,
        )
        self._reconciler = Reconciler(
            fleet=self._fleet,
            rules=files.rules,
            policy=files.policy,
            beginning=Beginning(fleet=self._fleet, client=client, clock=self._clock, trail=trail),
            advance=act.advance,
            reap=Reap(client=client, admission=self._admission, held=neighbours.keeper).reap,
            compare=self._compare,
            faults=self.faults,
            shown=self._conditions,
            clock=self._clock,
            random=random,
            judged=self._metrics.judged,
        )
        changes = Changes(
            fleet=self._fleet,
            reconciler=self._reconciler,
            telling=self._telling,
            client=client,
            clock=self._clock,
        )
        reflect = partial(Reflector, client, clock=self._clock, random=random)
        self._nodes = reflect(NODES, on_change=changes.node)
        self._healths = reflect(KEPT_HEALTHS, on_change=changes.health)
        self._agents = reflect(
            BARE_PODS,
            on_change=changes.agent,
            namespace=keys.NAMESPACE,
            labels=f"{keys.NAME_LABEL}={keys.AGENT_NAME}",
        )
        self._needed = (
            self._nodes,
            self._healths,
            reflect(NODE_REPAIRS, on_change=changes.repair),
            reflect(REPAIR_LEDGERS, on_change=changes.ledger),
        )
        self.reflectors = (*self._needed, self._agents)
        gauges = Gauges(
            fleet=self._fleet,
            policy=lambda: self._policy,
            watches={each.kind: partial(getattr, each, "fresh_at") for each in self.reflectors},
            queues=self._telling.queues,
            admissions=self._admission.tally,
            clock=self._clock,
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
        self._metrics.leader.set(1)
        self._go()
        try:
            async with asyncio.TaskGroup() as tasks:
                telling = tasks.create_task(self._telling.run(), name="tell")
                for pause in loops.backoff(_FIRST_PAUSE, _LONGEST_PAUSE, random=self._random):
                    if await self._ensured():  # people hear why, if not
                        break
                    await asyncio.sleep(pause.total_seconds())
                await self._breakers.look(self._admission)  # nothing is begun before that is known
                beside = (
                    telling,
                    tasks.create_task(self._conditions.run(), name="conditions"),
                    tasks.create_task(self._look_around(), name="competitors"),
                    tasks.create_task(self._breakers.run(self._admission, self._random)),
                )
                await self._reconciler.run()
                for task in beside:
                    task.cancel()
        finally:
            self._metrics.leader.set(0)

    def use(self, files: Loaded) -> None:
        """Judge, decide and tell by other files from now on; what has begun goes on as planned."""
        self._policy, self._provider = files.policy, files.provider
        self._fleet.use(files.policy)
        self._queueing.clear()
        self._reconciler.use(files.rules, files.policy)
        self._telling.use(files.policy.alerts, files.rules, files.sinks)
        self._beside(self._competitors.known or ())

    def reload(self, source: Source) -> Reload:
        """Return what takes the files in anew whenever they change."""
        return Reload(source, use=self.use, broken=self._broken, clock=self._clock)

    async def _look_around(self) -> None:
        await loops.every(
            _LOOKS, self._competitors.look, name="look for competitors", random=self._random
        )

    def _beside(self, known: tuple[Competitor, ...]) -> None:
        """Take in who else repairs nodes."""
        self._telling.competitors(known, self._policy)
        self._metrics.competitors(known)
        self._go()

    def _go(self) -> None:
        """Go as far as the cluster and those who repair nodes too let us."""
        beside = most(self._competitors.known, self._policy)
        self._reconciler.restrict(plan.stricter(self._most, beside))

    def _foreign_conditions(self, found: Mapping[tuple[str, str], int]) -> None:
        self._telling.foreign_conditions(found)
        self._metrics.foreign_conditions(found)

    def _broken(self, says: str) -> None:
        self._telling.rules_broken(says)
        if says:
            self._metrics.not_loaded()
        else:
            self._metrics.loaded(self._clock())

    def restrict(self, allowed: Mode, missing: tuple[str, ...] = ()) -> None:
        """Go no further than this, whatever rules and policy say, for the cluster lacks something.

        Args:
            allowed: How far we may go.
            missing: What is lacking, as sentences for people.
        """
        self._telling.lacks(missing)
        self._metrics.lacks(len(missing))
        self._most = allowed
        self._go()

    def stop(self) -> None:
        """Begin nothing new."""
        self._reconciler.stop()

    async def _ensured(self) -> bool:
        try:
            await self._compare()
        except errors.KubeError as failed:
            logger.warning("without a ledger nothing is done: %s", failed)
            return False
        return True

    async def _compare(self) -> None:
        """Compare the ledger with its witnesses; people hear of one that can't be read."""
        try:
            await self._admission.ensure()
        except errors.UnreadableError as unreadable:
            self._telling.ledger_unreadable(str(unreadable))
            raise
        self._telling.ledger_unreadable("")

    def _around(self, repair: NodeRepair) -> Around:
        standing = self._reconciler.standing()
        return Around(
            wellness=partial(standing.wellness, repair),
            allowed=standing.allowed(repair),
            ruled=standing.is_ruled(repair),
            eclipsed_by=standing.eclipsed_by(repair),
            others=partial(standing.others, repair),
            joining=partial(standing.joining, repair),
            scopes=self._fleet.scopes(),
            repairs=self._fleet.open_repairs(),
            policy=self._policy,
            provider=self._provider,
        )

    def _watches(self) -> Watches:
        return Watches(
            nodes=self._nodes.fresh_at,
            healths=self._healths.fresh_at,
            agents=self._agents.fresh_at,
        )
