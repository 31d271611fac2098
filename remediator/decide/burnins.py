"""Which burn-ins a mended node has to pass: each that a fault of it asks for, one by one."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from nodehealth.repair import BurnIn, NodeRepair, Phase
from remediator.decide import joined
from remediator.decide.jobs import RUN_JOB, Task
from remediator.decide.moves import View

_LETS_GO: Final = frozenset({Phase.VERIFYING, Phase.NEEDS_HUMAN})


def wanted(view: View) -> tuple[BurnIn, ...]:
    """Return those of the faults that count: the leading one's first, then the worst one's."""
    others = (each.fault.burn_in for each in joined.counted(view))
    return _once((view.repair.spec.burn_in, *others))


def asked(repair: NodeRepair) -> tuple[BurnIn, ...]:
    """Return all that a node may have to pass at most."""
    return _once((repair.spec.burn_in, *(each.burn_in for each in repair.status.faults)))


def under_way(repair: NodeRepair) -> BurnIn | None:
    """Return the one that was begun and has not passed, if there is one."""
    begun = repair.status.burn_in
    if begun is None or begun.passed_at is not None:
        return None
    return begun.wanted or repair.spec.burn_in


def passed(repair: NodeRepair) -> tuple[str, ...]:
    """Name the templates that passed since the last remedy."""
    begun = repair.status.burn_in
    if begun is None or begun.passed_at is None:
        return ()
    last = begun.wanted or repair.spec.burn_in
    return (*begun.passed, last.template) if last is not None else begun.passed


def may_linger(repair: NodeRepair) -> bool:
    """Say whether a node may be let go of soon on which Jobs ran: a Pod may outlive its Job."""
    ran = bool(asked(repair)) or any(each.action == RUN_JOB for each in joined.done(repair))
    return ran and repair.status.phase in _LETS_GO


def following(view: View) -> BurnIn | None:
    """Return the next one to begin, if one has not passed yet."""
    done = passed(view.repair)
    return next((each for each in wanted(view) if each.template not in done), None)


def task(burn_in: BurnIn) -> Task:
    """Return what is run."""
    deadline = timedelta(seconds=burn_in.deadline_seconds)
    return Task(
        template=burn_in.template, deadline=deadline, what=f"the burn-in {burn_in.template}"
    )


def _once(asked_for: Iterable[BurnIn | None]) -> tuple[BurnIn, ...]:
    """Keep each template once, for as long as the most patient of its rules lets it run."""
    kept = dict[str, BurnIn]()
    for each in asked_for:
        if each is not None:
            known = kept.get(each.template, each)
            kept[each.template] = max(known, each, key=lambda one: one.deadline_seconds)
    return tuple(kept.values())
