"""NodeRepair: one incident on one node, from the frozen plan to the outcome."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

from nodehealth import keys
from nodehealth.kube.objects import Object, Resource, Struct
from nodehealth.moments import Time

LOG_LENGTH: Final = 50
BOOTS_LENGTH: Final = 8
EVICTIONS_LENGTH: Final = 500
OBSTACLES_LENGTH: Final = 16
FAULTS_LENGTH: Final = 16
EVIDENCE_LENGTH: Final = 16
ARRIVED_LENGTH: Final = 16

Name = Annotated[str, Meta(max_length=253)]
Text = Annotated[str, Meta(max_length=1024)]


class Mode(StrEnum):
    """How far a rule or the policy lets nodemend go; the stricter one wins."""

    OFF = "off"
    OBSERVE = "observe"
    ENFORCE = "enforce"


class Severity(StrEnum):
    """How bad a fault is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Phase(StrEnum):
    """Where a repair stands."""

    CONFIRMED = "Confirmed"
    CORDONED = "Cordoned"
    WAITING = "Waiting"
    DRAINING = "Draining"
    FENCING = "Fencing"
    REPAIRING = "Repairing"
    VERIFYING = "Verifying"
    RECOVERED = "Recovered"
    PARKED = "Parked"
    NEEDS_HUMAN = "NeedsHuman"


class Recovery(StrEnum):
    """What becomes of a drain under way when the fault goes away by itself."""

    FINISH = "finish"
    """The remedies go on: what failed once is not believed."""
    ABORT = "abort"
    """The node is given back once it has proven well."""


ENDED: Final = frozenset({Phase.RECOVERED})
"""Phases in which nothing is left to be done, held or undone."""


class Rung(Struct, frozen=True, kw_only=True):
    """One remedy of the ladder with its settings, frozen when the repair began."""

    action: Annotated[str, Meta(max_length=63)]
    settings: Mapping[str, int | str] = {}


class Target(Struct, frozen=True, kw_only=True):
    """Which machine is meant; names are reused, so every identity is kept."""

    node: Name
    node_uid: Name
    provider_id: Name = ""
    boot_id: Name = ""
    pool: Name = ""
    domains: Annotated[tuple[Annotated[str, Meta(max_length=400)], ...], Meta(max_length=8)] = ()
    """The domains of the node for which the policy had limits, each as a label and its value."""
    instance_type: Name = ""
    gpus: Annotated[int, Meta(ge=0)] = 0
    team: Annotated[str, Meta(max_length=63)] = ""
    """Whose node it is, as the policy's label says."""
    host: Name = ""
    """What the firmware of the machine calls it; nothing where another node says the same."""


class PartKind(StrEnum):
    """What a part is that may be exchanged by itself."""

    GPU = "gpu"
    HOST = "host"
    MACHINE = "machine"
    """A host whose firmware does not tell it from others, by what its owner calls it."""


class Part(Struct, frozen=True, kw_only=True):
    """A part that a fault is blamed on, by a name that stays with it wherever it is plugged in."""

    kind: PartKind
    id: Name
    """The UUID of the GPU, what the firmware of the host calls it, or its provider ID."""


class Failure(Struct, frozen=True, kw_only=True):
    """An earlier repair that a part was blamed for."""

    node: Name
    repair: Name
    at: datetime
    """When it ended."""


class Condemned(Struct, frozen=True, kw_only=True):
    """A part that failed again although it had been repaired: no remedy is tried any more."""

    part: Part
    failures: Annotated[tuple[Failure, ...], Meta(max_length=16)]
    """The earlier ones, oldest first."""


class Approved(Struct, frozen=True, kw_only=True):
    """A person's word that the ladder may be begun."""

    by: Annotated[str, Meta(max_length=253)] = ""
    at: Time | None = None


class Wish(StrEnum):
    """What a person may want of a repair."""

    RETRY = "retry"
    """Begin the ladder anew."""
    RELEASE = "release"
    """Give the node back as it is."""
    CANCEL = "cancel"
    """The same, if no remedy has been begun."""
    DROP = "drop"
    """Go on without a fault that joined."""


class Request(Struct, frozen=True, kw_only=True):
    """What a person wants of a repair; the same twice is one request."""

    what: Wish
    rule: Name = ""
    """Of which fault, if a fault is to be dropped."""
    by: Annotated[str, Meta(max_length=253)] = ""
    at: Time | None = None
    reason: Text = ""


class Recurrence(Struct, frozen=True, kw_only=True):
    """An earlier repair of the same fault on the same machine that did not last."""

    repair: Name
    ended_at: datetime
    remedy: Annotated[str, Meta(max_length=63)]
    """What seemed to mend it: the ladder of the new repair begins after that."""


class BurnIn(Struct, frozen=True, kw_only=True):
    """A Job that has to pass on the mended node before it takes work again."""

    template: Name
    deadline_seconds: Annotated[int, Meta(ge=1)]


