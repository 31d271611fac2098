"""Some repairs cordon their node, and then do nothing more until a person says so."""

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from nodehealth.repair import Joined, NodeRepair, Rung, Severity
from remediator.decide import joined, remedies
from remediator.decide.limits import Refused, Why
from remediator.rules.approvals import Approval
from remediator.rules.policy import Policy


def refusal(repair: NodeRepair, pools: Collection[str], policy: Policy) -> Refused | None:
    """Say that a person must approve a repair first; nothing if nobody need, or somebody did."""
    later = ""
    if repair.spec.approved is not None:
        later = _unforeseen(repair, pools, policy)
        if not later:
            return None
    elif not is_asked(repair, pools, policy):
        return None
    ladder = ", ".join(rung.action for rung in joined.ladder(repair))
    anew = f" once more, for {later} joined after the time of its approval" if later else ""
    message = f"asks a person before {ladder}{anew}; {way(repair)}"
    return Refused(why=Why.NOT_APPROVED, message=message)


def is_asked(repair: NodeRepair, pools: Collection[str], policy: Policy) -> bool:
    """Say whether a rule or the policy wants a person's word for a repair."""
    if repair.spec.needs_approval or any(each.needs_approval for each in joined.kept(repair)):
        return True
    facts = _facts(repair, pools)
    return any(_fits(each, facts) for each in policy.approvals)


def way(repair: NodeRepair) -> str:
    """Say what a person types to approve a repair."""
    return f"`nodemend repairs approve {repair.metadata.name}` lets it go on"


def _unforeseen(repair: NodeRepair, pools: Collection[str], policy: Policy) -> str:
    """Name a fault that joined after the approval and adds what a person is to be asked about.

    An approval that does not say when it was given is one of the plan as it was at first.
    """
    given = repair.spec.approved.at if repair.spec.approved is not None else None
    known, later = list(repair.spec.ladder), list[Joined]()
    for fault in joined.kept(repair):
        if given is not None and fault.since <= given:
            known.extend(fault.ladder)
        else:
            later.append(fault)
    return next((each.rule for each in later if _is_news(each, known, pools, policy)), "")


def _is_news(
    fault: Joined, known: Collection[Rung], pools: Collection[str], policy: Policy
) -> bool:
    added = {each.action for each in fault.ladder if not any(remedies.same(each, k) for k in known)}
    facts = _Facts(actions=added, severities={fault.severity}, pools=set(pools), rules={fault.rule})
    wanted = fault.needs_approval or any(_fits(each, facts) for each in policy.approvals)
    return bool(added) and wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    actions: AbstractSet[str]
    severities: AbstractSet[Severity]
    pools: AbstractSet[str]
    rules: AbstractSet[str]


def _facts(repair: NodeRepair, pools: Collection[str]) -> _Facts:
    return _Facts(
        actions={rung.action for rung in joined.ladder(repair)},
        severities={repair.spec.severity, *(each.severity for each in joined.kept(repair))},
        pools=set(pools),
        rules=set(joined.rules(repair)),
    )


def _fits(approval: Approval, facts: _Facts) -> bool:
    pairs: tuple[tuple[AbstractSet[str], AbstractSet[str]], ...] = (
        (approval.actions, facts.actions),
        (approval.severities, facts.severities),
        (approval.pools, facts.pools),
        (approval.rules, facts.rules),
    )
    return all(not asked or asked & found for asked, found in pairs)
