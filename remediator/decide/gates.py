"""What forbids a cordon or a disruption besides the limits, however much room they leave.

Each gate is a module that answers one question. All are asked inside the swap that would admit, so
that what a person or a breaker says in the ledger holds from the moment it is written; and, with a
ledger that was just read, before each new step of a repair that was admitted.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias

from nodehealth.kube.objects import Node
from nodehealth.ledger import EVER, Disruption, RepairLedger
from nodehealth.repair import NodeRepair, Severity
from remediator.decide import (
    approvals,
    brains,
    breakers,
    joined,
    maintenance,
    odds,
    pauses,
    windows,
)
from remediator.decide.breakers import Seen, Subject
from remediator.decide.counting import Scope
from remediator.decide.limits import Refused, Why
from remediator.decide.survey import Survey
from remediator.rules.policy import CLUSTER, Policy, is_domain

_CLOSED: Final = (
    "disruption is closed in RepairLedger/default; "
    "after a look at what is out, a person opens it with spec.disruption: Open"
)
SETTLES: Final = timedelta(minutes=2)
"""For how long a replica that the ledger before this one admitted may still mark its Node."""


class Deed(StrEnum):
    """What is to be admitted."""

    CORDON = "cordon"
    DISRUPT = "disrupt"
    STEP = "step"
    """A rung that is begun, a pass of a drain, or an order to switch a machine off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Everything that a gate may go by; the ledger is the one that will be swapped."""

    deed: Deed
    repair: NodeRepair
    node: Node | None
    """As just read; a machine that was replaced may have none for a while."""
    ledger: RepairLedger
    scopes: tuple[Scope, ...]
    policy: Policy
    now: datetime
    """The time by the API server's clock."""
    held: str = ""
    """Who else holds the node by a lock that does not lie on the Node; told for a step alone."""
    holding: AbstractSet[Severity] = frozenset()
    """How bad the faults are that hold by fresh evidence; none where that is not known."""
    survey: Survey | None = None
    """What was read by quorum for a disruption; nothing while only the ledger is asked."""
    seen: Seen = field(default_factory=Seen)
    """What is amiss with the fleet at this moment."""

    def subject(self) -> Subject:
        """Return who asks, as breakers know them."""
        return Subject(
            repair=self.repair,
            node=self.node,
            scopes=self.scopes,
            cordons=self.deed is Deed.CORDON,
            steps=self.deed is Deed.STEP,
        )


Gate: TypeAlias = Callable[[Asked], Refused | None]


def refusal(asked: Asked) -> Refused | None:
    """Return what the first gate that is shut says; nothing when all are open."""
    answers = (gate(asked) for gate in _GATES)
    return next((answer for answer in answers if answer is not None), None)


def _closed(asked: Asked) -> Refused | None:
    if asked.deed is Deed.CORDON or asked.ledger.spec.disruption is Disruption.OPEN:
        return None
    return Refused(why=Why.DISRUPTION_CLOSED, message=_CLOSED)


def _spared(asked: Asked) -> Refused | None:
    """Leave a node alone whose people ask that of whoever repairs nodes; a cordon harms nothing."""
    node = asked.node
    if node is None or asked.deed is Deed.CORDON:
        return None
    asks = maintenance.spared(node)
    if not asks:
        return None
    message = f"{asks}; waits until that is taken off {node.metadata.name}"
    return Refused(why=Why.FOREIGN_MAINTENANCE, message=message)


def _taken_over(asked: Asked) -> Refused | None:
    """Begin nothing more on a node on which somebody else began to work.

    Once its owner was given an order, that may be what shows: the order is seen through.
    """
    if asked.node is None or asked.deed is not Deed.STEP or _has_ordered(asked.repair):
        return None
    who, name = maintenance.actor(asked.node) or asked.held, asked.node.metadata.name
    if not who:
        return None
    message = f"{who} is at work on {name}; waits until that is over"
    return Refused(why=Why.FOREIGN_MAINTENANCE, message=message)


def _has_ordered(repair: NodeRepair) -> bool:
    """Say whether the machine's owner may be carrying out what we asked for."""
    status = repair.status
    replaced = any(rung.action == "replace" for rung in joined.done(repair))
    return replaced or status.intent is not None or status.fencing is not None


def _paused(asked: Asked) -> Refused | None:
    name = asked.repair.spec.target.node
    return pauses.refusal(asked.ledger, name, asked.node, _pools(asked), asked.now)


def _needed(asked: Asked) -> Refused | None:
    """Spare a node without which the cluster, or nodemend itself, could not go on."""
    node, survey = asked.node, asked.survey
    if asked.deed is Deed.CORDON or node is None:
        return None
    unwanted = brains.unwanted(node, asked.policy)
    if unwanted is not None or survey is None:
        return unwanted
    return brains.quorum_lost(node, survey) or brains.last_replica(node, survey, asked.ledger)


def _unapproved(asked: Asked) -> Refused | None:
    """Ask before the slot is taken: who waits for a person must not keep it from the others.

    A fault that joins later, or another policy, may want a person's word before the next step.
    """
    if asked.deed is Deed.CORDON:
        return None
    return approvals.refusal(asked.repair, _pools(asked), asked.policy)


def _outside(asked: Asked) -> Refused | None:
    """Begin inside a window; what was begun there is brought to its end."""
    if asked.deed is not Deed.DISRUPT:
        return None
    return windows.refusal(asked.holding, _pools(asked), asked.policy, asked.now)


def _pools(asked: Asked) -> list[str]:
    names = (scope.name for scope in asked.scopes)
    return [name for name in names if name != CLUSTER and not is_domain(name)]


def _settled(asked: Asked) -> Refused | None:
    """Have what a ledger admitted that was lost come to light before its successor gives a slot."""
    made, known = asked.ledger.metadata.creation_timestamp, asked.ledger.status.known_since
    if asked.deed is not Deed.DISRUPT or made is None or known == EVER:
        return None
    until = made + SETTLES
    if asked.now >= until:
        return None
    message = (
        f"the ledger was made anew at {made:%H:%M:%S}; "
        f"waits until {until:%H:%M:%S} for whatever the one before it admitted"
    )
    return Refused(why=Why.LEDGER_REBUILT, message=message, until=until)


def _borne_out(asked: Asked) -> Refused | None:
    """Trust no ledger that lacks what Nodes or repairs say: somebody took admissions out of it."""
    if asked.deed is Deed.CORDON or asked.survey is None:
        return None
    found = odds.found(asked.ledger.status, asked.survey.marked, asked.survey.repairs)
    if not found:
        return None
    message = f"{found[0].message} in the ledger; waits until it was compared and set right"
    return Refused(why=Why.LEDGER_AT_ODDS, message=message)


def _broken(asked: Asked) -> Refused | None:
    breaking = asked.policy.breaking
    return breakers.refusal(asked.subject(), asked.ledger, asked.seen, breaking, asked.now)


_GATES: Final[tuple[Gate, ...]] = (
    _closed,
    _spared,
    _taken_over,
    _paused,
    _needed,
    _unapproved,
    _outside,
    _settled,
    _borne_out,
    _broken,
)
