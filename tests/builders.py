"""Small facts for tests: a node, its health, a repair, a ledger, a rule."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from nodehealth import cel, keys
from nodehealth.catalogue import CATALOGUE
from nodehealth.health import Event, Level, NodeHealth, NodeHealthStatus
from nodehealth.history import History
from nodehealth.kube.objects import (
    Claimed,
    Condition,
    ContainerState,
    ContainerStatus,
    Metadata,
    Node,
    NodeInfo,
    NodeSpec,
    NodeStatus,
    OwnerReference,
    Pod,
    PodSpec,
    PodStatus,
    Taint,
    Terminated,
    Toleration,
    Volume,
)
from nodehealth.ledger import (
    EVER,
    Bucket,
    Disruption,
    RepairLedger,
    RepairLedgerSpec,
    RepairLedgerStatus,
    Slot,
)
from nodehealth.repair import (
    Mode,
    NodeRepair,
    NodeRepairSpec,
    NodeRepairStatus,
    Phase,
    Rung,
    Severity,
    Target,
)
from nodehealth.signals import Knowledge
from remediator.rules import expressions
from remediator.rules.rule import Combine, Question, Rule, RuleSet

NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """Return a time after noon."""
    return NOON + timedelta(seconds=seconds)


def node(
    name: str = "n1",
    *,
    uid: str = "",
    ready: bool = True,
    unschedulable: bool = False,
    fence: str = "",
    pre_cordoned: bool = False,
    taints: tuple[str, ...] = (),
    labels: Mapping[str, str] | None = None,
    gpus: str = "8",
    host: str = "",
    version: str = "7",
) -> Node:
    """Make a Node; its UID is `uid-<name>` unless another is given."""
    annotations = {keys.FENCE_ANNOTATION: fence} if fence else {}
    if pre_cordoned:
        annotations[keys.PRE_CORDONED_ANNOTATION] = "true"
    return Node(
        metadata=Metadata(
            name=name,
            uid=uid or f"uid-{name}",
            resource_version=version,
            labels=labels or {},
            annotations=annotations,
        ),
        spec=NodeSpec(
            provider_id=f"sim://machine-{name}",
            unschedulable=unschedulable,
            taints=tuple(Taint(key=key, effect="NoSchedule") for key in taints),
        ),
        status=NodeStatus(
            conditions=(Condition(type="Ready", status="True" if ready else "Unknown"),),
            capacity={keys.GPU_RESOURCE: gpus},
            node_info=NodeInfo(boot_id="boot-1", system_uuid=host),
        ),
    )


def level(
    value: float | None,
    *,
    subject: str = "/",
    knowledge: Knowledge = Knowledge.KNOWN,
    name: str = "disk.free_ratio",
) -> Level:
    """Make a level of free space."""
    fields = {"device": "/dev/sda1", "fstype": "ext4"}
    return Level(
        name=name, subject=subject, value=value, knowledge=knowledge, since=NOON, fields=fields
    )


def xid(code: int, *, count: int = 1, boot: str = "boot-1", last: datetime = NOON) -> Event:
    """Make an XID event."""
    return Event(
        name="gpu.xid",
        subject="GPU-1",
        boot_id=boot,
        fields={"code": code, "pci": "0000:01:00"},
        count=count,
        history=History(last=(last,) * min(count, 16), until=last),
    )


def health(
    *signals: Level | Event, name: str = "n1", node_uid: str = "", refresh: int = 300
) -> NodeHealth:
    """Make a NodeHealth of the node `name`."""
    status = NodeHealthStatus(
        node_uid=node_uid or f"uid-{name}",
        boot_id="boot-1",
        refresh_seconds=refresh,
        levels=tuple(each for each in signals if isinstance(each, Level)),
        events=tuple(each for each in signals if isinstance(each, Event)),
    )
    return NodeHealth(metadata=Metadata(name=name), status=status)


def question(
    where: str = "value < 0.05",
    *,
    signal: str = "disk.free_ratio",
    lasts: float = 0,
    within: float | None = None,
    count: int = 1,
) -> Question:
    """Make a question."""
    asked = CATALOGUE[signal]
    return Question(
        signal=asked,
        where=cel.compile(where, expressions.environment(asked)),
        text=where,
        lasts=timedelta(seconds=lasts),
        within=None if within is None else timedelta(seconds=within),
        count=count,
    )


def rule(
    *questions: Question,
    name: str = "disk-full",
    combine: Combine = Combine.ANY,
    severity: Severity = Severity.CRITICAL,
    mode: Mode = Mode.ENFORCE,
    quiet: float = 60,
    verify: float = 60,
    ladder: tuple[str, ...] = ("drain", "replace"),
) -> Rule:
    """Make a rule; without a question it asks for free space."""
    return Rule(
        name=name,
        about="A disk is full.",
        severity=severity,
        questions=questions or (question(),),
        combine=combine,
        ladder=tuple(Rung(action=action) for action in ladder),
        mode=mode,
        quiet=timedelta(seconds=quiet),
        verify=timedelta(seconds=verify),
    )


def rules(*each: Rule) -> RuleSet:
    """Put rules together."""
    return RuleSet(rules=each, digest="d", by_name={one.name: one for one in each})


def target(name: str = "n1", *, pool: str = "default") -> Target:
    """Make the target of a repair of a node."""
    return Target(node=name, node_uid=f"uid-{name}", provider_id=f"sim://machine-{name}", pool=pool)


def repair(
    name: str = "n1",
    *,
    phase: Phase = Phase.CONFIRMED,
    mode: Mode = Mode.ENFORCE,
    severity: Severity = Severity.CRITICAL,
    pool: str = "default",
    created: datetime = NOON,
    ladder: tuple[str, ...] = ("drain", "replace"),
    verify: int = 60,
    status: NodeRepairStatus | None = None,
) -> NodeRepair:
    """Make a repair of a node, in a phase or with a whole status; its name is `<node>-repair`."""
    return NodeRepair(
        metadata=Metadata(
            name=f"{name}-repair", uid=f"repair-of-{name}", creation_timestamp=created
        ),
        spec=NodeRepairSpec(
            target=target(name, pool=pool),
            rule="disk-full",
            severity=severity,
            mode=mode,
            ladder=tuple(Rung(action=action) for action in ladder),
            verify_seconds=verify,
        ),
        status=status or NodeRepairStatus(phase=phase),
    )


def slot(
    epoch: int, *, name: str = "n1", pool: str = "default", gangs: tuple[str, ...] = ()
) -> Slot:
    """Make the slot of a node's repair."""
    return Slot(
        epoch=epoch,
        node_uid=f"uid-{name}",
        repair=f"{name}-repair",
        acquired_at=NOON,
        pool=pool,
        gangs=gangs,
    )