class BurningIn(Struct, frozen=True, kw_only=True):
    """Where the burn-in after the present rung stands."""

    since: datetime
    wanted: BurnIn | None = None
    """Which one it is; that of the frozen plan where an earlier version wrote it down."""
    passed: Annotated[tuple[Name, ...], Meta(max_length=FAULTS_LENGTH)] = ()
    """The templates of those that passed before it, since the last remedy."""
    job: Name = ""
    """The UID of the Job that may run; none was claimed while it is empty."""
    claimed_at: datetime | None = None
    passed_at: datetime | None = None


class Arrival(Struct, frozen=True, kw_only=True):
    """Another machine joined under the node's name, and has to prove itself."""

    node_uid: Name
    at: datetime
    """When it was marked and written down."""
    tainted: bool = False
    """Whether it registered with our taint, so that it never took work."""
    open_seconds: Annotated[int, Meta(ge=0)] = 0
    """For how long it may have taken work before it was marked, at most."""
    pods: Annotated[tuple[Annotated[str, Meta(max_length=512)], ...], Meta(max_length=16)] = ()
    """Some of the pods that came to it."""
    came: Annotated[int, Meta(ge=0)] = 0
    """How many did."""


class NodeRepairSpec(Struct, frozen=True, kw_only=True):
    """What is to be done and why, which never changes; and what people say to it."""

    target: Target
    rule: Name
    rules_digest: Annotated[str, Meta(max_length=64)] = ""
    """A digest of the rule set that the ladder was taken from."""
    severity: Severity = Severity.CRITICAL
    mode: Mode = Mode.OBSERVE
    ladder: Annotated[tuple[Rung, ...], Meta(max_length=16)] = ()
    verify_seconds: Annotated[int, Meta(ge=0)] = 0
    """How long the fault's signals must be known and good before the node takes work again."""
    burn_in: BurnIn | None = None
    """What has to pass on the mended node besides."""
    on_recovery: Recovery = Recovery.FINISH
    """What becomes of a drain under way when the fault goes away by itself."""
    evidence: Annotated[tuple[Text, ...], Meta(max_length=EVIDENCE_LENGTH)] = ()
    """The facts that confirmed the fault, as sentences."""
    parts: Annotated[tuple[Name, ...], Meta(max_length=64)] = ()
    """What failed, as its signals name it: the UUIDs of GPUs, for one."""
    condemned: Condemned | None = None
    """Why the ladder is not tried: the node takes no work, and a person is called."""
    needs_approval: bool = False
    """Whether the rule asks a person before anything but the cordon is done."""
    approved: Approved | None = None
    """There once a person has approved the repair; only people write it."""
    request: Request | None = None
    """The newest wish of a person; only people write it."""
    recurs: Recurrence | None = None
    """Why the ladder is shorter than that of its rule; a person is called where nothing is left."""


class Joined(Struct, frozen=True, kw_only=True):
    """Another fault of the same node, which its open repair is for as well from now on."""

    rule: Name
    severity: Severity = Severity.CRITICAL
    mode: Mode = Mode.OBSERVE
    """How far it was let go when it joined; how far it may go is asked anew before each step."""
    since: datetime
    """When it joined."""
    ladder: Annotated[tuple[Rung, ...], Meta(max_length=16)] = ()
    verify_seconds: Annotated[int, Meta(ge=0)] = 0
    burn_in: BurnIn | None = None
    """What has to pass on the mended node for it besides."""
    on_recovery: Recovery = Recovery.FINISH
    evidence: Annotated[tuple[Text, ...], Meta(max_length=EVIDENCE_LENGTH)] = ()
    parts: Annotated[tuple[Name, ...], Meta(max_length=64)] = ()
    needs_approval: bool = False
    condemned: Condemned | None = None
    """Which part it is blamed on that failed again although it had been repaired."""


class Intent(Struct, frozen=True, kw_only=True):
    """A deed written down before it is done: whoever wrote it down may do it, once."""

    action: Annotated[str, Meta(max_length=63)]
    key: Annotated[str, Meta(max_length=128)]
    """The idempotency key handed to whoever does the deed; another one for each attempt."""
    issued_at: datetime
    attempt: Annotated[int, Meta(ge=1)] = 1
    pod: Name = ""
    """The UID of the repair Pod that may be bound to the node for it, if a Pod does the deed."""
    boot_id: Name = ""
    """The boot for which the Pod was made, or in which the machine was when it was claimed."""


class Closing(Struct, frozen=True, kw_only=True):
    """How the repair is about to end: written down first, so that no stale replica can end it."""

    phase: Phase
    reason: Annotated[str, Meta(max_length=63)]
    message: Text


class Proof(StrEnum):
    """How it is known that nothing runs on a machine any more."""

    POWERED_OFF = "PoweredOff"
    GONE = "Gone"


class Fencing(Struct, frozen=True, kw_only=True):
    """A dead node's machine is made sure to be off; nothing is forced before that is proven."""

    since: datetime
    off_seen: datetime | None = None
    """When its owner first said that it is off, and has said so ever since."""
    method: Proof | None = None
    """What proves it; nothing while it is not proven."""
    at: datetime | None = None
    """When it was proven."""
    by: Annotated[str, Meta(max_length=63)] = ""
    """Whose word the proof is."""


