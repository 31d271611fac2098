"""What a person writes into the cluster to hold nodemend back or let it go on, and who they are."""

import getpass
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import structs

from nodehealth import keys, quantities
from nodehealth.kit import clocks
from nodehealth.kit.settings import SettingsError
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import Object, Resource, Struct
from nodehealth.ledger import REPAIR_LEDGERS, Disruption, Handling, Pause, RepairLedger
from nodehealth.repair import NODE_REPAIRS
from remediator.decide import plan

_TRIES: Final = 5
_NO_LEDGER: Final = (
    f"there is no RepairLedger {keys.LEDGER_NAME}: no remediator has begun to work in this cluster"
)


class _User(Struct, frozen=True, kw_only=True):
    username: str = ""


class _Whoami(Struct, frozen=True, kw_only=True):
    user_info: _User = _User()


class _SelfSubjectReview(Object, frozen=True, kw_only=True):
    """Who the API server takes us for."""

    status: _Whoami = _Whoami()


_SELF_SUBJECT_REVIEWS: Final = Resource(
    group="authentication.k8s.io",
    version="v1",
    plural="selfsubjectreviews",
    kind="SelfSubjectReview",
    namespaced=False,
    type=_SelfSubjectReview,
)


async def author(client: Client, given: str = "") -> str:
    """Say who wishes: as given, as the API server knows us, or who is at this machine."""
    if given:
        return given[:253]
    try:
        made = await client.create(_SELF_SUBJECT_REVIEWS, {})
    except errors.KubeError:
        return getpass.getuser()
    return made.status.user_info.username[:253] or getpass.getuser()


def moment(text: str, now: datetime) -> datetime:
    """Read when something shall end: a time, of UTC unless it names another zone.

    Raises:
        SettingsError: it is no time, or one that has passed.
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError as wrong:
        example = "2026-01-31T22:00:00+01:00"
        raise SettingsError(f"--until: expected a time such as {example}, got {text!r}") from wrong
    until = read if read.tzinfo is not None else read.replace(tzinfo=UTC)
    if until <= now:
        raise SettingsError(f"--until: expected a time to come, got {text!r}; it is {now:%FT%TZ}")
    return until.astimezone(UTC).replace(microsecond=0)


def lasting(text: str, now: datetime) -> datetime:
    """Read for how long something shall last.

    Raises:
        SettingsError: it is no duration, or none at all.
    """
    try:
        span = quantities.duration(text)
    except ValueError as wrong:
        raise SettingsError(f"--for: {wrong}") from wrong
    if span < timedelta(seconds=1):
        raise SettingsError(f"--for: expected a second at least, got {text!r}")
    return (now + span).astimezone(UTC).replace(microsecond=0)


async def pause(
    client: Client, name: str, wanted: Callable[[Pause | None, datetime], Pause]
) -> tuple[Pause | None, Pause]:
    """Write a pause, and return the one of its name that was there before, and this one.

    Args:
        client: The door to the API server.
        name: The name of the pause.
        wanted: Says what it shall be, by the one that is there and the API server's time.

    Raises:
        nodehealth.kube.errors.KubeError: it could not be written.
    """
    for _ in range(_TRIES):
        ledger = await _ledger(client)
        before = ledger.spec.pauses.get(name)
        made = wanted(before, client.server_time or clocks.wall())
        if made == before or await _write(client, ledger, name, made):
            return before, made
    raise errors.ConflictError(_contended())


async def resume(client: Client, name: str) -> tuple[Pause | None, tuple[str, ...]]:
    """Take a pause away if it is there, and return it and the names of those that stay.

    Raises:
        nodehealth.kube.errors.KubeError: it could not be taken away.
    """
    for _ in range(_TRIES):
        ledger = await _ledger(client)
        before = ledger.spec.pauses.get(name)
        others = tuple(sorted(ledger.spec.pauses.keys() - {name}))
        if before is None or await _write(client, ledger, name, None):
            return before, others
    raise errors.ConflictError(_contended())


async def release(client: Client, node: str) -> int:
    """Vouch for a node that has a slot and no repair, and return the epoch of the slot.

    Raises:
        nodehealth.kube.errors.KubeError: there is no such slot, or it could not be written.
    """
    for _ in range(_TRIES):
        ledger = await _ledger(client)
        repairs = (await client.listing(NODE_REPAIRS)).whole()
        slots, slot = ledger.status.slots, ledger.status.slots.get(node)
        if slot is None:
            known = ", ".join(sorted(slots)) or "none"
            raise errors.SettingsError(f"{node} has no disruption slot; nodes that do: {known}")
        held = (each for each in repairs if plan.is_open(each) and each.spec.target.node == node)
        if (repair := next(held, None)) is not None:
            raise errors.SettingsError(
                f"{repair.metadata.name} works on {node} and gives the slot back itself: "
                f"nodemend why {node}"
            )
        past = [name for name in ledger.spec.released if name not in slots]
        released = {**dict.fromkeys(past), node: slot.epoch}
        if await _say(client, ledger, {"released": released}):
            return slot.epoch
    raise errors.ConflictError(_contended())


async def handle(client: Client, breaker: str, word: Handling | None) -> Handling | None:
    """Say how a breaker is to be handled, or nothing of it any more; return what was said before.

    Raises:
        nodehealth.kube.errors.KubeError: it could not be written.
    """
    for _ in range(_TRIES):
        ledger = await _ledger(client)
        before = ledger.spec.breakers.get(breaker)
        if word is before or await _say(client, ledger, {"breakers": {breaker: word}}):
            return before
    raise errors.ConflictError(_contended())


async def let_disrupt(client: Client) -> RepairLedger:
    """Open the ledger to disruption, and return it as it was before.

    Raises:
        nodehealth.kube.errors.KubeError: it could not be opened.
    """
    for _ in range(_TRIES):
        before = await _ledger(client)
        if before.spec.disruption is Disruption.OPEN:
            return before
        if await _say(client, before, {"disruption": Disruption.OPEN}):
            return before
    raise errors.ConflictError(_contended())


async def _ledger(client: Client) -> RepairLedger:
    try:
        return await client.get(REPAIR_LEDGERS, keys.LEDGER_NAME)
    except errors.GoneError as missing:
        raise errors.SettingsError(_NO_LEDGER) from missing


async def _write(client: Client, ledger: RepairLedger, name: str, pause: Pause | None) -> bool:
    """Write one pause, or take it away, if the ledger is still the one that was read."""
    written = structs.asdict(pause) if pause is not None else None
    if pause is not None and written is not None:
        written = {key: value for key, value in written.items() if value not in {"", None}}
        written |= {key: None for key in ("pool", "node", "until") if key not in written}
    return await _say(client, ledger, {"pauses": {name: written}})


async def _say(client: Client, ledger: RepairLedger, spec: Mapping[str, object]) -> bool:
    """Say something to the ledger, if it is still the one that was read."""
    body = {"metadata": {"resourceVersion": ledger.metadata.resource_version}, "spec": spec}
    try:
        await client.merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, body)
    except errors.ConflictError:
        return False
    return True


def _contended() -> str:
    return f"the RepairLedger changed under {_TRIES} tries; try again"
