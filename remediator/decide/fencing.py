"""How a dead node's machine is made sure to be off before anything on it is forced.

A silent kubelet ends no pod, so a drain of its node never does. The machine's owner is asked to
switch it off, and has to say twice that it is; that is written down as the proof, and only then is
the Node marked out of service, so that Kubernetes lets go of its pods and volumes. The mark is
taken off as soon as it has done its work. We delete nothing ourselves.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias

from msgspec import structs

from nodehealth.kube.objects import Condition, Node, Pod
from nodehealth.repair import Fencing, NodeRepair, Proof
from remediator.decide import marks
from remediator.rules.policy import DrainManners

ORDER: Final = "power-off"
"""The action of an intent to switch a machine off."""
PROOF_PATIENCE: Final = timedelta(minutes=10)
"""How long the proof may take before a person is called."""
CLEAR_PATIENCE: Final = timedelta(minutes=10)
"""How long pods and volumes may take to be let go of."""
RETURN_PATIENCE: Final = timedelta(minutes=3)
"""How long a kubelet that fell silent, or has just come back, may hold up the end of a drain."""
ORDER_AGAIN: Final = timedelta(minutes=2)
"""After how long a machine that is still on is ordered off once more."""


class Power(StrEnum):
    """What a machine's owner says of its power."""

    ON = "on"
    OFF = "off"
    GONE = "gone"
    """There is no such machine any more."""
    UNKNOWN = "unknown"


