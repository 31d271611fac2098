"""How a machine is switched off and on again: ordered once, believed when another boot is Ready.

Who claims the order gives it, and nobody gives it after that: an owner may know no keys, and would
do it twice. Only a node that is still up in its old boot, long after any order would have brought
it down, shows that nothing came of it; then it is claimed anew.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from nodehealth import quantities
from nodehealth.kube.objects import Node
from nodehealth.repair import NodeRepair
from remediator.decide import boots, ready
from remediator.decide.envoys import GiveUp, Outcome, Succeed, Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the next step is decided by; all of it fresh."""

    repair: NodeRepair
    node: Node | None
    since: datetime
    """When the rung began."""
    patience: timedelta
    """How long the rung may take."""
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Tell the machine's owner; in which boot the machine is, is known."""

    boot_id: str


Step: TypeAlias = Order | Outcome


def next_step(look: Look) -> Step:
    """Decide what comes next."""
    node, target, intent = look.node, look.repair.spec.target, look.repair.status.intent
    if node is not None and node.metadata.uid != target.node_uid:
        return Succeed(message="the node is another machine now")
    if node is not None and _has_booted(look, node):
        return _booted(look, node)
    if look.now >= look.since + look.patience:
        return GiveUp(message=f"the machine did not boot anew within {_spent(look)}")
    if node is None:
        return Wait(message="there is no Node to tell in which boot the machine is")
    if intent is not None and not boots.is_over(intent, _up(node), look.now):
        return Wait(message="waits for the machine to boot anew")
    return _begin(node)


def strays(repair: NodeRepair, node: Node) -> str:
    """Say why a power-cycle that was claimed is not meant for a Node as it is now, if it isn't."""
    intent = repair.status.intent
    if intent is None or intent.pod or boots.ordered(intent) is None:
        return ""
    same = node.status.node_info.boot_id == intent.boot_id
    return "" if same else f"{node.metadata.name} booted anew since the order was claimed"


def _begin(node: Node) -> Step:
    boot = node.status.node_info.boot_id
    if not boot:
        return GiveUp(message="the node tells no boot id, so nothing would prove another boot")
    return Order(boot_id=boot)


def _has_booted(look: Look, node: Node) -> bool:
    intent = look.repair.status.intent
    if intent is None:
        return boots.is_since_found(look.repair, node)
    return node.status.node_info.boot_id != intent.boot_id


def _booted(look: Look, node: Node) -> Step:
    if ready.is_ready(node):
        return Succeed(message="the machine booted anew, and its node is Ready")
    if look.now >= look.since + look.patience:
        return GiveUp(message=f"the machine booted anew, and was not Ready within {_spent(look)}")
    return Wait(message="the machine booted anew; waits for its node to be Ready")


def _up(node: Node) -> Node | None:
    return node if ready.is_ready(node) else None


def _spent(look: Look) -> str:
    return quantities.spoken(look.patience)
