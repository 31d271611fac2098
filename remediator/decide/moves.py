"""The moves of a repair, one of which is decided at a time, and the facts they are decided by."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from nodehealth.fence import Fence
from nodehealth.kube.objects import Node
from nodehealth.ledger import RepairLedger
from nodehealth.repair import BurnIn, Closing, Joined, Mode, NodeRepair, Phase, Request, Rung
from remediator.decide.limits import Refused


class Reason(StrEnum):
    """Why a repair waits or ended, as one word for `kubectl get noderepairs`."""

    OBSERVE_ONLY = "ObserveOnly"
    CORDON_LIMIT = "CordonLimit"
    NO_SLOT = "NoSlot"
    FAULT_GONE = "FaultGone"
    REPAIRED = "Repaired"
    LADDER_EXHAUSTED = "LadderExhausted"
    NODE_ABSENT = "NodeAbsent"
    REPLACED_ELSEWHERE = "ReplacedElsewhere"
    NODE_NOT_READY = "NodeNotReady"
    NOT_YET_WELL = "NotYetWell"
    EVIDENCE_MISSING = "EvidenceMissing"
    MODE = "Mode"
    PREPARATION_FAILED = "PreparationFailed"
    NOT_FENCED = "NotFenced"
    ECLIPSED = "Eclipsed"
    UNCORDONED = "Uncordoned"
    CONDEMNED_PART = "CondemnedPart"
    RECURRED = "Recurred"
    RECOVERING = "Recovering"
    BREAKER_OPEN = "BreakerOpen"
    PAUSED = "Paused"
    NOT_APPROVED = "NotApproved"
    OUTSIDE_WINDOW = "OutsideWindow"
    SKIPPED = "Skipped"
    RELEASED = "Released"
    CANCELLED = "Cancelled"
    RULE_GONE = "RuleGone"
    GPUS_MISSING = "GPUsMissing"
    BURN_IN = "BurnIn"
    ARRIVED = "Arrived"
    HELD_BY_OTHERS = "HeldByOthers"
    JOB_LINGERS = "JobLingers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wellness:
    """What is known of the fault on the node as it is now."""

    holds: bool = False
    """Fresh evidence says that the fault is there, for as long as the rule asks."""
    over: bool = False
    """The signals have been known and good for as long as the rule asks."""
    since: datetime | None = None
    """Since when the signals are known and good; nothing when they are not."""
    heard_at: datetime | None = None
    """When the API server last told us of the node's health."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """What is known of a fault that joined a repair."""

    fault: Joined
    well: Wellness
    allowed: Mode
    """How far the policy and the rule go now; a rule that is gone goes nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything that a move is decided by; all of it fresh."""

    repair: NodeRepair
    node: Node | None
    ledger: RepairLedger
    well: Wellness
    now: datetime
    allowed: Mode = Mode.ENFORCE
    """How far the policy and the rule go now; a repair began under what they said then."""
    ruled: bool = True
    """Whether the rule still exists."""
    eclipsed_by: str = ""
    """The rule that may act on the node while this repair may only observe it."""
    shut: Refused | None = None
    """What forbids the next step of a repair that has its slot."""
    others: tuple[Other, ...] = ()
    """The faults that joined the repair, as they are now."""
    lingering: str = ""
    """The Pod of a Job of the repair that may still run on the node."""
    joining: tuple[Joined, ...] = ()
    """Faults that hold on the node now and have not joined yet."""
    held: str = ""
    """Who else holds the node by a lock that does not lie on the Node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Nothing to do; with a time, look again then."""

    phase: Phase
    reason: str = ""
    message: str = ""
    until: datetime | None = None
    held: bool = False
    """Whether the time of the rung stands still meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cordon:
    """Ask the ledger for a cordon and put it on the Node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disrupt:
    """Ask the ledger for a disruption slot and move the Node's fence on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Climb:
    """Carry out the present rung, or go on with it."""

    rung: Rung


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Go on with a rung whose next step was forbidden: its time goes on too."""

    message: str = "goes on: the next step is allowed again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strand:
    """Begin to fence: nothing on the node can end its pods."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prove:
    """Take the next step towards the proof that the machine is off, or use it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """Take the next step of a burn-in that the mended node has to pass, or begin it."""

    wanted: BurnIn


@dataclass(frozen=True, slots=True, kw_only=True)
class Greet:
    """Write down that a successor joined, and what came to it before it was marked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquire:
    """Ask the machine's owner whether an order that was late is carried out by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainAgain:
    """Go back to draining: the node is heard of again."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retake:
    """Put our marks on the Node again: it was made anew, or somebody took them off."""

    fence: Fence


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """The remedy is done; from now on the node must prove itself."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRung:
    """Go on to the rung after this one."""

    rung: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Write down which faults the repair is for as well."""

    faults: tuple[Joined, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Give the node back and close the repair."""

    reason: Reason
    message: str
    phase: Phase = Phase.RECOVERED
    """How it ends: parked where a person decided so."""
    answers: Request | None = None
    """The request of a person that this carries out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Tell a person what comes of a request that gives nothing back."""

    request: Request
    done: bool
    """Whether it is as they want; else they are refused."""
    message: str
    drops: str = ""
    """The rule whose fault the repair is for no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Begin the ladder anew, because a person wants it."""

    request: Request
    phase: Phase
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Surrender:
    """Call a person; the node stays out of service."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """Carry out the ending that is written down."""

    closing: Closing


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """Give the slot of a repair that needs a person to a node that can be helped."""


Ending: TypeAlias = Release | Surrender | Finish | Trade
Answering: TypeAlias = Reply | Retry
Onward: TypeAlias = (
    Retake | Join | Resume | Mended | NextRung | Strand | DrainAgain | Answering | Ending
)
"""Moves that are only written down, or undo something; what comes next is decided at once."""
Move: TypeAlias = Rest | Cordon | Disrupt | Climb | Prove | Burn | Greet | Inquire | Onward
