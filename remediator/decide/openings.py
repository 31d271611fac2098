"""What people are told of a breaker that is open: what it saw, what it stops and how it closes."""

from nodehealth import quantities
from nodehealth.ledger import Breaker, BreakerState, Handling
from remediator.decide import breakers
from remediator.rules.breaking import Breaking


def sentence(key: str, breaker: Breaker, handling: Handling | None, breaking: Breaking) -> str:
    """Say all of a breaker."""
    state = "open" if breaker.state is BreakerState.OPEN else "half open"
    seen = f"The breaker {key} is {state} since {breaker.since:%H:%M:%S}: {breaker.reason}"
    return f"{seen}. {stops(key)} {_ends(breaker, handling, breaking)}"


def stops(key: str) -> str:
    """Say what a breaker stops."""
    if not breakers.stops_steps(key):
        return "No new disruption begins; what has begun goes on, for it gives nodes back."
    if not breakers.stops_cordons(key):
        return "No new disruption begins there; cordons, recovery and releases go on."
    return (
        "That may be nodemend's own mistake: the rule cordons no other node there and no new "
        "disruption begins; recovery and releases go on."
    )


def _ends(breaker: Breaker, handling: Handling | None, breaking: Breaking) -> str:
    settle = quantities.spoken(breaking.settle)
    if handling is Handling.HOLD:
        return "A person holds it open."
    if breaker.well_since is not None:
        closes = breaker.well_since + breaking.settle
        return f"Nothing is amiss any more: it closes at {closes:%H:%M:%S}."
    ends = f"It closes by itself {settle} after that is over"
    if breaker.state is BreakerState.OPEN:
        tries = breaker.since + breaking.cool_down
        return f"{ends}; at {tries:%H:%M:%S} one node is tried."
    return f"{ends}; {breaker.probing or 'one node at a time'} is tried now."
