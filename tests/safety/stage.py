"""A small cluster with sick nodes, and remediators that may die and are started again."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from nodehealth import keys
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, Node
from nodehealth.ledger import REPAIR_LEDGERS, RepairLedger
from nodehealth.repair import NODE_REPAIRS, Mode, NodeRepair, Phase
from remediator.files import Loaded, owner, remedy
from remediator.providers import Provider
from remediator.rules import load
from remediator.rules.breaking import NEVER
from remediator.rules.policy import Domain, DrainManners, GpuClients, Limit, Policy, Pool, Rate
from remediator.rules.rule import RuleSet
from simulator import scenario, virtualtime
from simulator.api.faults import LateWatch
from simulator.cluster import Cluster
from simulator.observer import Limits
from tests.safety.lives import Life
from tests.safety.people import ALERTING, HOOK, WEBHOOK, People
from tests.safety.peril import Crash, Luck
from tests.safety.services import HOOKS, Repairs
from tests.safety.witnesses.court import Court, Terms
from tests.safety.witnesses.history import Breach
from tests.safety.witnesses.pacing import Pace


def _enforcing(shipped: RuleSet, name: str) -> RuleSet:
    """Enforce a rule that ships observing, and wait as long as the stories do."""
    rule = shipped.by_name[name]
    questions = tuple(replace(each, lasts=_LASTS) for each in rule.questions)
    enforced = replace(rule, mode=Mode.ENFORCE, questions=questions)
    rules = tuple(enforced if each is rule else each for each in shipped.rules)
    return replace(shipped, rules=rules, by_name={each.name: each for each in rules})


_LASTS: Final = timedelta(seconds=10)
_SHIPPED: Final = load.rules(Path(__file__).parents[2] / "rules", remedy)
RULES: Final = _enforcing(_SHIPPED, "scratch-full")
PROVIDER: Final = owner("simulator")
_TOO_LATE: Final = "\nTimeoutError"
"""How a look ends that took too long, as one does that stood still: it is done again."""
_LAST_NEWS: Final = timedelta(minutes=2)
"""How long people may have to wait for the last of it."""
_STEP: Final = timedelta(seconds=5)
_PATIENCE: Final = timedelta(minutes=30)

SICK: Final = ("w-1", "w-2", "w-3")


CORDONS: Final = Rate(most=2, per=timedelta(minutes=1), burst=1)
DISRUPTIONS: Final = Rate(most=1, per=timedelta(minutes=1), burst=1)


def plan(
    seed: int,
    sick: tuple[str, ...] = SICK,
    *,
    dead: bool = False,
    zones: tuple[str, ...] = ("a",),
) -> scenario.Scenario:
    """Four nodes, some of which get a full disk within seconds, and may lose their kubelets."""
    faults = [
        {"disk-full": {"at": f"{n}s", "node": name, "mount": "/scratch"}}
        for n, name in enumerate(sick, start=2)
    ]
    if dead:
        faults += [{"kubelet-dead": {"at": "3s", "node": name}} for name in sick]
    spec = {
        "seed": seed,
        "pools": [{"name": "w", "nodes": 4, "zones": list(zones)}],
        "workloads": [
            {
                "name": "web",
                "replicas": 4,
                "grace": 5,
                "stops-after": "2s",
                "budget": {"max-unavailable": 1},
            }
        ],
        "timings": {"provision": "5s", "terminate": "2s", "join": "1s"},
        "faults": faults,
    }
    document = {"apiVersion": scenario.API_VERSION, "kind": scenario.KIND, "spec": spec}
    return scenario.read(document, "safety")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is told: the rules that hold, what befalls whom, and who holds GPUs."""

    rules: RuleSet = RULES
    plan: Callable[[int], scenario.Scenario] | None = None
    """By the seed; without one, full disks."""
    gpu_clients: GpuClients = field(default_factory=GpuClients)
    provider: Provider | None = PROVIDER
    """Who owns the machines."""
    domains: Mapping[str, int] = field(default_factory=dict)
    """By label, how many nodes of each of its values may be disrupted at once."""
    zones: tuple[str, ...] = ("a",)
    meddler: Callable[[Cluster, Random], Coroutine[None, None, None]] | None = None
    """Somebody who gets in the way, for as long as the story goes on."""
    service: Callable[[Cluster], Repairs] | None = None
    """A web service that repairs nodes."""


def policy(disrupted: int = 1) -> Policy:
    """Let `disrupted` nodes be disrupted at once, and all be cordoned."""
    limit = Limit(cordoned=(4,), disrupted=(disrupted,))
    return Policy(
        mode=Mode.ENFORCE,
        limit=limit,
        pools=(Pool(name="w", labels={keys.POOL_LABEL: "w"}, limit=limit),),
        drain=DrainManners(settle=timedelta(seconds=2), again=timedelta(seconds=1)),
        provider="simulator",
        breaking=NEVER,  # most of the few nodes are sick in these stories
    )


