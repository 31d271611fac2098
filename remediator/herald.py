"""Turns what is seen of repairs, faults and ourselves into alerts, for whom the routes name.

One change costs the same however many incidents there are. There is one herald for each term of a
leader; who does not lead tells nobody.
"""

import asyncio
import contextlib
import heapq
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Final, NoReturn

from nodehealth.kit import loops
from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors
from nodehealth.repair import NodeRepair
from remediator.decide import alerts, plan, problems
from remediator.decide.alerts import Alert, State
from remediator.decide.problems import Problem
from remediator.delivery import Delivery, Once
from remediator.rules.alerting import Alerting
from remediator.told import Entry, Told

logger = logging.getLogger(__name__)

_TICK: Final = timedelta(seconds=15)
"""How often to see whose time has come."""
_ANEW: Final = timedelta(minutes=5)
"""How often everything is offered anew: what did not fit in a queue, or was not written down."""
_GRACE: Final = timedelta(minutes=10)
"""How much longer than it must last before it counts a problem that people know of may take to be
found again by a new leader."""
_AT_ONCE: Final = 200
"""How many alerts to make before somebody else may do something."""
_WRITTEN_WITHIN: Final = timedelta(seconds=5)
"""How long people may be kept waiting for the record to be written."""
_FIRST_PAUSE: Final = timedelta(seconds=1)
_LONGEST_PAUSE: Final = timedelta(seconds=30)
_TRIES: Final = 6
"""How often to try to read the record before people are told without it; about half a minute."""
_DELETED: Final = (
    "the record of the repair was deleted; its node is given back, and repaired anew if it is sick"
)
_KEPT: Final = "it was so when another remediator led, and is being looked at anew"
_NO_MORE: Final = "it is so no more"


