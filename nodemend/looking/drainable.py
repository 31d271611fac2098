"""Whether a node could be drained now, and who keeps it: a rehearsal that evicts nobody."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nodehealth.kit.clocks import Clock
from nodehealth.kit.settings import SettingsError
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, PODS, Pod
from nodemend import nearest
from remediator.decide import budgets, eviction, gangs, turns
from remediator.decide.eviction import Kind, Patience, Verdict
from remediator.evicting import Shelf, explain
from remediator.pacing import Pacing
from remediator.rules.policy import DrainManners


class Fate(StrEnum):
    """What a drain would make of a pod now."""

    LEAVES = "leaves"
    LEAVING = "leaving"
    STAYS = "stays"
    LATER = "later"
    """Its disruption budget is spent, and has only to recover."""
    WAITS = "waits"
    """It is left to finish by itself."""
    HELD = "held"
    """A person has to decide."""
    BLOCKED = "blocked"
    """A person has to change what keeps it."""
    UNKNOWN = "unknown"


_FATES: Final[Mapping[Kind, Fate]] = {
    Kind.STAY: Fate.STAYS,
    Kind.LEAVING: Fate.LEAVING,
    Kind.WAIT: Fate.WAITS,
    Kind.HELD: Fate.HELD,
}
_NO_REHEARSALS: Final = "does not support dry run"
"""What the API server says of a webhook with side effects, which it does not ask then."""
_OF_MANY: Final = {Fate.LEAVES: "leave", Fate.STAYS: "stay", Fate.WAITS: "wait"}
_CALM: Final = frozenset({Fate.LEAVES, Fate.LEAVING, Fate.STAYS})


class PodFate(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One pod of the node."""

    namespace: str
    name: str
    fate: Fate
    why: str = ""
    obstacle: str = ""
    """What a person has to change, as `Kind/namespace/name`."""
    owner: str = ""
    gang: str = ""
    tier: int = 0
    """The pods of lower tiers leave first."""
    volumes: int = 0


