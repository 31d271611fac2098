"""What a person wants of a repair is written into it, and waited for until it has come true."""

import asyncio
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from nodehealth.kit import clocks
from nodehealth.kit.settings import SettingsError
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.repair import ENDED, NODE_REPAIRS, Mode, NodeRepair, Phase, Request, Wish
from nodemend import nearest
from remediator.decide import joined, plan, requests
from remediator.decide.moves import Reason

PATIENCE: Final = timedelta(seconds=60)
"""How long a command waits for the remediator."""
_AGAIN: Final = timedelta(seconds=0.5)
_TRIES: Final = 5
_STAYS: Final = "what was asked for stays, and is carried out when a remediator leads"
_NOT_INSTALLED: Final = "the API server serves no NodeRepairs: nodemend is not installed there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a wish, as a sentence."""

    repair: NodeRepair
    done: bool
    says: str


async def listed(client: Client) -> tuple[NodeRepair, ...]:
    """Read all repairs.

    Raises:
        nodehealth.kube.errors.KubeError: they can't be read.
    """
    try:
        return (await client.listing(NODE_REPAIRS)).items
    except errors.GoneError as missing:
        raise errors.SettingsError(_NOT_INSTALLED) from missing


def found(repairs: Iterable[NodeRepair], name: str) -> NodeRepair:
    """Find the repair of that name, or the open one of the node of that name.

    Raises:
        SettingsError: there is none that is not over.
    """
    known = tuple(repairs)
    meant = [each for each in known if each.metadata.name == name]
    meant = meant or [each for each in known if each.spec.target.node == name]
    for each in meant:
        if plan.is_open(each):
            return each
    if meant:
        last = max(meant, key=lambda each: each.metadata.name)
        said = f"{last.metadata.name} is over ({last.status.reason or last.status.phase})"
        raise SettingsError(f"no repair of {name} is open: {said}")
    names = {n for each in known if plan.is_open(each) for n in _names(each)}
    none = nearest.none_named("repair of a node or of the name", name, names)
    raise SettingsError(f"{none}; `nodemend why NODE` says why a node has none")


def _names(repair: NodeRepair) -> tuple[str, str]:
    return repair.metadata.name, repair.spec.target.node


async def approve(client: Client, repair: NodeRepair, by: str) -> NodeRepair:
    """Write that a person approves a repair.

    Raises:
        nodehealth.kube.errors.KubeError: it could not be written.
    """
    now = client.server_time or clocks.wall()
    approved = {"by": by, "at": now.replace(microsecond=0)}
    return await _write(client, repair, {"approved": approved})


async def let_go(client: Client, repair: NodeRepair, patience: timedelta = PATIENCE) -> NodeRepair:
    """Wait until an approved repair waits for no approval any more, for a while."""
    seen = repair
    with _waiting():
        for _ in range(max(1, round(patience / _AGAIN))):
            if seen.status.reason != Reason.NOT_APPROVED:
                return seen
            await asyncio.sleep(_AGAIN.total_seconds())
            seen = await client.get(NODE_REPAIRS, repair.metadata.name)
    return seen


@contextmanager
def _waiting() -> Iterator[None]:
    """Say that the remediator is waited for; and who ends that is told that the wish stays."""
    sys.stderr.write("Asked; waits for the remediator …\n")
    try:
        yield
    except asyncio.CancelledError:
        sys.stderr.write(f"Waits no longer; {_STAYS}.\n")
        raise


async def request(
    client: Client, repair: NodeRepair, what: Wish, by: str, reason: str, rule: str = ""
) -> tuple[NodeRepair, Request]:
    """Write what a person wants of a repair; what they wait for already is not asked again.

    Raises:
        nodehealth.kube.errors.KubeError: it could not be written.
    """
    waiting = requests.pending(repair)
    if waiting is not None and (waiting.what, waiting.rule) == (what, rule):
        return repair, waiting
    about = {"rule": rule or None, "reason": reason or None}
    wish = {"what": what, "by": by, "at": clocks.wall(), **about}
    written = await _write(client, repair, {"request": wish})
    if written.spec.request is None:
        raise errors.UnreadableError("the API server dropped the request: its CRDs are too old")
    return written, written.spec.request


