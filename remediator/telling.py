"""All that people are told, in one place: Events and the log at once, alerts while we lead."""

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from random import Random
from typing import Final, NoReturn

from nodehealth.kit import loops
from nodehealth.kit.clocks import Clock
from nodehealth.kube.client import Client
from nodehealth.ledger import UNUSED, RepairLedger
from nodehealth.repair import NodeRepair
from remediator.decide import pauses, problems
from remediator.decide.competitors import Competitor
from remediator.decide.faults import Fault
from remediator.decide.problems import Problem
from remediator.delivery import Delivery, Once, Repeated
from remediator.herald import Herald
from remediator.metrics import Metrics
from remediator.noting import Noting
from remediator.rules.alerting import Alerting
from remediator.rules.policy import Policy
from remediator.rules.rule import RuleSet
from remediator.sinks import Outside, Sink
from remediator.tell import Tell
from remediator.told import Told

logger = logging.getLogger(__name__)

_FIRST_PAUSE: Final = timedelta(seconds=1)
_LONGEST_PAUSE: Final = timedelta(seconds=30)
_PAUSES_AGAIN: Final = timedelta(minutes=10)
"""How often pauses are looked at: they grow old without any change."""


class Telling:
    """Knows what there is to tell, and has a herald tell it during each term as the leader.

    Args:
        tell: Writes Events and the log.
        client: The door to the API server, for the record of what was told.
        outside: What sinks work with; without it there are no alerts.
        repairs: All repairs that are known, ended ones too.
        metrics: Counts what ended and what was delivered.
        clock: The present time.
        random: Where the jitter of retries comes from.
    """

    def __init__(
        self,
        *,
        tell: Tell,
        client: Client,
        outside: Outside | None,
        repairs: Callable[[], Iterable[NodeRepair]],
        metrics: Metrics,
        clock: Clock,
        random: Random,
    ) -> None:
        self._tell, self._client, self._outside = tell, client, outside
        self._repairs, self._metrics = repairs, metrics
        self._clock, self._random = clock, random
        self._manners, self._rules = Alerting(), RuleSet(rules=(), digest="")
        self._sinks: Mapping[str, Sink] = {}
        self._problems: dict[str, Problem] = {}
        self._closed = ""
        """Which closing of the ledger stands, if one does."""
        self._ledger = UNUSED
        self._noting = Noting(tell, clock)
        self._herald: Herald | None = None
        self._changed = asyncio.Event()

    def use(self, manners: Alerting, rules: RuleSet, sinks: Mapping[str, Sink]) -> None:
        """Tell by these manners from now on, each receiver in its way."""
        self._manners, self._rules, self._sinks = manners, rules, sinks
        self._changed.set()

    async def run(self) -> None:
        """Write Events, and have a herald, another one whenever manners change, until cancelled."""
        for subject in [each for each in self._problems if each.startswith(problems.FAULT)]:
            del self._problems[subject]  # of another term: what still holds is found again
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._noting.run(self._repairs()), name="events")
            await self._change_heralds()

    async def _change_heralds(self) -> NoReturn:
        while True:
            self._changed.clear()
            async with asyncio.TaskGroup() as tasks:
                telling = tasks.create_task(self._keep_telling(), name="herald")
                aging = tasks.create_task(self._watch_pauses(), name="pauses that grow old")
                await self._changed.wait()
                telling.cancel()
                aging.cancel()

    async def _keep_telling(self) -> None:
        """Have another herald whenever one fails: nobody's repair may end with it."""
        for pause in loops.backoff(_FIRST_PAUSE, _LONGEST_PAUSE, random=self._random):
            await loops.survived(self._herald_once, name="telling people")
            await asyncio.sleep(pause.total_seconds())

    async def _herald_once(self) -> None:
        self._herald = self._new_herald()
        await self._herald.run()

    async def fault(self, fault: Fault) -> None:
        """Tell of a fault that nothing but people will mend."""
        self.problem(problems.fault(fault, self._manners.observed))
        await self._tell.fault(fault)

    async def fault_over(self, fault: Fault) -> None:
        """Tell that such a fault went away."""
        self.solved(problems.fault(fault, self._manners.observed).subject)
        await self._tell.fault_over(fault)

    def repair(self, before: NodeRepair | None, repair: NodeRepair | None) -> None:
        """Take in how a repair is now, or that its record was deleted."""
        self._noting.see(before, repair)
        if self._herald is not None:
            self._herald.see(before, repair)

    def ledger(self, ledger: RepairLedger | None) -> None:
        """Take in whether the ledger lets anything be begun."""
        problem = problems.ledger(ledger)
        if problem is not None:
            self.problem(problem)
        if self._closed and (problem is None or problem.subject != self._closed):
            self.solved(self._closed)
        self._closed = problem.subject if problem is not None else ""
        self._ledger = ledger or UNUSED
        opened = self._ledger.status.breakers.items()
        self._only(problems.BREAKER, itertools.starmap(problems.breaker, opened))
        self._pauses()

    async def _watch_pauses(self) -> NoReturn:
        while True:
            self._pauses()
            await asyncio.sleep(_PAUSES_AGAIN.total_seconds())

    def _pauses(self) -> None:
        now = self._client.server_time or self._clock()
        found = {
            each.subject: each
            for each in itertools.starmap(problems.pause, pauses.forgotten(self._ledger, now))
        }
        known = [each for each in self._problems if each.startswith(problems.PAUSE)]
        for subject in known:
            if subject not in found:
                self.solved(subject)
        for problem in found.values():
            self.problem(problem)

    def ledger_unreadable(self, says: str) -> None:
        """Take in that the ledger can't be read, or put together, or with nothing that it can."""
        if says:
            self.problem(problems.ledger_unreadable(says))
        else:
            self.solved(problems.LEDGER_UNREADABLE)

    def lacks(self, missing: tuple[str, ...]) -> None:
        """Take in what the cluster lacks, without which nothing is enforced."""
        problem = problems.prerequisites_missing(missing)
        if problem is None:
            self.solved(problems.PREREQUISITES)
        else:
            self.problem(problem)

    def foreign_conditions(self, found: Mapping[tuple[str, str], int]) -> None:
        """Take in by type and writer on how many nodes a condition is not ours to write."""
        told = [problems.condition_taken(*each) for each in sorted(found)]
        self._only(problems.CONDITION, told)

    def competitors(self, known: Iterable[Competitor], policy: Policy) -> None:
        """Take in who else repairs nodes, and what the policy says to that."""
        self._only(problems.COMPETITOR, (problems.competitor(each, policy) for each in known))

    def _only(self, kind: str, told: Iterable[Problem]) -> None:
        """Take in all that is wrong of a kind: the rest of it is solved."""
        now = {each.subject: each for each in told}
        for subject in [each for each in self._problems if each.startswith(kind)]:
            if subject not in now:
                self.solved(subject)
        for subject, problem in now.items():
            if self._problems.get(subject) != problem:
                self.problem(problem)

    def rules_broken(self, says: str) -> None:
        """Take in that an edit of rules or policy can't be used, or with nothing that it can."""
        if says:
            self.problem(problems.rules_broken(says))
        else:
            self.solved(problems.RULES)

    def problem(self, problem: Problem) -> None:
        """Take in that something is wrong, until it is solved."""
        self._problems[problem.subject] = problem
        if self._herald is not None:
            self._herald.problem(problem)

    def solved(self, subject: str) -> None:
        """Take in that a problem is no more, if there was one."""
        if self._problems.pop(subject, None) is not None and self._herald is not None:
            self._herald.solved(subject)

    def _new_herald(self) -> Herald:
        told = Told(self._client)
        herald = Herald(
            manners=self._manners,
            deliveries=tuple(self._deliveries(told)),
            told=told,
            repairs=self._repairs,
            runbook=self._runbook,
            longest=self._longest(),
            clock=self._clock,
            random=self._random,
        )
        for problem in self._problems.values():
            herald.problem(problem)
        return herald

    def _deliveries(self, told: Told) -> Iterator[Delivery]:
        if self._outside is None:
            return
        luck, wire, count = self._random, self._outside, self._metrics.delivered
        for name, sink in self._sinks.items():
            if sink.repeats is None:
                yield Once(name, sink, outside=wire, random=luck, count=count, told=told)
            else:
                yield Repeated(name, sink, outside=wire, random=luck, count=count)

    def queues(self) -> Mapping[str, int]:
        """Say by receiver how many alerts wait to be delivered."""
        return self._herald.queues() if self._herald is not None else {}

    def _longest(self) -> timedelta:
        asked = (each.lasts for rule in self._rules.rules for each in rule.questions)
        return max(asked, default=timedelta())

    def _runbook(self, rule: str) -> str:
        known = self._rules.by_name.get(rule)
        return known.runbook if known else ""
