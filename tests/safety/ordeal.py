"""One ordeal in virtual time: a cluster, remediators, all that goes wrong, and how it ended."""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Container
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Final

from nodehealth import keys
from nodehealth.repair import Mode, NodeRepair, Phase
from remediator.decide.moves import Reason
from remediator.files import Loaded
from remediator.rules.policy import Policy
from simulator import virtualtime
from simulator.api.audit import AuditEntry
from simulator.api.store import Change
from simulator.cluster import REMEDIATOR_TOKEN, Cluster
from simulator.observer import Limits
from tests.safety import stage
from tests.safety.adversity import CALM, Adversity
from tests.safety.lives import Life
from tests.safety.meddlers import MEDDLERS, MORE, Situation
from tests.safety.owners import Owner
from tests.safety.stage import Mistakes
from tests.safety.witnesses.court import Court
from tests.safety.witnesses.history import Breach

_STEP: Final = 5.0
_FAULTS_BY: Final = 70.0
"""Seconds after which every fault has struck."""
_PATIENCE: Final = 60 * 60.0
_DRAINS_AGAIN: Final = timedelta(seconds=4)
_REST: Final = 75.0
"""Seconds in which the last orphans are reaped."""
MOST_REQUESTS: Final = 60_000
"""So many are asked in the longest ordeal several times over."""
_OVER: Final = frozenset({Phase.RECOVERED, Phase.PARKED, Phase.NEEDS_HUMAN})
_EXPECTED: Final = "RepairLedger was rebuilt, and is closed to disruption"
_OURS: Final = frozenset({keys.REPAIR_TAINT, keys.OUT_OF_SERVICE_TAINT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How an ordeal ended."""

    seed: int
    breaches: tuple[Breach, ...]
    unwell: tuple[str, ...]
    """What is not as it ought to be in the end."""
    digest: str
    """Of everything that the API server was asked and committed."""
    minutes: float

    def failings(self) -> list[str]:
        """Say all that is wrong; nothing when all is well."""
        broken = [f"{each.promise} at {each.at:%H:%M:%S}: {each.says}" for each in self.breaches]
        return [*broken, *self.unwell]


@dataclass(slots=True)
class _Scribe:
    """Takes the digest of all that happens at the API server."""

    runaway: asyncio.Event
    """Set when more is asked than anybody has reason to ask."""
    asked_for: int = 0
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def committed(self, change: Change) -> None:
        """Take in a commit."""
        self._digest.update(f"{change.happened} {change.new.key} {change.version}".encode())
        self._digest.update(change.new.body)

    def asked(self, entry: AuditEntry) -> None:
        """Take in a request."""
        self.asked_for += 1
        if self.asked_for == MOST_REQUESTS:
            self.runaway.set()
        words = (entry.at.isoformat(), entry.user, entry.verb, entry.path, str(entry.code))
        self._digest.update(" ".join(words).encode())
        self._digest.update(entry.body)

    def said(self) -> str:
        """Return the digest so far."""
        return self._digest.hexdigest()[:16]


def play(adversity: Adversity, *, until: Container[str] = ()) -> Verdict:
    """Play an ordeal to its end, or until one of some promises is broken."""
    mistakes, root = Mistakes(), logging.getLogger()
    root.addHandler(mistakes)
    try:
        return virtualtime.run(_ordeal(adversity, mistakes, until))
    finally:
        root.removeHandler(mistakes)


async def _ordeal(adversity: Adversity, mistakes: Mistakes, until: Container[str]) -> Verdict:
    clock, limit = virtualtime.clock(), adversity.limit
    limits = Limits(cluster=limit, pools={"w": limit}, labels=adversity.domains)
    async with Cluster(adversity.tale.plan, clock=clock, limits=limits) as cluster:
        scribe = _Scribe(asyncio.Event())
        cluster.api.on_commit(scribe.committed)
        cluster.api.on_request(scribe.asked)
        terms = replace(stage.terms(limit), observing=adversity.observing)
        if adversity.hasty:
            terms = replace(terms, cordons=None, disruptions=None)
        court = Court.opened(cluster, terms)
        situation = _situation(adversity, court)
        with ExitStack() as late:
            for each in adversity.lates:
                late.enter_context(cluster.api.faults.late(each))
            await _played(adversity, situation, scribe.runaway, until)
        loop = asyncio.get_running_loop()
        return Verdict(
            seed=adversity.seed,
            breaches=tuple(
                each for each in court.breaches() if each.promise not in situation.forgiven
            ),
            unwell=(
                *(["it asks without end"] if scribe.runaway.is_set() else []),
                *_unwell(adversity, situation, mistakes),
            ),
            digest=scribe.said(),
            minutes=loop.time() / 60,
        )


def _situation(adversity: Adversity, court: Court) -> Situation:
    cluster, seed = court.cluster, adversity.seed
    owner = Owner(
        client=cluster.client("owner", token=REMEDIATOR_TOKEN),
        random=Random(seed + 1),
        temper=adversity.temper,
        heard=court.orders.heard,
    )
    paced = stage.paced(adversity.limit, adversity.domains)
    if adversity.hasty:
        paced = _unpaced(paced)
    manners = replace(paced.drain, again=_DRAINS_AGAIN)
    mode = Mode.OBSERVE if adversity.observing else Mode.ENFORCE
    clients = adversity.tale.gpu_clients
    policy = replace(
        paced, mode=mode, drain=manners, gpu_clients=clients, breaking=adversity.breaking
    )
    situation = Situation(
        court=court,
        direct=cluster.direct(),
        random=Random(seed + 2),
        crew=[],
        files=Loaded(rules=adversity.tale.rules, policy=policy, provider=owner),
    )
    truth = virtualtime.clock()
    for n, luck in enumerate(adversity.lucks):
        life = Life(
            name=f"r{n}",
            cluster=cluster,
            random=Random(seed * 10 + n),
            clock=adversity.skews[n].clock(truth),
            files=lambda: situation.files,
            luck=luck,
            crashes=[*adversity.crashes[n]],
            elected=adversity.elected,
        )
        situation.crew.append(life)
    return situation


def _unpaced(policy: Policy) -> Policy:
    limit = replace(policy.limit, cordons=None, disruptions=None)
    return replace(policy, limit=limit, pools=tuple(replace(p, limit=limit) for p in policy.pools))


async def _played(
    adversity: Adversity, situation: Situation, runaway: asyncio.Event, until: Container[str]
) -> None:
    lives = [asyncio.create_task(each.run()) for each in situation.crew]
    meddlers = {**MEDDLERS, **MORE}
    people = [asyncio.create_task(meddlers[each](situation)) for each in adversity.meddlers]
    weather = asyncio.create_task(_weather(adversity, situation))
    try:
        while await _settled(situation, [*lives, *people], people, runaway, until):
            await asyncio.sleep(_REST)
            # what looked at last was too old may have begun anew, and orphans take their time
            if not _waiting(situation) and not _marks(situation):
                break
    finally:
        owner = situation.files.provider
        orders = list(owner.under_way) if isinstance(owner, Owner) else []
        ends = [weather, *people, *lives, *orders]
        for each in ends:
            each.cancel()
        await asyncio.gather(*ends, return_exceptions=True)


async def _weather(adversity: Adversity, situation: Situation) -> None:
    """Break watches now and then, and make those that begin again do so from scratch."""
    random, api = Random(adversity.seed + 3), situation.court.cluster.api
    while adversity.gaps and asyncio.get_running_loop().time() < CALM.total_seconds():
        await asyncio.sleep(random.uniform(1.0, adversity.gaps))
        if random.random() < 0.3:
            api.compact()
        api.watches.cut(lambda _: random.random() < 0.3)


async def _settled(
    situation: Situation,
    tasks: list[asyncio.Task[None]],
    people: list[asyncio.Task[None]],
    runaway: asyncio.Event,
    until: Container[str],
) -> bool:
    """Wait until nothing is under way any more; false when there is no reason to wait on."""
    loop = asyncio.get_running_loop()
    while loop.time() < _PATIENCE:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STEP):
                await runaway.wait()
        if runaway.is_set() or any(each.promise in until for each in situation.court.breaches()):
            return False
        for each in tasks:
            if each.done():
                await each
        busy = loop.time() < _FAULTS_BY or any(not each.done() for each in people)
        if not busy and not _waiting(situation):
            return True
    return False


def _waiting(situation: Situation) -> list[str]:
    """Name what ought to happen yet."""
    if situation.files.policy.mode is Mode.OBSERVE:
        return []
    repairs = situation.court.history.repairs
    going = [name for name, each in repairs.items() if each.status.phase not in _OVER]
    return going + [each for each in situation.nodes() if not _is_explained(situation, each)]


def _is_explained(situation: Situation, node: str) -> bool:
    """Say whether a node is well, or left to people for a reason."""
    open_ = situation.court.history.open_repairs(node)
    if any(each.status.phase in {Phase.PARKED, Phase.NEEDS_HUMAN} for each in open_):
        return True
    ailments = situation.court.cluster.ailments.of(node)
    told = [each for each in ailments if each.name in _TOLD]
    return not told or any(each.name == "agent-silent" for each in ailments)


_TOLD: Final = frozenset({"disk-full", "gpu-stuck", "kubelet-dead", "power-loss"})


def _unwell(adversity: Adversity, situation: Situation, mistakes: Mistakes) -> list[str]:
    history = situation.court.history
    found = [f"still waits: {each}" for each in _waiting(situation)]
    found += [f"mistake: {_brief(each)}" for each in mistakes.seen if not _is_expected(each)]
    for repair in history.repairs.values():
        if repair.status.phase is not Phase.RECOVERED and not adversity.observing:
            found += _unfinished(adversity, situation, repair)
    found += _marks(situation)
    return found


def _unfinished(adversity: Adversity, situation: Situation, repair: NodeRepair) -> list[str]:
    """Accept an end without a recovery only where people or machines gave cause for it."""
    status, node = repair.status, repair.spec.target.node
    if status.phase is Phase.PARKED:
        return [] if node in situation.left else [f"{node} is parked, and nobody asked for it"]
    excused = adversity.name == "held" or adversity.temper.lies or adversity.temper.fails
    if status.phase is Phase.NEEDS_HUMAN and (excused or adversity.name == "stuck"):
        return []
    spent = status.reason == Reason.PREPARATION_FAILED and "disruption budget" in status.message
    crowded = adversity.name == "dead" or situation.closed
    if status.phase is Phase.NEEDS_HUMAN and crowded and spent:
        return []  # pods of dead nodes, and such as fit nowhere, use up the budget of those here
    return [f"{node} ended {status.phase}: {status.reason} {status.message}"]


def _marks(situation: Situation) -> list[str]:
    """Look for what was left behind where nobody is called."""
    history, found = situation.court.history, list[str]()
    status = history.ledger.status if history.ledger is not None else None
    for name, node in history.nodes.items():
        if history.open_repairs(name):
            continue
        taints = {each.key for each in node.spec.taints} & _OURS
        found += [f"{name} still has {sorted(taints)}"] if taints else []
        if node.spec.unschedulable and name not in situation.closed:
            found.append(f"{name} is still cordoned")
        if status is not None and (name in status.slots or name in status.cordons):
            found.append(f"{name} is still in the ledger")
    return found


def _brief(mistake: str) -> str:
    """Say what was to be done and what came of it, without the way there."""
    first, *_, last = (mistake + "\n" + mistake).splitlines()
    return first if first == last else f"{first}: {last}"


def _is_expected(mistake: str) -> bool:
    """Expect a look that took too long, for it is done again."""
    return mistake.startswith(_EXPECTED) or mistake.endswith("\nTimeoutError")