async def _write(client: Client, repair: NodeRepair, spec: dict[str, object]) -> NodeRepair:
    """Write a part of the spec, if the repair is still the one that is meant."""
    name, seen = repair.metadata.name, repair
    for _ in range(_TRIES):
        meta = {"resourceVersion": seen.metadata.resource_version, "uid": repair.metadata.uid}
        try:
            return await client.merge_patch(NODE_REPAIRS, name, {"metadata": meta, "spec": spec})
        except errors.ConflictError:
            seen = await client.get(NODE_REPAIRS, name)
    raise errors.ConflictError(f"{name} changed under {_TRIES} tries; try again")


async def awaited(
    client: Client, asked: Sequence[tuple[NodeRepair, Request]], patience: timedelta = PATIENCE
) -> list[Outcome]:
    """Wait until what was asked for has come true or was refused, for a while."""
    looks = max(1, round(patience / _AGAIN))
    outcomes = list[Outcome | None]()
    with _waiting():
        for _ in range(looks):
            now = {each.metadata.uid: each for each in await listed(client)}
            outcomes = [_outcome(now.get(r.metadata.uid, r), wish) for r, wish in asked]
            if all(each is not None for each in outcomes):
                break
            await asyncio.sleep(_AGAIN.total_seconds())
    pairs = zip(asked, outcomes, strict=True)
    return [each or _unanswered(repair) for (repair, _), each in pairs]


def _outcome(repair: NodeRepair, wish: Request) -> Outcome | None:
    """Say what came of a wish; nothing while that is not over."""
    status = repair.status
    answer = status.answer
    if answer is None or answer.request != wish:
        if status.phase not in ENDED:
            return None
        return Outcome(repair=repair, done=False, says=f"it was over before ({status.reason})")
    if answer.done and status.closing is not None:
        return None  # it is being given back
    return Outcome(repair=repair, done=answer.done, says=answer.message)


def _unanswered(repair: NodeRepair) -> Outcome:
    return Outcome(repair=repair, done=False, says=f"no remediator has answered yet; {_STAYS}")


def releasable(
    repairs: Iterable[NodeRepair], rule: str, pool: str
) -> tuple[list[NodeRepair], list[tuple[NodeRepair, str]]]:
    """Return the open repairs of a rule that can be undone, and those that can't, with why."""
    undone, kept = list[NodeRepair](), list[tuple[NodeRepair, str]]()
    for each in repairs:
        if each.spec.rule != rule or not _is_held(each, pool):
            continue
        begun = requests.begins(each)
        intent = each.status.intent or each.status.rebooting
        if begun or intent is not None:
            kept.append((each, f"{begun or (intent.action if intent else '')} has begun"))
        else:
            undone.append(each)
    return undone, kept


def droppable(repairs: Iterable[NodeRepair], rule: str, pool: str) -> list[NodeRepair]:
    """Return the open repairs that a rule joined: they go on without it."""
    return [e for e in repairs if _is_held(e, pool) and rule in joined.rules(e)[1:]]


def rules(repairs: Iterable[NodeRepair], pool: str) -> list[str]:
    """Name the rules that an open repair is for."""
    held = (each for each in repairs if _is_held(each, pool))
    return sorted({rule for each in held for rule in joined.rules(each)})


def _is_held(repair: NodeRepair, pool: str) -> bool:
    """Say whether a repair may hold the node, which is in the pool that is meant."""
    spec = repair.spec
    if pool not in {"", spec.target.pool} or spec.mode is not Mode.ENFORCE:
        return False
    return plan.is_open(repair) and repair.status.phase is not Phase.PARKED
