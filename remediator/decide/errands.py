"""How an errand goes: its Pod is made, claimed, started and heard out, and never twice.

A repair Pod asks for a scheduler that does not exist, so nothing comes of it before it is bound to
its node, and a Pod that was deleted cannot be bound. So the deed is done at most once for each
rung, and whoever goes on has made sure of its Pod first.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from nodehealth import quantities
from nodehealth.errand import Program
from nodehealth.kube.objects import Node
from nodehealth.outcome import Result
from nodehealth.repair import Intent, NodeRepair
from remediator.decide import boots, envoys, fencing, ready, repairpods
from remediator.decide.boots import BOOT_SHOWS
from remediator.decide.envoys import START_PATIENCE, Claim, GiveUp, Make, Start, Stop, Succeed, Wait
from remediator.decide.repairpods import RepairPod


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What is to be done on a node."""

    program: Program
    lasts: timedelta
    """How long the program may run."""
    gpus: tuple[str, ...] = ()
    service: str = ""
    after: timedelta = timedelta()
    """How long what has to happen before it may take."""

    @property
    def reboots(self) -> bool:
        """Say whether it is done only when the machine booted anew, whatever the program says."""
        return self.program is Program.REBOOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the next step is decided by; all of it fresh."""

    errand: Errand
    repair: NodeRepair
    node: Node | None
    pod: RepairPod | None
    """The Pod that has the errand's name."""
    pod_boot: str
    """The boot for which that Pod was made."""
    since: datetime
    """When the rung began."""
    patience: timedelta
    """How long the rung may take."""
    now: datetime


Step: TypeAlias = envoys.Step[RepairPod]


def claimed(repair: NodeRepair) -> Intent | None:
    """Return the claim of the repair Pod that is, or was, under way."""
    intent = repair.status.intent
    return intent if intent is not None and intent.pod else None


def next_step(look: Look) -> Step:
    """Decide what comes next."""
    node, target, intent = look.node, look.repair.spec.target, claimed(look.repair)
    if node is not None and node.metadata.uid != target.node_uid:
        return _over(look, "the node is another machine now")
    if intent is None:
        return _begin(look)
    if node is not None and _boot(node) != intent.boot_id:
        return _booted(look, node)
    pod = look.pod
    if pod is None or pod.metadata.uid != intent.pod:
        return _vanished(look, intent)
    return _bound(look, intent, pod) if repairpods.is_bound(pod) else _unbound(look, intent, pod)


def is_settled(intent: Intent, pod: RepairPod | None, node: Node | None, now: datetime) -> bool:
    """Say whether nothing can come of a claimed errand any more.

    A reboot that was tried may still happen: only one that was refused cannot, or one that would
    have shown by now.

    Args:
        intent: The claim.
        pod: The Pod of its name.
        node: The Node as it is.
        now: The present time.
    """
    if pod is not None and pod.metadata.uid == intent.pod:
        outcome = repairpods.heard(pod)
        refused = outcome is not None and outcome.result is Result.REFUSED
        may_run = repairpods.may_run(pod) and not repairpods.is_called_off(pod)
        if refused or not (repairpods.is_bound(pod) or may_run):
            return True
        if may_run:
            return False
    if boots.ordered(intent) is None:
        return True
    return boots.is_over(intent, _up(node), now)


def unseen_boot(repair: NodeRepair, node: Node | None, now: datetime) -> Intent | None:
    """Return the order to boot the machine anew whose boot nobody has seen and may still come.

    Whatever remedy is tried next, it is we who brought the machine down.

    Args:
        repair: What goes on to its next rung.
        node: The Node as it is.
        now: The present time.
    """
    order = boots.ordered(repair.status.intent) or repair.status.rebooting
    return None if order is None or boots.is_over(order, _up(node), now) else order


def _begin(look: Look) -> Step:
    """Nothing is claimed: see to it that there is a Pod for the present boot, and claim it."""
    node = look.node
    if node is not None and boots.is_since_found(look.repair, node):
        return _over(look, "the machine booted anew since the fault was found")
    if _is_late(look) or look.now >= look.since + look.errand.after + START_PATIENCE:
        return _nobody_sent(look)
    if node is None or fencing.is_silent(node):
        return Wait(message="the kubelet is silent, so nothing can be started on the node")
    return Make() if look.pod is None else _found(look, node, look.pod)


def _found(look: Look, node: Node, pod: RepairPod) -> Step:
    if pod.metadata.deletion_timestamp is not None:
        return Wait(message="waits for an earlier Pod to be gone")
    if repairpods.is_bound(pod):
        return GiveUp(message=f"somebody else started {pod.metadata.name}, which nobody claimed")
    if look.pod_boot != _boot(node):
        return Stop(envoy=pod, message="the machine booted anew; makes another Pod")
    if repairpods.is_called_off(pod):
        return Stop(envoy=pod, message="it was called off; makes another Pod")
    return Claim(envoy=pod)


