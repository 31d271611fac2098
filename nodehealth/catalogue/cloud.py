"""Signals of the cloud that owns the machine: what it announces, in the cloud's own words."""

from typing import Final

from nodehealth.signals import FieldType, Kind, Signal, Unit

_NOTICE: Final = dict.fromkeys(
    ("effect", "kind", "event", "not_before", "source"), FieldType.STRING
)
_FIELDS: Final = (
    "`effect` is pause (it goes on as it was), reboot (it keeps its disks), stop (it ends, or "
    "comes back elsewhere without its local disks) or other; `kind` is the cloud's word, `event` "
    "its name of the event, `not_before` when it begins at the earliest, by the cloud's clock; of "
    "several notices the gravest, then the first, is told"
)
_UNREAD: Final = (
    "The metadata service does not answer, or says something that no such service says; what it "
    "said last is kept."
)

SIGNALS: Final = (
    Signal(
        name="cloud.maintenance",
        kind=Kind.LEVEL,
        about="The cloud has announced maintenance of this machine or of the host below it.",
        subject="",
        source="AWS events/maintenance/scheduled (state active), GCP maintenance-event and "
        "upcoming-maintenance, Azure scheduledevents (Freeze, Reboot, Redeploy) of this machine; "
        f"{_FIELDS}",
        unit=Unit.BOOLEAN,
        fields=_NOTICE,
        unknown=_UNREAD,
    ),
    Signal(
        name="cloud.maintenance_soon",
        kind=Kind.LEVEL,
        about="Maintenance that is more than a pause begins within half an hour, or has begun.",
        subject="",
        source="the notices of cloud.maintenance, and the time in the metadata service's own "
        "answer: the node's clock is not asked; the agent's settings say how near is soon",
        unit=Unit.BOOLEAN,
        urgent=True,
        unknown=_UNREAD,
    ),
    Signal(
        name="cloud.interruption",
        kind=Kind.LEVEL,
        about="The cloud takes this machine away within minutes.",
        subject="",
        source="AWS spot/instance-action and autoscaling/target-lifecycle-state (Terminated), GCP "
        f"preempted, Azure scheduledevents (Preempt, Terminate) of this machine; {_FIELDS}",
        unit=Unit.BOOLEAN,
        fields=_NOTICE,
        urgent=True,
        unknown=_UNREAD,
    ),
    Signal(
        name="cloud.rebalance",
        kind=Kind.LEVEL,
        about="The cloud says that it is likelier than usual to take this machine away.",
        subject="",
        source="AWS events/recommendations/rebalance, which is never taken back; `not_before` is "
        "when that was said; not applicable to other clouds",
        unit=Unit.BOOLEAN,
        fields=_NOTICE,
        unknown=_UNREAD,
    ),
)
