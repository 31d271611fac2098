"""Which parts a fault names, and which of them failed again although they had been repaired."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import Node
from nodehealth.repair import (
    Condemned,
    Failure,
    Joined,
    NodeRepair,
    Part,
    PartKind,
    Phase,
    Target,
)
from remediator.decide import joined
from remediator.rules.policy import Condemning

WAY_OUT: Final = (
    "exchange it and delete this NodeRepair, or uncordon the node to have it left alone"
)
"""What a person can do about a condemned part."""
_GPU: Final = "GPU-"
"""What the UUID of a GPU begins with; a PCI address is no name that stays with the card."""
_MOST_KEPT: Final = 16
_MOST_TOLD: Final = 5


def blamed(repair: NodeRepair) -> tuple[Part, ...]:
    """Name the parts that a repair is blamed on: the GPUs of its evidence, and the host."""
    gpus = (Part(kind=PartKind.GPU, id=each) for each in gpus_of(repair))
    return (*gpus, _machine(repair.spec.target))


def gpus_of(repair: NodeRepair) -> tuple[str, ...]:
    """Name the GPUs that a repair is blamed on."""
    return tuple(each for each in joined.parts(repair) if each.startswith(_GPU))


def gpus(node: Node) -> int:
    """Count the GPUs that a node gives."""
    written = node.status.capacity.get(keys.GPU_RESOURCE, "0")
    return int(written) if written.isdigit() else 0


def weighed(
    repair: NodeRepair,
    past: Iterable[NodeRepair],
    manners: Condemning,
    now: datetime,
    *,
    has_twin: bool,
    since: datetime | None = None,
) -> NodeRepair:
    """Return a repair that is about to be opened, its parts condemned if they failed too often.

    Args:
        repair: What is to be opened.
        past: All repairs that are remembered; one that is forgotten does no harm.
        manners: After how many failures.
        now: The present time.
        has_twin: Whether another node says that it is the same host: then that name tells nothing.
        since: Since when the fault is there. What was repaired later than that was something else,
            on which nothing failed again.
    """
    if has_twin:
        target = structs.replace(repair.spec.target, host="")
        repair = structs.replace(repair, spec=structs.replace(repair.spec, target=target))
    before = [each for each in past if since is None or ended_at(each, now) < since]
    found = _condemned(blamed(repair), before, manners, now)
    return structs.replace(repair, spec=structs.replace(repair.spec, condemned=found))


def condemned_by(
    fault: Joined,
    repair: NodeRepair,
    past: Iterable[NodeRepair],
    manners: Condemning,
    now: datetime,
) -> Condemned | None:
    """Say which part condemns a repair if a fault joins it that is blamed on parts of its own.

    The host, and what the repair is blamed on already, was weighed when it was opened.

    Args:
        fault: What joins.
        repair: What it joins.
        past: The repairs that ended before the fault was there.
        manners: After how many failures.
        now: The present time.
    """
    known = blamed(repair)
    gpus = (Part(kind=PartKind.GPU, id=each) for each in fault.parts if each.startswith(_GPU))
    return _condemned((each for each in gpus if each not in known), past, manners, now)


def apart(repair: NodeRepair, node: Node) -> str:
    """Say as what a node is set apart whose part is condemned; another machine has other parts."""
    found = joined.condemned(repair)
    same = node.metadata.uid == repair.spec.target.node_uid
    return found.part.kind if found is not None and same else ""


def is_set_apart(repair: NodeRepair, node: Node) -> bool:
    """Say whether a node that is to be set apart is; any other one is as it should be."""
    return not apart(repair, node) or keys.QUARANTINE_LABEL in node.metadata.labels


def bears_witness(repair: NodeRepair, manners: Condemning, now: datetime) -> bool:
    """Say whether a repair was carried out, and lately enough to count against its parts."""
    status = repair.status
    done = status.phase is Phase.RECOVERED and status.disruption_epoch > 0
    return done and now - ended_at(repair, now) < manners.within


def ended_at(repair: NodeRepair, now: datetime) -> datetime:
    """Say when a repair came to its present phase; now if it has written down none."""
    return max((each.at for each in repair.status.timeline), default=now)


def sentence(condemned: Condemned) -> str:
    """Say which part is condemned, and when and where it failed before."""
    told = condemned.failures[-_MOST_TOLD:]
    before = ", ".join(f"on {each.node} ({each.repair}, {each.at:%Y-%m-%d %H:%M})" for each in told)
    return f"{_spoken(condemned.part)} is condemned: it fails again after repairs {before}"


def _machine(target: Target) -> Part:
    """Name the host by its firmware; one that that does not tell from others, by its owner."""
    if target.host:
        return Part(kind=PartKind.HOST, id=target.host)
    return Part(kind=PartKind.MACHINE, id=target.provider_id or target.node_uid)


def _spoken(part: Part) -> str:
    """Name a part; that a GPU is one, its UUID says."""
    return part.id if part.kind is PartKind.GPU else f"{part.kind} {part.id}"


def _condemned(
    parts: Iterable[Part], past: Iterable[NodeRepair], manners: Condemning, now: datetime
) -> Condemned | None:
    failures: dict[Part, list[Failure]] = {each: [] for each in parts}
    for repair in past:
        again = [each for each in blamed(repair) if each in failures]
        if again and bears_witness(repair, manners, now):
            for part in again:
                failures[part].append(_failure(repair, now))
    for part, found in failures.items():
        if len(found) + 1 >= manners.most(part.kind):
            told = sorted(found, key=lambda each: each.at)[-_MOST_KEPT:]
            return Condemned(part=part, failures=tuple(told))
    return None


def _failure(repair: NodeRepair, now: datetime) -> Failure:
    return Failure(
        node=repair.spec.target.node, repair=repair.metadata.name, at=ended_at(repair, now)
    )
