"""People and machines who get in the way: each does one thing at a time of its own choosing."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final, TypeAlias

from nodehealth import keys
from nodehealth.ledger import Disruption, Handling
from nodehealth.repair import Phase
from remediator.files import Loaded
from remediator.rules import compile as compiling
from remediator.rules.policy import Limit
from simulator import records
from simulator.api.direct import Direct
from simulator.api.status import StatusError
from simulator.api.wire import JsonObject
from tests.safety.lives import Life
from tests.safety.witnesses.court import Court
from tests.safety.witnesses.gangs import JOBSET
from tests.safety.witnesses.history import REPAIRS

BUSY: Final = {"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}
OUR_LIMIT_HOLDS_AFTER: Final = 130.0
"""Seconds after which nobody goes by an older limit any more, however long it stood still."""
_TRIES: Final = 20
_LONG: Final = 500.0
"""Seconds for which something may last: longer than anybody goes by what was before it."""


@dataclass(slots=True, kw_only=True)
class Situation:
    """What those who meddle can see and reach, and what is to be expected after them."""

    court: Court
    direct: Direct
    random: Random
    crew: list[Life]
    files: Loaded
    """What is written in the operator's files now."""
    left: set[str] = field(default_factory=set)
    """Nodes that people took into their own hands."""
    closed: set[str] = field(default_factory=set)
    """Nodes that people cordoned, and never opened again."""
    forgiven: set[str] = field(default_factory=set)
    """Promises that cannot hold after what people did."""

    def nodes(self) -> list[str]:
        """Name all nodes there are."""
        return sorted(self.court.history.nodes)

    def held(self) -> list[str]:
        """Name the nodes that are held by the remediator."""
        ledger = self.court.history.ledger
        status = ledger.status if ledger is not None else None
        return sorted({*status.cordons, *status.slots}) if status is not None else []

    def is_rebuilt(self) -> bool:
        """Say whether there is a ledger that is of use."""
        ledger = self.court.history.ledger
        return ledger is not None and ledger.status.known_since is not None

    async def some_time(self, least: float = 5.0, most: float = 150.0) -> None:
        """Wait for a moment that nobody can foresee."""
        await asyncio.sleep(self.random.uniform(least, most))

    async def take_in(self, files: Loaded) -> None:
        """Write other files; each process takes them in when it sees them."""
        self.files = files
        for life in self.crew:
            await self.some_time(0.0, 20.0)
            life.take_in()


Meddler: TypeAlias = Callable[[Situation], Coroutine[None, None, None]]


async def uncordons(at: Situation) -> None:
    """Open a node that we hold."""
    for _ in range(_TRIES):
        await at.some_time(1.0, 20.0)
        held = [each for each in at.held() if each not in at.closed]
        if held:
            name = at.random.choice(held)
            at.left.add(name)
            at.forgiven.add("EVICTED_UNCORDONED")  # what was on the wire still comes
            _patch(at, name, {"spec": {"unschedulable": None}})
            return


async def deletes_a_repair(at: Situation) -> None:
    """Delete the record of what is under way."""
    for _ in range(_TRIES):
        await at.some_time(1.0, 20.0)
        open_ = [e for e in at.court.history.repairs.values() if e.status.phase != Phase.RECOVERED]
        if open_:
            name = at.random.choice(sorted(each.metadata.name for each in open_))
            at.direct.delete(REPAIRS, name)
            return


async def loses_the_ledger(at: Situation) -> None:
    """Delete the ledger, have a look, open what was closed, and vouch for what nobody knows of."""
    await at.some_time()
    if at.court.history.ledger is None:
        return
    at.forgiven.add("EPOCH_FELL")
    at.direct.delete(records.LEDGERS, keys.LEDGER_NAME)
    for _ in range(_TRIES):
        await at.some_time(30.0, 90.0)
        if at.is_rebuilt():
            opened: JsonObject = {"spec": {"disruption": Disruption.OPEN}}
            at.direct.merge(records.LEDGERS, keys.LEDGER_NAME, opened)
            break
    await at.some_time(200.0, 300.0)
    _vouches(at)


