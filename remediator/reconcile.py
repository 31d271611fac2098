"""Turns every change of a node, and every timer of it, into one look at that node."""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Final

from nodehealth.kit import loops
from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors
from nodehealth.repair import Mode, NodeRepair
from remediator.beginning import Beginning
from remediator.conditions import Conditions
from remediator.decide import conditions, plan, waiting
from remediator.decide.facts import Facts
from remediator.decide.faults import Fault, told
from remediator.decide.judge import Judgement, judge, stands
from remediator.faults import Faults
from remediator.lanes import Lanes
from remediator.observe import Fleet
from remediator.rules.policy import Policy
from remediator.rules.rule import RuleSet
from remediator.standing import Standing

logger = logging.getLogger(__name__)

_WOKEN: Final = 16
"""How many of those that wait are woken when something was given back."""
_REAP_AFTER: Final = timedelta(seconds=10)
_REAP_DISRUPTED_AFTER: Final = timedelta(minutes=1)
"""The same where pods were being evicted: by then no eviction is under way any more that somebody
sent for a repair that was deleted since."""
_REAP_AGAIN: Final = timedelta(minutes=1)
"""How soon what was not given back is looked at again, however often it changes."""
_COMPARE_AFTER: Final = timedelta(seconds=10)
"""How long the caches may need to agree with each other."""
_COMPARE_AGAIN: Final = timedelta(minutes=1)
"""How soon the ledger is compared again at most, whatever any node gives reason for."""
_FIRST_RETRY: Final = timedelta(milliseconds=200)
_LONGEST_RETRY: Final = timedelta(seconds=30)


@dataclass(slots=True, kw_only=True)
class _Known:
    """What the reconciler remembers of one node between two looks; all of it can be lost."""

    judgement: Judgement = field(default_factory=Judgement)
    facts: Facts | None = None
    """What the judgement is of."""
    rules: RuleSet | None = None
    """What it was made by."""
    retries: Iterator[timedelta] | None = None
    reap_at: datetime | None = None
    """When to give it back, for it is held although no open repair is known."""
    reap_after: timedelta = timedelta()
    """How long that was put off: longer once its pods are being evicted."""
    compare_at: datetime | None = None
    """When to have the ledger compared, for it seems to lack what this node says."""


