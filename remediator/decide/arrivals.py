"""What is known of a successor that joined: whether it took work before we had marked it."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import Node, Pod
from nodehealth.repair import ARRIVED_LENGTH, LOG_LENGTH, Arrival, Decision, NodeRepairStatus
from remediator.decide import eviction, marks, obstacles, ready
from remediator.decide.moves import Greet, View


def greets(view: View) -> Greet | None:
    """Have a Node under the name of the one that was mended written down, once it is marked."""
    repair, node = view.repair, view.node
    if node is None or node.metadata.uid == repair.spec.target.node_uid:
        return None
    known = repair.status.arrival
    if known is not None and known.node_uid == node.metadata.uid:
        return None
    return Greet()


def of(node: Node, pods: Iterable[Pod], repair: str, now: datetime) -> Arrival:
    """Return how long a Node that is marked now can have been open, and what came to it.

    A Node that is not Ready takes no work, and one that registered with the taint has none of ours.
    """
    registered = not marks.is_tainted_for(node, repair)
    came = sorted(obstacles.name(each) for each in pods if eviction.stays(each, now) is None)
    opened = timedelta()
    if not registered and ready.is_ready(node):
        opened = max(now - _opened(node, now), timedelta())
    return Arrival(
        node_uid=node.metadata.uid,
        at=now,
        tainted=registered,
        open_seconds=round(opened.total_seconds()),
        pods=tuple(came[:ARRIVED_LENGTH]),
        came=len(came),
    )


def is_worth_telling(arrival: Arrival) -> bool:
    """Say whether people should hear of it: something may have come, or has."""
    return bool(arrival.open_seconds or arrival.came)


def written(status: NodeRepairStatus, arrival: Arrival) -> NodeRepairStatus:
    """Return the status with it, and a line of the log where nothing else makes one."""
    if is_worth_telling(arrival):
        return structs.replace(status, arrival=arrival)
    line = Decision(at=arrival.at, text=sentence(arrival))
    return structs.replace(status, arrival=arrival, log=(*status.log, line)[-LOG_LENGTH:])


def sentence(arrival: Arrival) -> str:
    """Say it to people."""
    if arrival.tainted:
        text = f"the successor registered with the taint {keys.REPAIR_TAINT}"
    elif not arrival.open_seconds:
        text = "the successor was marked before it took work"
    else:
        text = f"the successor took work for at most {arrival.open_seconds} s before it was marked"
    if not arrival.came:
        return f"{text}; no pod came"
    more = f" and {arrival.came - len(arrival.pods)} more" * (arrival.came > len(arrival.pods))
    return f"{text}; pods came: {', '.join(arrival.pods)}{more}"


def _opened(node: Node, now: datetime) -> datetime:
    found = (each.last_transition_time for each in node.status.conditions if each.type == "Ready")
    return next(found, None) or node.metadata.creation_timestamp or now
