"""Some repairs cordon their node, and then do nothing more until a person says so."""

from collections.abc import Collection

from nodehealth.repair import NodeRepair
from remediator.decide import joined
from remediator.decide.limits import Refused, Why
from remediator.rules.approvals import Approval
from remediator.rules.policy import Policy


def refusal(repair: NodeRepair, pools: Collection[str], policy: Policy) -> Refused | None:
    """Say that a person must approve a repair first; nothing if nobody need, or somebody did."""
    if repair.spec.approved is not None or not is_asked(repair, pools, policy):
        return None
    ladder = ", ".join(rung.action for rung in joined.ladder(repair))
    message = f"asks a person before {ladder}; {way(repair)}"
    return Refused(why=Why.NOT_APPROVED, message=message)


def is_asked(repair: NodeRepair, pools: Collection[str], policy: Policy) -> bool:
    """Say whether a rule or the policy wants a person's word for a repair."""
    if repair.spec.needs_approval or any(each.needs_approval for each in repair.status.faults):
        return True
    return any(_fits(each, repair, pools) for each in policy.approvals)


def way(repair: NodeRepair) -> str:
    """Say what a person types to approve a repair."""
    return f"to let it go on: nodemend repairs approve {repair.metadata.name}"


def _fits(approval: Approval, repair: NodeRepair, pools: Collection[str]) -> bool:
    ladder = {rung.action for rung in joined.ladder(repair)}
    severities = {repair.spec.severity, *(each.severity for each in repair.status.faults)}
    pairs = (
        (approval.actions, ladder),
        (approval.severities, severities),
        (approval.pools, set(pools)),
        (approval.rules, set(joined.rules(repair))),
    )
    return all(not asked or asked & found for asked, found in pairs)