def _nobody_sent(look: Look) -> Step:
    """Give up once nothing can be started any more; a finalizer may keep what never is."""
    pod = look.pod
    if pod is not None and not repairpods.is_bound(pod) and repairpods.may_run(pod):
        return Stop(envoy=pod, message=look.repair.status.message)
    return GiveUp(message=f"nobody could be sent to the node: {look.repair.status.message}")


def _booted(look: Look, node: Node) -> Step:
    if ready.is_ready(node):
        return _over(look, "the machine booted anew, and its node is Ready")
    if _is_late(look):
        return GiveUp(message=f"the machine booted anew, and was not Ready within {_spent(look)}")
    return Wait(message="the machine booted anew; waits for its node to be Ready")


def _over(look: Look, message: str) -> Step:
    """Have nothing left behind that was meant for a boot that is over, and that would refuse."""
    pod = look.pod
    if pod is None or repairpods.is_finished(pod) or _is_late(look):
        return Succeed(message=message)
    if pod.metadata.deletion_timestamp is not None:
        return Wait(message=f"{message}; waits for the Pod of the last boot to be gone")
    return Stop(envoy=pod, message=message)


def _vanished(look: Look, intent: Intent) -> Step:
    if look.errand.reboots:
        return _unless_it_boots(look, intent, "its Pod is gone")
    return GiveUp(message=f"its Pod is gone; what was known last: {look.repair.status.message}")


def _unbound(look: Look, intent: Intent, pod: RepairPod) -> Step:
    is_late = look.now >= intent.issued_at + START_PATIENCE or _is_late(look)
    if pod.metadata.deletion_timestamp is not None:
        never = GiveUp(message="its Pod was deleted before it was started, and is not gone yet")
        return never if is_late else Wait(message="waits for its Pod to be gone")
    if is_late or repairpods.is_called_off(pod):
        return Stop(envoy=pod, message=look.repair.status.message)
    if fencing.is_silent(look.node):
        return Wait(message="the kubelet is silent, so nothing can be started on the node")
    return Start(envoy=pod)


def _bound(look: Look, intent: Intent, pod: RepairPod) -> Step:
    if repairpods.is_finished(pod):
        return _ended(look, intent, pod)
    if _is_late(look):
        late = f"it was not done within {_spent(look)}: {repairpods.standing(pod)}"
        leaves = pod.metadata.deletion_timestamp is not None
        return GiveUp(message=late) if leaves else Stop(envoy=pod, message=late)
    leaving = pod.metadata.deletion_timestamp is not None
    if not repairpods.has_started(pod) and look.now >= intent.issued_at + START_PATIENCE:
        return _unstarted(look, pod, leaving=leaving)
    gone = "waits for its Pod to be gone" if leaving else repairpods.standing(pod)
    return Wait(message=f"{look.errand.program}: {gone}")


def _unstarted(look: Look, pod: RepairPod, *, leaving: bool) -> Step:
    """Take back what a node does not start; one that goes down has no time to say that it did."""
    if not leaving:
        return Stop(envoy=pod, message=f"the node did not start it: {repairpods.standing(pod)}")
    if fencing.is_silent(look.node) and not look.errand.reboots:
        return GiveUp(message="the kubelet fell silent before it said that it started it")
    return Wait(message=look.repair.status.message)


def _ended(look: Look, intent: Intent, pod: RepairPod) -> Step:
    outcome = repairpods.heard(pod)
    if outcome is None:
        why = repairpods.why(pod)
        return _unless_it_boots(look, intent, why) if look.errand.reboots else GiveUp(message=why)
    said = outcome.message or outcome.result
    if outcome.result is not Result.DONE:
        return GiveUp(message=f"{look.errand.program} {outcome.result.lower()}: {said}")
    return _unless_it_boots(look, intent, said) if look.errand.reboots else Succeed(message=said)


def _unless_it_boots(look: Look, intent: Intent, why: str) -> Step:
    """Wait for a boot that may be under way; one that was ordered shows before long."""
    until = intent.issued_at + BOOT_SHOWS
    is_up = look.node is not None and ready.is_ready(look.node)
    if _is_late(look) or (is_up and look.now >= until):
        return GiveUp(message=f"the machine did not boot anew: {why}")
    return Wait(message=f"waits to see whether the machine boots anew: {why}")


def _up(node: Node | None) -> Node | None:
    return node if node is not None and ready.is_ready(node) else None


def _boot(node: Node) -> str:
    return node.status.node_info.boot_id


def _is_late(look: Look) -> bool:
    return look.now >= look.since + look.patience


def _spent(look: Look) -> str:
    return quantities.spoken(look.patience)