class Reconciler:
    """Looks at each node that changed or whose time has come, never at one node twice at once.

    Args:
        fleet: The cache that it judges by.
        rules: What it judges.
        policy: How far it may go.
        beginning: Begins repairs, and forgets them.
        advance: Carries an open repair on and says when to look again; is handed a new one as made.
        reap: Gives back a node that is held by no repair.
        compare: Compares the ledger with fences and repairs by what the API server says now.
        faults: Tells people of the faults that no repair is opened for.
        shown: Shows by the conditions of Nodes what holds on them.
        clock: The present time.
        random: Where the jitter of retries comes from.
        judged: Is told how many seconds each judgement took.
    """

    def __init__(
        self,
        *,
        fleet: Fleet,
        rules: RuleSet,
        policy: Policy,
        beginning: Beginning,
        advance: Callable[[str, NodeRepair | None], Awaitable[datetime | None]],
        reap: Callable[[str], Awaitable[None]],
        compare: Callable[[], Awaitable[None]],
        faults: Faults,
        shown: Conditions,
        clock: Clock,
        random: Random,
        judged: Callable[[float], None],
    ) -> None:
        self._fleet, self._rules, self._given = fleet, rules, policy
        self._most = Mode.ENFORCE
        self._beginning, self._advance, self._clock = beginning, advance, clock
        self._random, self._reap, self._faults = random, reap, faults
        self._judged, self._shown = judged, shown
        self._compare, self._compared_at = compare, clock() - _COMPARE_AGAIN
        self._known: dict[str, _Known] = {}
        self._lanes = Lanes(self._look, clock=clock)

    def stop(self) -> None:
        """Look at nothing new; `run` returns when the looks under way are done."""
        self._lanes.stop()

    def use(self, rules: RuleSet, policy: Policy) -> None:
        """Judge by other rules and go as far as another policy lets us, from the next look on."""
        changed = plan.changed(self._rules, rules)
        self._rules, self._given = rules, policy
        for known in self._known.values():
            kept = {n: mark for n, mark in known.judgement.marks.items() if n not in changed}
            known.judgement = replace(known.judgement, marks=kept)
        for node in self._fleet.nodes():
            self.touch(node)

    def restrict(self, most: Mode) -> None:
        """Go no further than this, whatever the policy says."""
        if most is self._most:
            return
        self._most = most
        for node in self._fleet.nodes():
            self.touch(node)

    @property
    def rules(self) -> RuleSet:
        """Return what is judged by now."""
        return self._rules

    @property
    def policy(self) -> Policy:
        """Return how far we may go now."""
        return self._policy

    @property
    def _policy(self) -> Policy:
        mode = plan.stricter(self._given.mode, self._most)
        return replace(self._given, mode=mode) if mode is not self._given.mode else self._given

    def standing(self) -> Standing:
        """Return who knows how the faults of repairs stand, by the rules and the policy of now."""
        return Standing(
            fleet=self._fleet,
            judged=self._judgement,
            rules=self._rules,
            policy=self._policy,
            clock=self._clock,
        )

    def _judgement(self, node: str) -> Judgement | None:
        known = self._known.get(node)
        return known.judgement if known is not None else None

    def touch(self, node: str) -> None:
        """Have a node looked at soon."""
        self._lanes.touch(node)

    def touch_waiting(self) -> None:
        """Have those looked at that wait longest for a slot that their pools have room for."""
        fleet = self._fleet
        queued, now = fleet.open_repairs(), self._clock()
        heirs = waiting.heirs(queued, fleet.ledger, fleet.scopes(), self._policy, now)
        for repair in heirs[:_WOKEN]:
            self.touch(repair.spec.target.node)

    def touch_held_back(self) -> None:
        """Have those looked at that people or a breaker held back: they may have been let go."""
        for repair in waiting.held_back(self._fleet.open_repairs()):
            self.touch(repair.spec.target.node)

    async def run(self) -> None:
        """Look at every node once, and then at each that is touched or due, until stopped."""
        self._known.clear()  # what was true when we led last says nothing of since when
        self._faults.forget()
        self._lanes.forget_timers()
        for node in self._fleet.nodes():
            self.touch(node)
        for repair in self._fleet.repairs():
            self.touch(repair.spec.target.node)
        gc.freeze()
        await self._lanes.run()

    async def _look(self, node: str) -> None:
        """Look at a node; a mistake of ours about one node must not stop the others' repair."""
        known = self._known.setdefault(node, _Known())
        if not await loops.survived(partial(self._try, node, known), name=f"the look at {node}"):
            self._lanes.remind(node, self._later(known))

    async def _try(self, node: str, known: _Known) -> None:
        try:
            again = await self._handle(node, known)
        except errors.KubeError as failed:
            again = self._later(known)
            logger.warning("%s: tries again: %s", node, failed)
        else:
            known.retries = None
        self._lanes.remind(node, again)
        if not self._lanes.is_due(node) and not self._fleet.is_known(node):
            self._known.pop(node, None)

    def _later(self, known: _Known) -> datetime:
        if known.retries is None:
            known.retries = loops.backoff(_FIRST_RETRY, _LONGEST_RETRY, random=self._random)
        return self._clock() + next(known.retries)

    async def _handle(self, node: str, known: _Known) -> datetime | None:
        rules = self._rules
        self._judge(node, known)
        repair = next((r for r in self._fleet.repairs_of(node) if plan.is_open(r)), None)
        await self._compare_later(node, known)
        orphaned = repair is None or not plan.may_hold(repair)
        await self._reap_later(node, known, orphaned=orphaned)
        if rules is not self._rules:  # taken in meanwhile: the next look judges by those
            return known.judgement.due
        is_free = repair is None and not self._fleet.is_held(node)  # what is held is reaped first
        made = await self._begin(node, known) if is_free else None
        meant = repair or made
        again = await self._advance(meant.metadata.name, made) if meant else None
        await self._faults.see(node, self._told(node, known))  # a cordon comes before its news
        self._show(node, known)
        kept = await self._beginning.forget_past(node, self._policy)
        return min((due for due in (again, known.judgement.due, kept) if due), default=None)

    async def _compare_later(self, node: str, known: _Known) -> None:
        """Have a ledger compared that seems to lack something, once, however many nodes say so."""
        if not self._fleet.is_doubtful(node):
            known.compare_at = None
            return
        now = self._clock()
        first = known.compare_at or now + _COMPARE_AFTER
        known.compare_at = max(first, self._compared_at + _COMPARE_AGAIN)
        if now >= known.compare_at:
            self._compared_at = now
            await self._compare()
            known.compare_at = now + _COMPARE_AGAIN
        self._lanes.remind(node, known.compare_at)

    async def _reap_later(self, node: str, known: _Known, *, orphaned: bool) -> None:
        """Give a node back that nobody holds, once the caches had time to agree on it."""
        if not orphaned or not self._fleet.is_held(node):
            known.reap_at, known.reap_after = None, timedelta()
            return
        now = self._clock()
        after = _REAP_DISRUPTED_AFTER if self._fleet.is_disrupted(node) else _REAP_AFTER
        if known.reap_at is None or after > known.reap_after:
            known.reap_at, known.reap_after = now + after, after
        if now < known.reap_at:
            self._lanes.remind(node, known.reap_at)
            return
        await self._reap(node)
        known.reap_at = now + _REAP_AGAIN

    def _judge(self, node: str, known: _Known) -> None:
        facts, before, now = self._fleet.facts(node), known.facts, self._clock()
        known.facts = facts
        if facts is None or before is None or facts.node.metadata.uid != before.node.metadata.uid:
            known.judgement, before = Judgement(), None
        if facts is None:
            return
        same = known.rules is self._rules
        if same and before is not None and stands(known.judgement, before, facts, now):
            return
        loop = asyncio.get_running_loop()
        began = loop.time()
        known.judgement = judge(self._rules.rules, facts, known.judgement, now)
        known.rules = self._rules
        self._judged(loop.time() - began)

    def _told(self, node: str, known: _Known) -> tuple[Fault, ...]:
        facts = self._fleet.facts(node)
        if facts is None:
            return ()
        return told(facts.node, known.judgement, self._rules, self._policy)

    def _show(self, node: str, known: _Known) -> None:
        """Have the Node show what is known of it, by the repair as the cache has it now."""
        facts = self._fleet.facts(node)
        if facts is None:
            self._shown.forget(node)
            return
        repair = next((r for r in self._fleet.repairs_of(node) if plan.is_open(r)), None)
        judged, policy = known.judgement, self._policy
        if conditions.is_silent(facts.node, judged, repair, policy):
            self._shown.see(facts.node, ())
            return
        claims = conditions.claims(judged, repair, self._rules, policy, self._clock())
        self._shown.see(facts.node, claims)

    async def _begin(self, node: str, known: _Known) -> NodeRepair | None:
        begun = await self._beginning.begin(node, known.judgement, self._rules, self._policy)
        if isinstance(begun, datetime):
            self._lanes.remind(node, begun)
            return None
        return begun
