"""What did not last: a fault that is back soon goes on where the repair before it left off.

Within the cool-down the remedy that seemed to mend a fault is not tried again: its ladder begins
after it. What only prepares, as a drain does, is repeated, because the node had work in between.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from msgspec import structs

from nodehealth.repair import (
    EVIDENCE_LENGTH,
    Joined,
    NodeRepair,
    NodeRepairStatus,
    Phase,
    Recurrence,
    Target,
)
from remediator.decide import joined, parts, plan, remedies
from remediator.decide.judge import Judgement
from remediator.decide.moves import Reason
from remediator.rules.policy import Policy
from remediator.rules.rule import Rule, RuleSet

WAY_OUT: Final = (
    "delete this NodeRepair and the one before to have the node repaired from the first remedy on, "
    "or uncordon the node to have it left alone"
)


def weighed(
    repair: NodeRepair,
    past: Iterable[NodeRepair],
    rule: Rule,
    policy: Policy,
    now: datetime,
    *,
    has_twin: bool,
    since: datetime | None = None,
) -> NodeRepair:
    """Return a repair that is about to be opened, by what earlier repairs tell of its node.

    Args:
        repair: What is to be opened.
        past: All repairs that are remembered; one that is forgotten does no harm.
        rule: What it is opened for.
        policy: After how many failures a part is condemned, and how long a fault must stay away.
        now: The present time.
        has_twin: Whether another node says that it is the same host: then that name tells nothing.
        since: Since when the fault is there: what held already then did not come back.
    """
    known = tuple(past)
    manners = policy.condemned
    weighed = parts.weighed(repair, known, manners, now, has_twin=has_twin, since=since)
    if weighed.spec.condemned is not None:
        return weighed
    return _resumed(weighed, _before(known, since, now), _cooldown(rule, policy), now)


def is_exhausted(repair: NodeRepair) -> bool:
    """Say whether nothing is left of a ladder because its remedies did not last."""
    return repair.spec.recurs is not None and not repair.spec.ladder


def sentence(recurs: Recurrence) -> str:
    """Say what did not last, and when that was."""
    when = f"{recurs.ended_at:%Y-%m-%d %H:%M}"
    return f"the fault is back although {recurs.remedy} seemed to mend it ({recurs.repair}, {when})"


def joining(
    repair: NodeRepair,
    judgement: Judgement,
    rules: RuleSet,
    policy: Policy,
    now: datetime,
    past: Iterable[NodeRepair],
) -> tuple[Joined, ...]:
    """Return the faults that may join a repair, their ladders shortened as if it were their own."""
    found = plan.joining(repair, judgement, rules, policy, now)
    known = tuple(past) if found else ()
    again = list[Joined]()
    for fault in found:
        before = _before(known, judgement.marks[fault.rule].confirmed, now)
        doomed = parts.condemned_by(fault, repair, before, policy.condemned, now)
        if doomed is not None:
            again.append(structs.replace(fault, condemned=doomed))
            continue
        cooldown = _cooldown(rules.by_name[fault.rule], policy)
        again.append(_again(fault, repair, before, cooldown, now))
    return tuple(again)


def _again(
    fault: Joined,
    repair: NodeRepair,
    past: Iterable[NodeRepair],
    cooldown: timedelta,
    now: datetime,
) -> Joined:
    spec = structs.replace(
        repair.spec, rule=fault.rule, ladder=fault.ladder, parts=fault.parts, recurs=None
    )
    alone = structs.replace(repair, spec=spec, status=NodeRepairStatus())
    found = _resumed(alone, past, cooldown, now).spec
    if found.recurs is None:
        return fault
    evidence = (*fault.evidence[: EVIDENCE_LENGTH - 1], sentence(found.recurs))
    return structs.replace(fault, ladder=found.ladder, evidence=evidence)


def _before(past: Iterable[NodeRepair], since: datetime | None, now: datetime) -> list[NodeRepair]:
    """Return the repairs that ended before a fault was there: it came back after those."""
    return [each for each in past if since is None or parts.ended_at(each, now) < since]


def _cooldown(rule: Rule, policy: Policy) -> timedelta:
    return policy.cooldown if rule.cooldown is None else rule.cooldown


def _resumed(
    repair: NodeRepair, past: Iterable[NodeRepair], cooldown: timedelta, now: datetime
) -> NodeRepair:
    same = (each for each in past if _is_of(each, repair, cooldown, now))
    before = max(same, key=lambda each: parts.ended_at(each, now), default=None)
    if before is None:
        return repair
    ladder, done = repair.spec.ladder, joined.done(before)
    own = range(len(ladder))
    again = {n for n in own if any(remedies.same(ladder[n], each) for each in done)}
    begun = again.intersection(remedies.mending(ladder, own))
    others = [each for each in done if not any(remedies.same(each, one) for one in ladder)]
    kept = remedies.left(ladder, own, begun, others)
    remaining = tuple(ladder[n] for n in kept)
    if remaining == ladder:
        return repair
    ended = parts.ended_at(before, now)
    recurs = Recurrence(repair=before.metadata.name, ended_at=ended, remedy=done[-1].action)
    return structs.replace(
        repair, spec=structs.replace(repair.spec, ladder=remaining, recurs=recurs)
    )


def _is_of(before: NodeRepair, repair: NodeRepair, cooldown: timedelta, now: datetime) -> bool:
    """Say whether an earlier repair mended the same fault of the same machine a short time ago."""
    status = before.status
    mended = status.phase is Phase.RECOVERED and status.reason == Reason.REPAIRED
    lately = mended and now - parts.ended_at(before, now) < cooldown
    return lately and _is_same(before.spec.target, repair.spec.target) and _shares(before, repair)


def _is_same(one: Target, other: Target) -> bool:
    """Say whether two targets are one machine: a name may be given to another."""
    if one.node_uid == other.node_uid:
        return True
    if one.host and other.host:
        return one.host == other.host
    return one.provider_id == other.provider_id != ""


def _shares(before: NodeRepair, repair: NodeRepair) -> bool:
    gpus = set(parts.gpus_of(before)) & set(parts.gpus_of(repair))
    return repair.spec.rule in joined.rules(before) or bool(gpus)
