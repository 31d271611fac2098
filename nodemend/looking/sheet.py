"""What rules there are, on one sheet: how bad each fault is, and what is done about it."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from rich.table import Table

from nodehealth import quantities
from nodehealth.repair import Mode
from remediator import actions, files
from remediator.decide import plan, remedies
from remediator.providers import Provider
from remediator.rules.cases import Case
from remediator.rules.policy import Policy
from remediator.rules.rule import Rule

_OF_THE_OWNER: Final = frozenset({remedies.REPLACE, remedies.POWER_CYCLE})


def drawn(rules: Iterable[Rule], policy: Policy, cases: Iterable[Case]) -> Table:
    """Draw one line a rule."""
    counted = Counter(case.rule for case in cases)
    table = Table("RULE", "SEVERITY", "MODE", "REMEDIES", "AT MOST", "CASES", box=None)
    table.pad_edge = False
    for rule in rules:
        count, most = str(counted[rule.name] or "none"), _at_most(rule, policy)
        table.add_row(rule.name, rule.severity, rule.mode, _remedies(rule), most, count)
    return table


def untested(rules: Iterable[Rule], cases: Iterable[Case]) -> list[str]:
    """Name the rules without test cases."""
    tested = {case.rule for case in cases}
    return [rule.name for rule in rules if rule.name not in tested]


def _remedies(rule: Rule) -> str:
    return ", ".join(rung.action for rung in rule.ladder) or "people are told"


def _at_most(rule: Rule, policy: Policy) -> str:
    if not rule.ladder:
        return "-"
    ladder = [files.remedy(rung.action, rung.settings) for rung in rule.ladder]
    burn_in = plan.burn_in(rule, policy)
    burn_ins = [burn_in] if burn_in is not None else []
    return quantities.spoken(actions.longest(ladder, rule.verify, burn_ins))


def unprovided(rules: Iterable[Rule], policy: Policy) -> list[str]:
    """Name the rules whose ladder ends at a machine's owner whom the policy does not name."""
    if policy.provider or policy.mode is not Mode.ENFORCE:
        return []
    return _coming_to(_OF_THE_OWNER, rules)


def uncycled(rules: Iterable[Rule], policy: Policy, provider: Provider | None) -> list[str]:
    """Name the rules that come to a power-cycle, where the owner of the machines can do none."""
    if provider is None or provider.cycles or policy.mode is not Mode.ENFORCE:
        return []
    return _coming_to(frozenset({remedies.POWER_CYCLE}), rules)


def unhooked(rules: Iterable[Rule], policy: Policy) -> list[str]:
    """Name the rules whose ladders name a web service that the policy does not."""
    return [
        rule.name
        for rule in rules
        if any(
            rung.action == "webhook" and rung.settings.get("name") not in policy.webhooks
            for rung in rule.ladder
        )
    ]


def _coming_to(actions_: frozenset[str], rules: Iterable[Rule]) -> list[str]:
    able = (rule for rule in rules if rule.mode is Mode.ENFORCE)
    return [rule.name for rule in able if any(rung.action in actions_ for rung in rule.ladder)]