def ledger(
    *,
    epoch: int = 0,
    cordons: Mapping[str, int] | None = None,
    slots: Mapping[str, Slot] | None = None,
    disruption: Disruption = Disruption.OPEN,
    buckets: Mapping[str, Bucket] | None = None,
    known_since: datetime = EVER,
) -> RepairLedger:
    """Make a ledger that never lost anything; all that is not listed of its buckets is full."""
    return RepairLedger(
        metadata=Metadata(name=keys.LEDGER_NAME, resource_version="1"),
        spec=RepairLedgerSpec(disruption=disruption),
        status=RepairLedgerStatus(
            epoch=epoch,
            cordons=cordons or {},
            slots=slots or {},
            buckets=buckets or {},
            known_since=known_since,
        ),
    )


def pod(
    name: str = "p1",
    *,
    owner: str = "ReplicaSet",
    phase: str = "Running",
    mirror: bool = False,
    deleted: bool = False,
    tolerations: tuple[Toleration, ...] = (),
    node_name: str = "n1",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    finalizers: tuple[str, ...] = (),
    priority: int = 0,
    restarts: str = "Always",
    claims: tuple[str, ...] = (),
    ended: tuple[bool, ...] = (),
    ready: bool = False,
) -> Pod:
    """Make a pod; an empty owner makes one that nobody brings back.

    A deleted one ends at noon; `ended` says of each container whether it has.
    """
    owners = (OwnerReference(kind=owner, name="owner", controller=True),) if owner else ()
    mirrored = {keys.MIRROR_POD_ANNOTATION: "x"} if mirror else {}
    states = (ContainerState(terminated=Terminated() if each else None) for each in ended)
    conditions = (Condition(type="Ready", status="True"),) if ready else ()
    return Pod(
        metadata=Metadata(
            name=name,
            namespace="jobs",
            uid=f"uid-{name}",
            labels=labels or {},
            annotations={**mirrored, **(annotations or {})},
            finalizers=finalizers,
            deletion_timestamp=NOON if deleted else None,
            owner_references=owners,
        ),
        spec=PodSpec(
            node_name=node_name,
            tolerations=tolerations,
            priority=priority,
            restart_policy=restarts,
            volumes=tuple(
                Volume(name=each, persistent_volume_claim=Claimed(claim_name=each))
                for each in claims
            ),
        ),
        status=PodStatus(
            phase=phase,
            conditions=conditions,
            container_statuses=tuple(ContainerStatus(state=each) for each in states),
        ),
    )