class Herald:
    """Says each incident once, however many phases it goes through, and when it is over.

    Args:
        manners: How people are told.
        deliveries: Whom they can be told through.
        told: The record of what they were told.
        repairs: All repairs that are known, ended ones too.
        runbook: Names the runbook of a rule.
        longest: For how long at most something must last before it counts as a fault.
        clock: The present time.
        random: Where the jitter of retries comes from.
    """

    def __init__(
        self,
        *,
        manners: Alerting,
        deliveries: Sequence[Delivery],
        told: Told,
        repairs: Callable[[], Iterable[NodeRepair]],
        runbook: Callable[[str], str],
        longest: timedelta,
        clock: Clock,
        random: Random,
    ) -> None:
        self._manners, self._told = manners, told
        self._deliveries = {each.name: each for each in deliveries}
        self._once = {each.name for each in deliveries if isinstance(each, Once)}
        self._repairs, self._runbook = repairs, runbook
        self._grace = _GRACE + longest  # whoever begins to lead begins to count how long it lasts
        self._clock, self._random = clock, random
        self._open: dict[str, NodeRepair] = {}
        self._changed: dict[str, NodeRepair] = {}
        self._endings: list[Alert] = []
        self._problems: dict[str, Problem] = {}
        self._fresh: dict[str, Problem] = {}
        """Problems that nobody was handed yet."""
        self._begun: dict[str, datetime] = {}
        """When each problem began, by its subject; the record remembers what we did not see."""
        self._dues: list[tuple[datetime, str]] = []
        self._woken = asyncio.Event()

    def see(self, before: NodeRepair | None, repair: NodeRepair | None) -> None:
        """Take in how a repair is now, or that its record was deleted."""
        if repair is not None:
            self._changed[repair.metadata.name] = repair
        elif before is not None and plan.is_open(before):
            self._changed.pop(before.metadata.name, None)
            self._open.pop(before.metadata.name, None)
            now = self._clock()
            alert = alerts.of_repair(before, self._manners, self._runbook(before.spec.rule), now)
            self._endings.append(alerts.ended(alert, now, _DELETED))
        self._woken.set()

    def problem(self, problem: Problem) -> None:
        """Take in that something is wrong, until it is solved."""
        if problem != self._problems.get(problem.subject):
            self._problems[problem.subject] = self._fresh[problem.subject] = problem
            self._woken.set()

    def solved(self, subject: str) -> None:
        """Take in that a problem is no more, if there was one."""
        problem = self._problems.pop(subject, None)
        self._fresh.pop(subject, None)
        if problem is not None and subject in self._begun:  # else nobody was told of it
            alert = self._of_problem(problem)
            self._endings.append(alerts.ended(alert, self._clock(), _NO_MORE))
            del self._begun[subject]
            self._woken.set()

    def queues(self) -> Mapping[str, int]:
        """Say by receiver how many alerts wait to be delivered."""
        return {name: len(each.queue) for name, each in self._deliveries.items()}

    async def run(self) -> NoReturn:
        """Tell whatever there is to tell, until cancelled."""
        await self._remember()
        async with asyncio.TaskGroup() as tasks:
            for each in self._deliveries.values():
                tasks.create_task(each.run(), name=f"deliver to {each.name}")
            tasks.create_task(self._look_for_orphans(), name="look for what is no more")
            tasks.create_task(self._offer_anew(), name="offer everything anew")
            while True:
                await self._turn()
                await self._wait()

    async def _remember(self) -> None:
        """Read what people know, and find what became of it while nobody told them."""
        await self._load()
        known = {alerts.incident(each) for each in self._repairs()}
        for entry in self._told.entries():
            if entry.name != alerts.REPAIR:
                self._keep(entry)
            elif entry.incident not in known:
                self._endings.append(alerts.ended(entry.alert(), self._clock(), _DELETED))
        for repair in self._repairs():
            self._changed.setdefault(repair.metadata.name, repair)

    def _keep(self, entry: Entry) -> None:
        """Go on saying a problem to who forgets, until it is found again or was not in time."""
        subject = _subject(entry)
        self._begun[subject] = entry.starts_at
        if subject in self._problems:
            return
        alert = replace(entry.alert(), description=_KEPT)
        for name in self._receivers_of(alert) - self._once:
            self._deliveries[name].offer(alert)

    async def _load(self) -> None:
        if not self._once:
            return  # nobody has to be remembered
        pauses = loops.backoff(_FIRST_PAUSE, _LONGEST_PAUSE, random=self._random)
        for pause in itertools.islice(pauses, _TRIES):
            try:
                await self._told.load(self._once)
            except errors.KubeError as failed:
                logger.warning("what people were told can't be read now: %s", failed)
                await asyncio.sleep(pause.total_seconds())
            else:
                return
        logger.error("goes on without what people were told: they may hear the same again")

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(_TICK.total_seconds()):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _turn(self) -> None:
        self._woken.clear()
        news = self._news(self._clock())
        while batch := tuple(itertools.islice(news, _AT_ONCE)):
            await self._tell(batch)
            await asyncio.sleep(0)

    def _news(self, now: datetime) -> Iterator[Alert]:
        while self._dues and self._dues[0][0] <= now:
            _, name = heapq.heappop(self._dues)
            if name in self._open:
                self._changed.setdefault(name, self._open[name])
        endings, self._endings = self._endings, []
        changed, self._changed = self._changed, {}
        fresh, self._fresh = self._fresh, {}
        yield from endings
        yield from (self._of_repair(each, now) for each in changed.values())
        yield from (self._of_problem(each) for each in fresh.values())

    async def _tell(self, news: Sequence[Alert]) -> None:
        """Write down who is about to hear of what, then hand it on."""
        hearers = [(alert, self._receivers_of(alert)) for alert in news]
        beginning = [
            (alert, self._once.intersection(names))
            for alert, names in hearers
            if alert.state is State.FIRING
        ]
        with contextlib.suppress(TimeoutError):  # what is not written is written later
            async with asyncio.timeout(_WRITTEN_WITHIN.total_seconds()):
                await self._told.intend(beginning)
        for alert, names in hearers:
            for name in names:
                self._deliveries[name].offer(alert)

    def _receivers_of(self, alert: Alert) -> set[str]:
        """Name all who hear of it: whoever heard of an incident hears how it goes on."""
        labels, names = alert.all_labels(), set(self._told.receivers_of(alert))
        for rise in alert.rises:
            names.update(self._manners.receivers_of({**labels, "severity": str(rise.urgency)}))
        return names & self._deliveries.keys()

    def _of_repair(self, repair: NodeRepair, now: datetime) -> Alert:
        name = repair.metadata.name
        self._open.pop(name, None)
        if plan.is_open(repair):
            self._open[name] = repair
            due = alerts.due(repair, self._manners, now)
            if due is not None:
                heapq.heappush(self._dues, (due, name))
        return alerts.of_repair(repair, self._manners, self._runbook(repair.spec.rule), now)

    def _of_problem(self, problem: Problem) -> Alert:
        began = self._begun.setdefault(problem.subject, problem.since or self._clock())
        return problems.of_problem(problem, self._manners, began)

    async def _look_for_orphans(self) -> None:
        """Find the problems that people were told of before us and that are no more."""
        await asyncio.sleep(self._grace.total_seconds())
        for entry in self._told.entries():
            subject = _subject(entry)
            if entry.name != alerts.REPAIR and subject not in self._problems:
                self._endings.append(alerts.ended(entry.alert(), self._clock(), _NO_MORE))
                self._begun.pop(subject, None)  # if it comes back, that is another incident
        self._woken.set()

    async def _offer_anew(self) -> NoReturn:
        while True:
            await asyncio.sleep(_ANEW.total_seconds())
            await self._told.flush()
            for name, repair in self._open.items():
                self._changed.setdefault(name, repair)
            self._fresh = {**self._problems}
            self._woken.set()


def _subject(entry: Entry) -> str:
    """Return what a problem is about, which is its incident without the time."""
    return entry.incident.rpartition("/")[0]