_PROOFS: Final = {Power.OFF: Proof.POWERED_OFF, Power.GONE: Proof.GONE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the next step is decided by; all of it fresh."""

    repair: NodeRepair
    fencing: Fencing
    node: Node | None
    power: Power
    said: str
    """What the owner said, or why it did not, as a part of a sentence."""
    by: str
    """Whose word it is."""
    pods: tuple[str, ...]
    """The pods that are still to be let go of."""
    now: datetime
    manners: DrainManners = field(default_factory=DrainManners)


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchOff:
    """Order the machine off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Write down what was seen."""

    fencing: Fencing
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PutOutOfService:
    """Mark the Node, so that Kubernetes lets go of its pods and volumes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBack:
    """Take our mark off the Node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Look again soon."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Through:
    """Nothing of the old machine is left; the ladder goes on."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """The kubelet speaks again, so it can end its pods itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """Call a person."""

    message: str


Step: TypeAlias = SwitchOff | Note | PutOutOfService | PutBack | Wait | Through | Alive | GiveUp


def is_silent(node: Node | None) -> bool:
    """Say whether nothing is heard of a Node's kubelet, or there is no such Node."""
    ready = _ready(node)
    return node is None or (ready is not None and ready.status == "Unknown")


def is_given_up(node: Node | None, now: datetime, manners: DrainManners) -> bool:
    """Say whether a Node's kubelet has been silent for so long that nobody waits for it."""
    ready = _ready(node)
    if ready is None or ready.status != "Unknown":
        return False
    since = ready.last_transition_time
    return since is None or now >= since + manners.silent


def is_stranded(
    leaving: Iterable[Pod],
    node: Node | None,
    now: datetime,
    manners: DrainManners,
    *,
    late: bool,
) -> bool:
    """Say whether pods that are to go will never go, because nothing on their node can end them.

    Args:
        leaving: The pods that are being deleted.
        node: Their Node.
        now: The present time.
        manners: How long we are patient with either.
        late: Whether the drain has no time left to see their last moments pass.
    """
    if not is_given_up(node, now, manners):
        return False
    ends = [pod.metadata.deletion_timestamp for pod in leaving]
    return late or all(end is not None and now >= end + manners.overdue for end in ends)


def may_yet_end(node: Node | None, over: datetime, now: datetime, manners: DrainManners) -> bool:
    """Say whether pods that are to go may still end although the time of their drain is up.

    Of a kubelet that has just fallen silent nobody knows yet; one that has just come back only now
    begins to end them.

    Args:
        node: Their Node.
        over: When the time was up.
        now: The present time.
        manners: How long we are patient with the kubelet.
    """
    ready = _ready(node)
    if ready is None or now >= over + RETURN_PATIENCE:
        return False
    since = ready.last_transition_time
    return ready.status == "Unknown" or (since is not None and now < since + manners.overdue)


def next_step(look: Look) -> Step:
    """Decide what comes next."""
    node, target = look.node, look.repair.spec.target
    if node is not None and node.metadata.uid != target.node_uid:
        return Through(message="the node is another machine now")
    if not is_silent(node):
        return PutBack() if _is_marked(look) else Alive()
    return _prove(look) if look.fencing.method is None else _clear(look)


def _prove(look: Look) -> Step:
    fencing = look.fencing
    if _is_off(look):
        return _confirm(look)
    if look.now >= fencing.since + PROOF_PATIENCE:
        return GiveUp(message=f"nothing proves that the machine is off: {look.said}")
    if look.power is Power.ON and fencing.off_seen is not None:
        return Note(fencing=structs.replace(fencing, off_seen=None), message=look.said)
    return SwitchOff() if _may_order(look) else Wait(message=f"waits to see it off: {look.said}")


def _confirm(look: Look) -> Step:
    """Want the word twice; an owner who says nothing in between takes nothing back."""
    fencing, seen = look.fencing, look.fencing.off_seen
    if seen is None:
        noted = structs.replace(fencing, off_seen=look.now)
        return Note(fencing=noted, message=f"{look.said}; asks once more to be sure")
    if look.now < seen + look.manners.twice:
        return Wait(message=f"{look.said}; asks once more to be sure")
    proven = structs.replace(fencing, method=_PROOFS[look.power], at=look.now, by=look.by)
    return Note(fencing=proven, message=f"it is proven that the machine is off: {look.said}")


def _clear(look: Look) -> Step:
    if look.power is Power.ON:
        doubt = f"the proof does not hold any more: {look.said}"
        void = Note(fencing=Fencing(since=look.fencing.since), message=doubt)
        return PutBack() if _is_marked(look) else void
    late = look.fencing.at is not None and look.now >= look.fencing.at + CLEAR_PATIENCE
    if late or not (look.pods or _volumes(look.node)):
        if _is_marked(look):
            return PutBack()
        return _unclear(look) if look.pods else Through(message=f"the machine is off: {look.said}")
    return _let_go(look)


def _let_go(look: Look) -> Step:
    """Mark the Node on the owner's word of this very moment; a mark that is there does its work."""
    if look.node is not None and not marks.is_out_of_service(look.node):
        return PutOutOfService() if _is_off(look) else Wait(message=look.said)
    counts = ((len(look.pods), "pod"), (len(_volumes(look.node)), "volume"))
    left = " and ".join(f"{n} {what}{'' if n == 1 else 's'}" for n, what in counts if n)
    return Wait(message=f"waits for {left} to be let go of")


def _unclear(look: Look) -> GiveUp:
    first = ", ".join(look.pods[:3])
    return GiveUp(message=f"the machine is off, but {len(look.pods)} pods are still there: {first}")


def _is_off(look: Look) -> bool:
    """Believe in a machine that is off only if we want it off: else it may come back any moment."""
    if look.power is Power.GONE:
        return True
    intent = look.repair.status.intent
    return look.power is Power.OFF and intent is not None and intent.action == ORDER


def _may_order(look: Look) -> bool:
    intent = look.repair.status.intent
    return intent is None or look.now >= intent.issued_at + ORDER_AGAIN


def _is_marked(look: Look) -> bool:
    return look.node is not None and marks.is_put_out_of_service(look.node)


def _volumes(node: Node | None) -> tuple[str, ...]:
    return tuple(each.name for each in node.status.volumes_attached) if node is not None else ()


def _ready(node: Node | None) -> Condition | None:
    conditions = node.status.conditions if node is not None else ()
    return next((each for each in conditions if each.type == "Ready"), None)