class InTurns(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Pods that may leave, but not all at once."""

    budget: str
    pods: int
    allowed: int


class Drainable(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The whole answer."""

    node: str
    at: datetime
    by: str
    """Whose policy it was asked by."""
    counts: Mapping[str, int]
    pods: tuple[PodFate, ...]
    in_turns: tuple[InTurns, ...]

    def is_told(self) -> bool:
        """Say whether it could be found out."""
        return not self.counts.get(Fate.UNKNOWN)

    def is_free(self) -> bool:
        """Say whether nobody keeps the node from being drained now."""
        return all(each.fate in _CALM for each in self.pods)


async def rehearse(
    client: Client, clock: Clock, node: str, manners: DrainManners, waits: timedelta, by: str
) -> Drainable:
    """Ask the API server of every pod whether it could be evicted now; nobody is.

    Args:
        client: The door to the API server.
        clock: The present time, where the server does not tell it.
        node: The node's name.
        manners: How drains behave.
        waits: How long a drain would let pods finish.
        by: Whose manners these are.

    Raises:
        nodehealth.kit.settings.SettingsError: there is no such node.
        nodehealth.kube.errors.KubeError: it can't be asked.
    """
    try:
        await client.get(NODES, node)
    except errors.GoneError as gone:
        known = (each.metadata.name for each in (await client.listing(NODES)).items)
        raise SettingsError(nearest.none_named("node", node, known)) from gone
    listing = await client.listing(PODS, fields=f"spec.nodeName={node}")
    now = client.server_time or clock()
    patience = Patience(until=now + waits if waits else None)
    verdicts = [eviction.judge(each, manners, patience, now) for each in listing.items]
    asking, shelf = _Asking(client, clock, manners), Shelf(client=client)
    found = await asyncio.gather(*(asking.fate(each, shelf) for each in verdicts))
    pods = tuple(sorted(found, key=lambda each: (each.namespace, each.name)))
    leaving = [each.pod for each, fate in zip(verdicts, found, strict=True) if _leaves(fate)]
    return Drainable(
        node=node,
        at=now,
        by=by,
        counts=Counter(str(each.fate) for each in pods),
        pods=pods,
        in_turns=tuple(await _in_turns(leaving, shelf)),
    )


class _Asking:
    """Asks for as many evictions at once, and a second, as a drain would."""

    def __init__(self, client: Client, clock: Clock, manners: DrainManners) -> None:
        self._client, self._clock, self._manners = client, clock, manners
        self._lanes = asyncio.Semaphore(manners.concurrency)
        self._pacing = Pacing(clock)

    async def fate(self, verdict: Verdict, shelf: Shelf) -> PodFate:
        """Say what would become of a pod."""
        fate, why, obstacle = _FATES.get(verdict.kind), verdict.why, ""
        if fate is None:
            fate, why, obstacle = await self._asked(verdict.pod, shelf)
        pod, meta = verdict.pod, verdict.pod.metadata
        return PodFate(
            namespace=meta.namespace,
            name=meta.name,
            fate=fate,
            why=why,
            obstacle=obstacle,
            owner=eviction.workload(pod),
            gang=gangs.of(pod),
            tier=turns.tier(pod, self._manners.tiers),
            volumes=len(turns.claims(pod)),
        )

    async def _asked(self, pod: Pod, shelf: Shelf) -> tuple[Fate, str, str]:
        meta = pod.metadata
        async with self._lanes:
            await self._pacing.turn(self._manners.rate)
            try:
                await self._client.evict(
                    meta.name, namespace=meta.namespace, uid=meta.uid, dry_run=True
                )
            except (errors.GoneError, errors.ConflictError, errors.NamespaceTerminatingError):
                return Fate.LEAVING, "", ""
            except errors.KubeError as refused:
                return await self._refused(pod, refused, shelf)
        return Fate.LEAVES, "", ""

    async def _refused(
        self, pod: Pod, refused: errors.KubeError, shelf: Shelf
    ) -> tuple[Fate, str, str]:
        if _NO_REHEARSALS in str(refused):
            return Fate.UNKNOWN, str(refused), ""
        reason = await explain(pod, refused, shelf, self._clock)
        if reason.obstacle is not None:
            return Fate.BLOCKED, reason.text, reason.obstacle.what
        if isinstance(refused, errors.ForbiddenError):
            raise refused
        if isinstance(refused, errors.BlockedError) and refused.budget:
            return Fate.LATER, reason.text, ""
        return Fate.UNKNOWN, reason.text, ""


def _leaves(fate: PodFate) -> bool:
    return fate.fate is Fate.LEAVES


async def _in_turns(pods: Iterable[Pod], shelf: Shelf) -> list[InTurns]:
    """Find the budgets that let each of some pods leave, but not all of them at once."""
    counted, allowed = Counter[str](), dict[str, int]()
    for pod in pods:
        for each in budgets.selecting(pod, await shelf.of(pod.metadata.namespace)):
            name = f"{each.metadata.namespace}/{each.metadata.name}"
            counted[name] += 1
            allowed[name] = each.status.disruptions_allowed
    return [
        InTurns(budget=name, pods=count, allowed=allowed[name])
        for name, count in sorted(counted.items())
        if count > allowed[name]
    ]


def drawn(answer: Drainable) -> RenderableType:
    """Draw it for a person: who keeps the node comes last, where the eye ends."""
    table = Table(box=None, pad_edge=False)
    for title in ("POD", "OWNER", "TIER", "VOLUMES", "FATE", "WHY"):
        table.add_column(title, overflow="fold")
    for each in sorted(answer.pods, key=lambda each: list(Fate).index(each.fate)):
        if each.fate is not Fate.STAYS:
            table.add_row(*_row(each))
    shown: list[RenderableType] = [table, Text()] if table.row_count else []
    return Group(*shown, *map(Text, _sentences(answer)), _verdict(answer))


def _row(pod: PodFate) -> Sequence[str]:
    name, volumes = f"{pod.namespace}/{pod.name}", str(pod.volumes or "-")
    return name, pod.owner or "-", str(pod.tier), volumes, pod.fate, pod.why


def _sentences(answer: Drainable) -> Iterator[str]:
    counts = answer.counts
    counted = ", ".join(_counted(each, counts[each]) for each in Fate if each in counts)
    yield f"Pods: {counted or 'none'}; by {answer.by}."
    for each in answer.in_turns:
        yield (
            f"The disruption budget {each.budget} lets {each.allowed} of {each.pods} of them leave "
            "at once: the others follow as it recovers."
        )


def _counted(fate: Fate, count: int) -> str:
    return f"{count} {fate if count == 1 else _OF_MANY.get(fate, fate)}"


def _verdict(answer: Drainable) -> Text:
    if not answer.is_told():
        return Text(f"Whether {answer.node} can be drained can't be told now.", style="yellow")
    if answer.is_free():
        return Text(f"{answer.node} can be drained now.", style="green")
    kept = [each for each in answer.pods if each.fate not in _CALM]
    names = sorted({each.obstacle or f"Pod/{each.namespace}/{each.name}" for each in kept})
    named = ", ".join(names[:5]) + (f" and {len(names) - 5} others" if names[5:] else "")
    return Text(f"! {answer.node} can't be drained now: {named}.", style="bold red")