def _vouches(at: Situation) -> None:
    """Do as `nodemend status` says where repair and ledger are lost: nobody works on the machine.

    A ledger that was put together anew does not know whether anything was ordered.
    """
    ledger, court = at.court.history.ledger, at.court
    if ledger is None:
        return
    down = {name for name, each in court.cluster.observer.disrupted.items() if each.felled}
    said: JsonObject = {
        name: slot.epoch
        for name, slot in ledger.status.slots.items()
        if not court.history.open_repairs(name) and name not in down
    }
    at.direct.merge(records.LEDGERS, keys.LEDGER_NAME, {"spec": {"released": said}})


async def closes_and_opens(at: Situation) -> None:
    """Stop all disruption for a while."""
    for wanted, most in ((Disruption.CLOSED, 150.0), (Disruption.OPEN, _LONG)):
        await at.some_time(most=most)
        if at.court.history.ledger is not None:
            at.direct.merge(records.LEDGERS, keys.LEDGER_NAME, {"spec": {"disruption": wanted}})


async def pauses(at: Situation) -> None:
    """Pause everything, the pool or a node for a while."""
    whom = at.random.choice(({}, {"pool": "w"}, {"node": at.random.choice(at.nodes())}))
    for said, most in (({"reason": "a change", "by": "somebody", **whom}, 150.0), (None, _LONG)):
        await at.some_time(most=most)
        if at.court.history.ledger is not None:
            wish: JsonObject = {"spec": {"pauses": {"change": said}}}
            at.direct.merge(records.LEDGERS, keys.LEDGER_NAME, wish)


async def rewrites_the_ladders(at: Situation) -> None:
    """Have every rule replace at once what it would have drained before."""
    await at.some_time(1.0, 60.0)
    before = at.files
    bolder = [replace(each, ladder=each.ladder[-1:]) for each in before.rules.rules]
    await at.take_in(replace(before, rules=compiling.rule_set(bolder, ["bolder"])))


async def withdraws_the_rules(at: Situation) -> None:
    """Take all rules away, and bring them back."""
    await at.some_time(1.0, 60.0)
    before = at.files
    await at.take_in(replace(before, rules=compiling.rule_set([], ["none"])))
    await at.some_time()
    await at.take_in(replace(at.files, rules=before.rules))  # the policy may be another one by now


async def lowers_the_limit(at: Situation) -> None:
    """Allow one node at once where two were allowed."""
    await at.some_time(1.0, 60.0)
    limits, policy = at.court.cluster.observer.limits, at.files.policy
    limit: Limit = replace(policy.limit, disrupted=(1,))
    pools = tuple(replace(each, limit=limit) for each in policy.pools)
    await at.take_in(replace(at.files, policy=replace(policy, limit=limit, pools=pools)))
    await asyncio.sleep(OUR_LIMIT_HOLDS_AFTER)
    if limits is not None:
        lower = replace(limits, cluster=1, pools=dict.fromkeys(limits.pools, 1))
        at.court.cluster.observer.limits = lower
        at.court.begun.most = 1


async def scales(at: Situation) -> None:
    """Change how much runs."""
    for replicas in (8, 2, 4):
        await at.some_time(5.0, 60.0)
        if at.direct.find(records.DEPLOYMENTS, "web", namespace="default") is not None:
            change: JsonObject = {"spec": {"replicas": replicas}}
            at.direct.merge(records.DEPLOYMENTS, "web", change, namespace="default")


async def replaces_a_machine(at: Situation) -> None:
    """Order a machine away without us; another one comes under its name."""
    await at.some_time()
    name = at.random.choice(sorted(at.court.history.machines) or [""])
    if at.direct.find(records.MACHINES, name) is not None:
        at.direct.delete(records.MACHINES, name)


async def cordons_before_us(at: Situation) -> None:
    """Cordon nodes for reasons of one's own, sick ones or any, and never open them again."""
    await at.some_time(0.0, 30.0)
    free = [each for each in at.nodes() if each not in at.held()]
    sick = [each for each in free if at.court.cluster.ailments.of(each)]
    for name in sick if at.random.random() < 0.5 else free:
        at.closed.add(name)
        _patch(at, name, {"spec": {"unschedulable": True}})


async def works_on_a_node(at: Situation) -> None:
    """Take a node away for a while, as Karpenter does."""
    await at.some_time(0.0, 60.0)
    name = at.random.choice(at.nodes())
    uid = at.court.history.nodes[name].metadata.uid
    _taint(at, name, add=True)
    await at.some_time(20.0, _LONG)
    node = at.court.history.nodes.get(name)
    if node is not None and node.metadata.uid == uid:
        _taint(at, name, add=False)