def paced(disrupted: int, domains: Mapping[str, int]) -> Policy:
    """Let as many be disrupted at once, but only so many in a minute."""
    given = policy(disrupted)
    limit = replace(given.limit, cordons=CORDONS, disruptions=DISRUPTIONS)
    labels = tuple(
        Domain(label=label, limit=Limit(cordoned=("100%",), disrupted=(most,)))
        for label, most in domains.items()
    )
    return replace(given, limit=limit, domains=labels)


def terms(limit: int) -> Terms:
    """Return what the witnesses hold a paced policy to."""
    return Terms(most=limit, cordons=_pace(CORDONS), disruptions=_pace(DISRUPTIONS))


def _pace(rate: Rate) -> Pace:
    return Pace(most=rate.most, per=rate.per, burst=rate.burst)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How it ended."""

    repairs: tuple[NodeRepair, ...]
    nodes: tuple[Node, ...]
    ledger: RepairLedger
    breaches: tuple[Breach, ...]
    """What was promised and not kept."""
    writes: int
    """How many writes the remediators sent."""
    mistakes: tuple[str, ...]
    """What was logged as an error: exceptions that nobody foresaw."""

    def phases(self) -> set[Phase]:
        """Return the phases in which the repairs ended."""
        return {repair.status.phase for repair in self.repairs}


class Mistakes(logging.Handler):
    """Collects what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record's message and traceback."""
        self.seen.append(self.format(record))


def play(
    seed: int,
    *,
    replicas: int = 1,
    limit: int = 1,
    luck: Luck | None = None,
    crash: Crash | None = None,
    lag: timedelta = timedelta(),
    sick: tuple[str, ...] = SICK,
    dead: bool = False,
    people: People | None = None,
    case: Case | None = None,
) -> Ending:
    """Play the story to its end in virtual time; the first replica is the one that crashes."""
    mistakes, told = Mistakes(), case or Case()
    begun = told.plan or partial(plan, sick=sick, dead=dead, zones=told.zones)

    async def story() -> Ending:
        late, clock = ExitStack(), virtualtime.clock()
        limits = Limits(cluster=limit, pools={"w": limit}, labels=told.domains)
        async with Cluster(begun(seed), clock=clock, limits=limits) as cluster:
            court = Court.opened(cluster, terms(limit))
            late.enter_context(cluster.api.faults.late(LateWatch(lag=lag)))
            service = told.service(cluster) if told.service else None
            crew = [
                Life(
                    name=f"r{n}",
                    cluster=cluster,
                    random=Random(seed * 10 + n),
                    clock=clock,
                    files=partial(_files, told, limit, told=people is not None),
                    luck=luck or Luck(),
                    crashes=[crash] if crash is not None and n == 0 else [],
                    people=people,
                    service=service,
                )
                for n in range(replicas)
            ]
            lives = [*map(_begun, crew), *_meddling(told, cluster, Random(seed))]
            try:
                await _settled(cluster.client("test"), lives, sick)
                await asyncio.sleep(_LAST_NEWS.total_seconds() if people else 0)
            finally:
                for each in lives:
                    each.cancel()
                await asyncio.gather(*lives, return_exceptions=True)
                late.close()
            return await _ending(court, sum(each.writes for each in crew), mistakes)

    logging.getLogger().addHandler(mistakes)
    try:
        return virtualtime.run(story())
    finally:
        logging.getLogger().removeHandler(mistakes)


def _files(case: Case, limit: int, *, told: bool) -> Loaded:
    within = replace(
        paced(limit, case.domains),
        alerts=ALERTING,
        gpu_clients=case.gpu_clients,
        webhooks=HOOKS if case.service else {},
    )
    sinks = {HOOK.name: WEBHOOK} if told else {}
    return Loaded(rules=case.rules, policy=within, provider=case.provider, sinks=sinks)


def _begun(life: Life) -> asyncio.Task[None]:
    return asyncio.create_task(life.run())


def _meddling(case: Case, cluster: Cluster, random: Random) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(case.meddler(cluster, random))] if case.meddler else []


async def _settled(client: Client, lives: list[asyncio.Task[None]], sick: tuple[str, ...]) -> None:
    """Wait until every sick node's repair has ended, or patience has."""
    for _ in range(int(_PATIENCE / _STEP)):
        await asyncio.sleep(_STEP.total_seconds())
        for life in lives:
            if life.done():
                await life
        repairs = (await client.listing(NODE_REPAIRS)).items
        ended = {r.spec.target.node for r in repairs if r.status.phase is Phase.RECOVERED}
        open_ = [r for r in repairs if r.status.phase is not Phase.RECOVERED]
        if ended >= set(sick) and not open_:
            return


async def _ending(court: Court, writes: int, mistakes: Mistakes) -> Ending:
    client = court.cluster.client("test")
    return Ending(
        repairs=(await client.listing(NODE_REPAIRS)).items,
        nodes=(await client.listing(NODES)).items,
        ledger=await client.get(REPAIR_LEDGERS, keys.LEDGER_NAME),
        breaches=court.breaches(),
        writes=writes,
        mistakes=tuple(each for each in mistakes.seen if not each.endswith(_TOO_LATE)),
    )