class PhaseTime(Struct, frozen=True, kw_only=True):
    """When a phase began."""

    phase: Phase
    at: datetime


class Evicted(Struct, frozen=True, kw_only=True):
    """A pod that was asked to leave: the record of what a repair cost whom."""

    namespace: Name
    name: Name
    uid: Name
    at: datetime
    owner: Name = ""
    """The controller of the pod as `Kind/name`."""
    gang: Name = ""
    """The pods that lose their work with it, as `system/name`."""
    team: Annotated[str, Meta(max_length=63)] = ""
    """Whose pod it is, as its label says."""
    gone_by: datetime | None = None
    """When its grace is over."""
    claims: Annotated[int, Meta(ge=0)] = 0
    """How many persistent volumes it had."""


class Obstacle(Struct, frozen=True, kw_only=True):
    """What keeps pods from leaving, and will until a person changes it."""

    what: Name
    """A disruption budget, a webhook or a pod, as `Kind/namespace/name`."""
    owner: Name = ""
    """The workload that it is about, as `Kind/name`."""
    advice: Text
    """What is wrong, and what to change."""
    since: datetime


class Decision(Struct, frozen=True, kw_only=True):
    """One line of the decision log."""

    at: datetime
    text: Text


class Answer(Struct, frozen=True, kw_only=True):
    """What came of a person's request."""

    request: Request
    done: bool
    """Whether it is carried out, or being carried out; else it was refused."""
    message: Text
    at: datetime


class NodeRepairStatus(Struct, frozen=True, kw_only=True):
    """Where the repair stands and what it did; enough for any replica to go on."""

    phase: Annotated[Phase, Meta(extra_json_schema={"default": "Confirmed"})] = Phase.CONFIRMED
    reason: Annotated[str, Meta(max_length=63)] = ""
    """What it waits for or why it ended, as one CamelCase word."""
    message: Text = ""
    cordon_epoch: Annotated[int, Meta(ge=0)] = 0
    """The admission under which we cordoned; 0 while we did not."""
    disruption_epoch: Annotated[int, Meta(ge=0)] = 0
    """The admission under which we disrupt; 0 while we do not."""
    pre_cordoned: bool = False
    faults: Annotated[tuple[Joined, ...], Meta(max_length=FAULTS_LENGTH)] = ()
    """The faults that joined, in the order in which they did; none is ever taken off, and the mode
    of one that people had dropped is off."""
    rung: Annotated[int, Meta(ge=0)] = 0
    """Which remedy is carried out: those of the frozen ladder are counted first, then those that
    the faults that joined add to it."""
    tried: Annotated[tuple[Annotated[int, Meta(ge=0)], ...], Meta(max_length=64)] = ()
    """The remedies that were begun, in that order; none of them is begun again."""
    rung_since: datetime | None = None
    empty_passes: Annotated[int, Meta(ge=0)] = 0
    """How often in a row the drain found nothing left to evict."""
    healthy_since: datetime | None = None
    intent: Intent | None = None
    rebooting: Intent | None = None
    """The order of an earlier rung to boot the machine anew, while nobody has seen that boot."""
    boots_ended: Annotated[tuple[Name, ...], Meta(max_length=BOOTS_LENGTH)] = ()
    """The boots of the machine that it was ordered to end, those ordered last at the end."""
    fencing: Fencing | None = None
    burn_in: BurningIn | None = None
    arrival: Arrival | None = None
    """The successor that joined last under the node's name."""
    held_since: datetime | None = None
    """Since when the next step is forbidden, and the time of the rung stands still."""
    held_seconds: Annotated[int, Meta(ge=0)] = 0
    """For how long steps were forbidden before that, altogether."""
    closing: Closing | None = None
    approval_asked: datetime | None = None
    """When a person was first asked to approve it."""
    answer: Answer | None = None
    """What came of the newest request that was looked at."""
    tries: Annotated[int, Meta(ge=0)] = 0
    """How often a person had the ladder begun anew."""
    timeline: Annotated[tuple[PhaseTime, ...], Meta(max_length=64)] = ()
    evictions: Annotated[tuple[Evicted, ...], Meta(max_length=EVICTIONS_LENGTH)] = ()
    obstacles: Annotated[tuple[Obstacle, ...], Meta(max_length=OBSTACLES_LENGTH)] = ()
    """What stood in the way of a drain; it stays here when it is mended."""
    log: Annotated[tuple[Decision, ...], Meta(max_length=LOG_LENGTH)] = ()


class NodeRepair(Object, frozen=True, kw_only=True):
    """One incident on one node."""

    spec: NodeRepairSpec
    status: NodeRepairStatus = NodeRepairStatus()


NODE_REPAIRS: Final = Resource(
    group=keys.GROUP,
    version=keys.VERSION,
    plural="noderepairs",
    kind="NodeRepair",
    namespaced=False,
    type=NodeRepair,
)
