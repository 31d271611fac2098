"""How the last repairs of each pool ended: whether remedies mend at all there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from nodehealth.repair import NodeRepair, Phase
from remediator.decide import joined, remedies
from remediator.decide.moves import Reason

RECURS: Final = timedelta(hours=1)
"""How soon the same fault must be back on a node for the repair before to have mended nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a repair that disrupted its node ended."""

    node: str
    at: datetime
    mended: bool
    replaced: bool
    """Whether the machine was to be replaced at last."""


def by_pool(repairs: Iterable[NodeRepair]) -> dict[str, list[Outcome]]:
    """Return the outcomes of each pool, the newest first; what ended otherwise proves nothing.

    Neither does a machine that was replaced by one of another name, which nobody saw to be well.
    """
    known = tuple(repairs)
    again = {(each.spec.target.node, each.spec.rule): each for each in sorted(known, key=_born)}
    found = dict[str, list[Outcome]]()
    for each in known:
        outcome = _outcome(each, again[each.spec.target.node, each.spec.rule])
        if outcome is not None:
            found.setdefault(each.spec.target.pool, []).append(outcome)
    return {
        pool: sorted(ended, key=lambda each: each.at, reverse=True) for pool, ended in found.items()
    }


def in_a_row(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the newest outcomes that mended nothing, up to the last one that did."""
    first = next((n for n, each in enumerate(outcomes) if each.mended), len(outcomes))
    return list(outcomes[:first])


def _outcome(repair: NodeRepair, newest: NodeRepair) -> Outcome | None:
    status = repair.status
    mended = status.phase is Phase.RECOVERED and status.reason == Reason.REPAIRED
    failed = status.phase is Phase.NEEDS_HUMAN and status.reason == Reason.LADDER_EXHAUSTED
    if not status.timeline or not (mended or failed):
        return None
    at, back = status.timeline[-1].at, newest.metadata.creation_timestamp
    recurred = mended and back is not None and at <= back <= at + RECURS
    whole = joined.ladder(repair)
    return Outcome(
        node=repair.spec.target.node,
        at=back if recurred and back is not None else at,
        mended=mended and not recurred,
        replaced=status.rung < len(whole) and whole[status.rung].action == remedies.REPLACE,
    )


def _born(repair: NodeRepair) -> tuple[float, str]:
    created = repair.metadata.creation_timestamp
    return created.timestamp() if created is not None else 0.0, repair.metadata.name
