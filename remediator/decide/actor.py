"""A node that plays a story: what its agent and its Node object say at each moment."""

from dataclasses import dataclass, field
from datetime import datetime

from nodehealth import history
from nodehealth.health import Event, Level, NodeHealth, NodeHealthStatus
from nodehealth.history import History
from nodehealth.kube.objects import Condition, Metadata, Node, NodeInfo, NodeStatus
from nodehealth.signals import Knowledge
from remediator.decide.facts import Agent, Facts, Watches
from remediator.rules.stories import (
    ConditionGiven,
    EventGiven,
    LevelGiven,
    NodeGiven,
    StepGiven,
)

_NAME, _UID = "node-1", "rehearsal"


@dataclass(slots=True, kw_only=True)
class Actor:
    """A Ready node whose agent knows nothing yet and writes whenever somebody looks."""

    began: datetime
    labels: dict[str, str] = field(default_factory=dict)
    capacity: dict[str, str] = field(default_factory=dict)
    allocatable: dict[str, str] = field(default_factory=dict)
    ordered: dict[str, str] = field(default_factory=dict)
    conditions: dict[str, Condition] = field(default_factory=dict)
    levels: dict[tuple[str, str], Level] = field(default_factory=dict)
    events: dict[tuple[str, str, str], Event] = field(default_factory=dict)
    boots: int = 0
    silent: bool = False
    pod: str = "ready"
    blind_since: datetime | None = None
    """When the API server last told us anything, if it does not now."""
    heard_at: datetime | None = None
    said: NodeHealthStatus = field(default_factory=NodeHealthStatus)

    def __post_init__(self) -> None:
        """Be Ready."""
        self._condition("Ready", ConditionGiven(status=True), self.began)

    def change(self, step: StepGiven, now: datetime) -> None:
        """Take in what changes at one moment of the story."""
        if step.agent == "silent":
            self.facts(now)  # its last word
        if step.agent is not None:
            self.silent = step.agent == "silent"
        if step.reboot:
            self.boots += 1
            self.levels.clear()
        if step.watches is not None:
            self.blind_since = now if step.watches == "behind" else None
        self.pod = step.pod or self.pod
        self._become(step.node, now)
        for level in step.levels:
            self._set(level, now)
        for event in step.events:
            self._happen(event, now)

    def facts(self, now: datetime) -> Facts:
        """Return what is known of the node; a silent agent's last word gets old."""
        if not self.silent:
            self.heard_at, self.said = now, self._report(now)
        watched = self.blind_since or now
        return Facts(
            node=self._node(),
            health=NodeHealth(status=self.said),
            heard_at=self.heard_at,
            agent=self._agent(),
            watches=Watches(nodes=watched, healths=watched, agents=watched),
            ordered=dict(self.ordered),
        )

    def _agent(self) -> Agent | None:
        return None if self.pod == "absent" else Agent(ready=self.pod == "ready", since=self.began)

    def _boot(self) -> str:
        return f"boot-{self.boots}"

    def _report(self, now: datetime) -> NodeHealthStatus:
        return NodeHealthStatus(
            node_uid=_UID,
            boot_id=self._boot(),
            reported_at=now,
            levels=tuple(self.levels.values()),
            events=tuple(self.events.values()),
        )

    def _node(self) -> Node:
        return Node(
            metadata=Metadata(name=_NAME, uid=_UID, labels=dict(self.labels)),
            status=NodeStatus(
                capacity=dict(self.capacity),
                allocatable=dict(self.allocatable),
                conditions=tuple(self.conditions.values()),
                node_info=NodeInfo(boot_id=self._boot()),
            ),
        )

    def _become(self, given: NodeGiven, now: datetime) -> None:
        self.labels |= given.labels
        self.capacity |= given.capacity
        self.allocatable |= given.allocatable
        self.ordered |= given.ordered
        for name, said in given.conditions.items():
            whole = said if isinstance(said, ConditionGiven) else ConditionGiven(status=said)
            self._condition(name, whole, now)

    def _condition(self, name: str, given: ConditionGiven, now: datetime) -> None:
        status, before = str(given.status).title(), self.conditions.get(name)
        same = before is not None and before.status == status
        self.conditions[name] = Condition(
            type=name,
            status=status,
            reason=given.reason,
            message=given.message,
            last_transition_time=before.last_transition_time if before and same else now,
        )

    def _set(self, given: LevelGiven, now: datetime) -> None:
        key = (given.signal, given.subject)
        if isinstance(given.value, str):
            value, knowledge = None, Knowledge(given.value)
        else:
            value, knowledge = given.value, Knowledge.KNOWN
        before = self.levels.get(key)
        self.levels[key] = Level(
            name=given.signal,
            subject=given.subject,
            value=value,
            knowledge=knowledge,
            since=before.since if before and before.value == value else now,
            fields=given.fields,
        )

    def _happen(self, given: EventGiven, now: datetime) -> None:
        key = (given.signal, given.subject, repr(sorted(given.fields.items())))
        before = self.events.get(key)
        past = before.count if before is not None and before.boot_id == self._boot() else 0
        self.events[key] = Event(
            name=given.signal,
            subject=given.subject,
            boot_id=self._boot(),
            fields=given.fields,
            count=past + given.count,
            history=history.record(before.history if before else History(), now, given.count),
        )