async def leaves_marks(at: Situation) -> None:
    """Put labels, annotations and conditions of others on Nodes, all the time."""
    for n in range(10):
        await at.some_time(1.0, 30.0)
        name = at.random.choice(at.nodes() or [""])
        marks = {
            "annotations": {"example.com/note": str(n)},
            "labels": {"example.com/turn": str(n)},
        }
        _patch(at, name, {"metadata": marks})


async def writes_on_a_node(at: Situation) -> None:
    """Have a node left alone by a word on it, a sick one if there is any, and take it off again."""
    await at.some_time(1.0, 60.0)
    sick = [each for each in at.nodes() if at.court.cluster.ailments.of(each)]
    name, key = at.random.choice(sick or at.nodes()), at.random.choice((keys.SKIP, keys.PAUSE))
    part = at.random.choice(("labels", "annotations"))
    for said in ("true", None):
        _patch(at, name, {"metadata": {part: {key: said}}})
        await at.some_time(most=_LONG)


async def trains(at: Situation) -> None:
    """Have a JobSet run on whatever node takes pods, and go on with what is left of it."""
    for n in range(_TRIES):
        pods = at.direct.listed(records.PODS, labels=JOBSET)
        taken = {each["spec"]["nodeName"] for each in pods}
        for name in at.nodes():
            if name not in taken and not at.court.history.nodes[name].spec.unschedulable:
                _run(at, f"train-{n}-{name}", name)
        await at.some_time(5.0, 60.0)


def _run(at: Situation, name: str, node: str) -> None:
    """Have a pod of the JobSet run on a node; nobody brings it back but who runs it."""
    marks = {"labels": {JOBSET: "train"}, "annotations": {keys.DRAIN: "evict"}}
    spec = {
        "nodeName": node,
        "containers": [{"name": "main", "image": "x"}],
        "terminationGracePeriodSeconds": 2,
    }
    body: JsonObject = {"metadata": {"name": name, **marks}, "spec": spec}
    at.direct.create(records.PODS, body, namespace="default")


async def says_something_of_a_breaker(at: Situation) -> None:
    """Have a breaker that is open ignored, tried at once, or held for a while."""
    for _ in range(_TRIES):
        await at.some_time(5.0, 60.0)
        ledger = at.court.history.ledger
        amiss = sorted(ledger.status.breakers) if ledger is not None else []
        if amiss:
            key, word = at.random.choice(amiss), at.random.choice(tuple(Handling))
            for said in (word, None):
                if at.court.history.ledger is not None:
                    wish: JsonObject = {"spec": {"breakers": {key: said}}}
                    at.direct.merge(records.LEDGERS, keys.LEDGER_NAME, wish)
                await at.some_time(most=_LONG)
            return


def _patch(at: Situation, name: str, change: JsonObject) -> None:
    if at.direct.find(records.NODES, name) is not None:
        at.direct.merge(records.NODES, name, change)


def _taint(at: Situation, name: str, *, add: bool) -> None:
    node = at.direct.find(records.NODES, name)
    if node is None:
        return
    others = [each for each in node["spec"].get("taints", ()) if each["key"] != BUSY["key"]]
    version = {"resourceVersion": node["metadata"]["resourceVersion"]}
    taints = [*others, BUSY] if add else others
    try:
        at.direct.merge(records.NODES, name, {"metadata": version, "spec": {"taints": taints}})
    except StatusError:
        return


MEDDLERS: Final[Mapping[str, Meddler]] = {
    each.__name__: each
    for each in (
        uncordons,
        deletes_a_repair,
        loses_the_ledger,
        closes_and_opens,
        pauses,
        rewrites_the_ladders,
        withdraws_the_rules,
        lowers_the_limit,
        scales,
        replaces_a_machine,
        cordons_before_us,
        works_on_a_node,
        leaves_marks,
    )
}
"""Of whom an ordeal draws some."""
MORE: Final[Mapping[str, Meddler]] = {
    each.__name__: each for each in (writes_on_a_node, trains, says_something_of_a_breaker)
}
"""Who comes besides, drawn by themselves: the ordeals without them stay as they are."""
