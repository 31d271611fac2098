"""How the faults of a repair stand on its node, by the last look at it and a Node just read."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from nodehealth.kit.clocks import Clock
from nodehealth.kube.objects import Node
from nodehealth.repair import Joined, Mode, NodeRepair
from remediator.decide import plan, recurrence
from remediator.decide.answers import Truth
from remediator.decide.judge import Judgement, again, known_at
from remediator.decide.moves import Other, Wellness
from remediator.observe import Fleet
from remediator.rules.policy import Policy
from remediator.rules.rule import RuleSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Answers what a repair has to know of the faults on its node.

    Fields:
        fleet: The cache that was judged by.
        judged: Finds what was judged of a node last.
        rules: What is judged.
        policy: How far we may go.
        clock: The present time.
    """

    fleet: Fleet
    judged: Callable[[str], Judgement | None]
    rules: RuleSet
    policy: Policy
    clock: Clock

    def wellness(self, repair: NodeRepair, node: Node | None) -> Wellness:
        """Say what is known of a repair's fault on its node.

        Args:
            repair: What is asked about.
            node: The Node as just read: the cache may be older, and what it says of the Node void.
        """
        return self._wellness(repair, repair.spec.rule, node)

    def others(self, repair: NodeRepair, node: Node | None) -> tuple[Other, ...]:
        """Say the same of the faults that joined a repair."""
        return tuple(
            Other(
                fault=each,
                well=self._wellness(repair, each.rule, node),
                allowed=plan.allowed(each.rule, self.rules, self.policy),
            )
            for each in repair.status.faults
        )

    def joining(self, repair: NodeRepair, node: Node | None) -> tuple[Joined, ...]:
        """Return the faults that hold on a repair's node, as just read, and have not joined it."""
        name = repair.spec.target.node
        judgement, facts = self.judged(name), self.fleet.facts(name)
        if judgement is None or facts is None or node is None:
            return ()
        if facts.node.metadata.uid != node.metadata.uid:
            return ()
        past, now = self.fleet.repairs(), self.clock()
        return recurrence.joining(repair, judgement, self.rules, self.policy, now, past)

    def _wellness(self, repair: NodeRepair, of: str, node: Node | None) -> Wellness:
        name = repair.spec.target.node
        judgement, rule = self.judged(name), self.rules.by_name.get(of)
        mark = judgement.marks.get(of) if judgement else None
        facts = self.fleet.facts(name)
        if mark is None or rule is None or facts is None:
            return Wellness()
        now = self.clock()
        if node is not None and node.metadata.uid != facts.node.metadata.uid:
            return Wellness()
        if node is not None:
            facts = replace(facts, node=node)
            mark = again(rule, facts, mark, now)
        return Wellness(
            holds=mark.truth is Truth.HOLDS,
            over=mark.is_over(rule, now, began_in=repair.spec.target.boot_id),
            since=mark.well_since(),
            heard_at=known_at(rule, facts),
        )

    def allowed(self, repair: NodeRepair) -> Mode:
        """Say how far the policy, and the rule if it still exists, let a repair go now."""
        rule = self.rules.by_name.get(repair.spec.rule)
        return plan.mode(rule, self.policy) if rule else self.policy.mode

    def is_ruled(self, repair: NodeRepair) -> bool:
        """Say whether the rule of a repair still exists."""
        return repair.spec.rule in self.rules.by_name

    def eclipsed_by(self, repair: NodeRepair) -> str:
        """Name the rule that may act on the node of a repair that may only observe it."""
        judgement = self.judged(repair.spec.target.node)
        if judgement is None:
            return ""
        rule = plan.eclipsing(repair, judgement, self.rules, self.policy)
        return rule.name if rule is not None else ""
