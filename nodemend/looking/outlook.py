"""What happens next in a repair, said in sentences."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from nodehealth import quantities
from nodehealth.kube.objects import Metadata
from nodehealth.repair import Joined, Mode, NodeRepair
from nodemend.looking.foresight import Next
from remediator import actions, files
from remediator.decide import joined, parts, recurrence
from remediator.decide.moves import (
    Answering,
    Burn,
    Climb,
    Cordon,
    Disrupt,
    DrainAgain,
    Ending,
    Finish,
    Greet,
    Inquire,
    Join,
    Mended,
    Move,
    NextRung,
    Onward,
    Prove,
    Release,
    Reply,
    Rest,
    Resume,
    Retake,
    Retry,
    Strand,
    Surrender,
    Trade,
)


def of(repair: NodeRepair, coming: Next, now: datetime) -> Iterator[str]:
    """Say where a repair stands, what comes next, and what would come after it."""
    spec = repair.spec
    yield standing(repair, now)
    yield _sentence(repair, coming)
    if spec.recurs is not None and spec.ladder:
        yield f"It does not begin with the first remedy: {recurrence.sentence(spec.recurs)}."
    yield from _faults(repair)
    begun = joined.tried(repair)
    rest = [n for n in range(len(joined.ladder(repair))) if n not in begun]
    condemned = joined.condemned(repair)
    if condemned is not None:
        yield f"No remedy is tried, and a person decides: {parts.sentence(condemned)}."
    elif recurrence.is_exhausted(repair) and spec.recurs is not None:
        yield f"No remedy is tried, and a person decides: {recurrence.sentence(spec.recurs)}."
    elif rest and not isinstance(coming.move, Rest):
        yield f"After that: {', then '.join(_spoken(repair, n) for n in rest)}."


def standing(repair: NodeRepair, now: datetime) -> str:
    """Say where a repair stands."""
    status, spec = repair.status, repair.spec
    reason = f" ({status.reason})" if status.reason else ""
    message = f": {status.message}" if status.message else ""
    return (
        f"Repair {repair.metadata.name} for {spec.rule} (mode {spec.mode}), opened "
        f"{_age(repair.metadata, now)} ago, is {status.phase}{reason}{message}."
    )


def _faults(repair: NodeRepair) -> Iterator[str]:
    """Say what joined a repair."""
    for each in repair.status.faults:
        yield f"It is for {each.rule} as well, since {each.since:%H:%M:%S}: {_told(each)}."


def _told(fault: Joined) -> str:
    facts = "; ".join(fault.evidence) or "all facts together say so"
    only = "" if fault.mode is Mode.ENFORCE else f" (mode {fault.mode}: it holds nothing up)"
    return f"{facts}{only}"


def _sentence(repair: NodeRepair, coming: Next) -> str:
    if coming.held:
        asks = "a cordon" if isinstance(coming.move, Cordon) else "a disruption slot"
        why = _unless_said(coming.held, repair)
        return f"Next: it asks for {asks}, and is held back{why}."
    return f"Next: {_said(coming.move, repair)}."


def _unless_said(why: str, repair: NodeRepair) -> str:
    """Give a reason, but not the one with which the repair was just said to wait."""
    return "" if why == repair.status.message else f": {why}"


_ASKED: Final[Mapping[type[Prove | Greet | Inquire], str]] = {
    Prove: "it is made sure that the silent machine is off, before anything is forced",
    Greet: "the successor that joined is written down",
    Inquire: "the machine's owner is asked whether a late order is carried out by now",
}


_TURNS: Final[Mapping[type[Strand | DrainAgain | Mended | NextRung], str]] = {
    Strand: "the drain takes another way",
    DrainAgain: "the drain takes another way",
    Mended: "the node must prove well",
    NextRung: "the next remedy is tried",
}


def _said(move: Move, repair: NodeRepair) -> str:
    match move:
        case Rest():
            until = f" It is looked at again at {move.until:%H:%M:%S}" if move.until else ""
            why = _unless_said(move.message, repair)
            return f"it waits for something to change{why}.{until}".rstrip(".")
        case Cordon():
            return "the node is cordoned at the leader's next look"
        case Disrupt():
            return "it asks for a disruption slot, and would get it now"
        case Climb():
            return f"{_spoken(repair, repair.status.rung)} goes on{_since(repair)}"
        case Prove() | Burn() | Greet() | Inquire():
            return _asked(move)
        case _:
            return _onward(move)


def _asked(move: Prove | Burn | Greet | Inquire) -> str:
    if isinstance(move, Burn):
        return f"the burn-in {move.wanted.template} has to pass on the mended node"
    return _ASKED[type(move)]


def _onward(move: Onward) -> str:
    match move:
        case Retake():
            return f"our marks are put on the Node again ({move.fence})"
        case Resume():
            return "it goes on where it stood, for the next step is allowed again"
        case Join():
            return f"it takes in what holds too: {', '.join(each.rule for each in move.faults)}"
        case Strand() | DrainAgain() | Mended() | NextRung():
            return f"{_TURNS[type(move)]}: {move.message}"
        case _:
            return _ending(move)


def _ending(move: Answering | Ending) -> str:
    match move:
        case Reply() | Retry():
            return f"a person is answered: {move.message}"
        case Release():
            return f"the node is given back ({move.reason}): {move.message}"
        case Surrender():
            return f"a person is called: {move.message}"
        case Finish():
            return f"the repair ends as {move.closing.phase}: {move.closing.message}"
        case Trade():
            return "the slot is given to others; the node stays out until a person decides"


def _spoken(repair: NodeRepair, rung: int) -> str:
    """Name a remedy and how long it may take."""
    name, action = joined.ladder(repair)[rung].action, actions.of(repair, rung, files.remedy)
    spans = (getattr(action, span, None) for span in ("deadline", "patience"))
    most = next((each for each in spans if isinstance(each, timedelta)), None)
    return f"{name} (at most {quantities.spoken(most)})" if most else name


def _since(repair: NodeRepair) -> str:
    since = repair.status.rung_since
    return f", begun at {since:%H:%M:%S}" if since else ""


def _age(metadata: Metadata, now: datetime) -> str:
    since = metadata.creation_timestamp or now
    return quantities.spoken(max(now - since, timedelta()))
