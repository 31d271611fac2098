"""Each incident is told once to whom the routes name, whoever leads, and its end as well."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random

from msgspec import structs

from nodehealth import keys
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.transport import Request, Response, Transport
from nodehealth.repair import Mode, NodeRepair, NodeRepairStatus, Phase, PhaseTime, Severity
from remediator.decide import problems
from remediator.decide.alerts import Alert
from remediator.decide.faults import Fault
from remediator.delivery import MOST, Delivery, Once, Repeated
from remediator.herald import Herald
from remediator.rules.alerting import Alerting, Route, Urgency
from remediator.told import Told
from simulator import virtualtime
from simulator.api.local import LocalTransport
from simulator.api.server import ApiServer
from tests.builders import NOON, repair
from tests.remediator.receivers import Desk, ToDesk, ToForgetfulDesk
from tests.remediator.test_delivery import alert, outside

ROUTES = (
    Route(receivers=("log", "am")),
    Route(receivers=("pager",), matches={"severity": frozenset({"page"})}),
)
BROKEN = problems.rules_broken("rules/a.yaml:1: nonsense")
FAULT = problems.fault(
    Fault(
        node="n1",
        node_uid="uid-n1",
        pool="default",
        rule="nic-flaps",
        severity=Severity.CRITICAL,
        mode=Mode.ENFORCE,
        team="",
        about="",
        runbook="",
        since=NOON,
        evidence=(),
    ),
    Urgency.INFO,
)


@dataclass(slots=True, kw_only=True)
class Town:
    """An API server, people, and the repairs that everybody sees."""

    client: Client
    log: Desk = field(default_factory=Desk)
    pager: Desk = field(default_factory=Desk)
    am: Desk = field(default_factory=Desk)
    repairs: dict[str, NodeRepair] = field(default_factory=dict)
    log_queue: dict[str, Alert] = field(default_factory=dict)
    """What the newest herald has not said to the log yet."""

    @asynccontextmanager
    async def herald(self, *, longest: timedelta = timedelta()) -> AsyncIterator[Herald]:
        """Have a herald for a while."""
        told = Told(self.client)
        deliveries = tuple(self._deliveries(told))
        self.log_queue = deliveries[0].queue
        herald = Herald(
            manners=Alerting(routes=ROUTES),
            deliveries=deliveries,
            told=told,
            repairs=self.repairs.values,
            runbook=lambda rule: f"docs/{rule}.md",
            longest=longest,
            clock=virtualtime.clock(),
            random=Random(1),
        )
        running = asyncio.create_task(herald.run())
        try:
            yield herald
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def enters(self, herald: Herald | None, phase: Phase, name: str = "n1") -> None:
        """Let a node's repair enter a phase, seen by a herald if there is one."""
        before = self.repairs.get(name)
        timeline = before.status.timeline if before else ()
        entered = PhaseTime(phase=phase, at=virtualtime.clock()())
        status = NodeRepairStatus(phase=phase, timeline=(*timeline, entered))
        made = repair(name, created=timeline[0].at if timeline else entered.at)
        self.repairs[name] = structs.replace(made, status=status)
        if herald is not None:
            herald.see(before, self.repairs[name])

    def deleted(self, herald: Herald | None, name: str = "n1") -> None:
        """Let somebody delete the record of a node's repair."""
        before = self.repairs.pop(name)
        if herald is not None:
            herald.see(before, None)

    def _deliveries(self, told: Told) -> list[Delivery]:
        luck, wire = Random(1), outside()
        return [
            Once("log", ToDesk(desk=self.log), outside=wire, random=luck, count=_any, told=told),
            Once(
                "pager", ToDesk(desk=self.pager), outside=wire, random=luck, count=_any, told=told
            ),
            Repeated("am", ToForgetfulDesk(desk=self.am), outside=wire, random=luck, count=_any),
        ]


def _any(*_: object) -> None:
    """Count nothing."""


class Away(Transport):
    """An API server that is away."""

    def open(
        self, request: Request, *, deadline: timedelta
    ) -> AbstractAsyncContextManager[Response]:
        """Refuse whatever is sent."""
        raise errors.UnreachableError(f"{request.path}: nobody is there")


def town(*, away: bool = False) -> Town:
    api = ApiServer(clock=virtualtime.clock())
    transport = Away() if away else LocalTransport(api)
    return Town(client=Client(transport, manager=keys.REMEDIATOR_MANAGER))


@virtualtime.played
async def test_an_incident_is_told_once_whatever_its_phases() -> None:
    here = town()
    async with here.herald() as herald:
        for phase in (Phase.CONFIRMED, Phase.CORDONED, Phase.DRAINING, Phase.RECOVERED):
            here.enters(herald, phase)
            await asyncio.sleep(30)

    assert here.log.said() == [("firing", "info"), ("resolved", "info")]
    assert here.pager.said() == []
    assert here.log.heard[0].runbook == "docs/disk-full.md"


@virtualtime.played
async def test_who_is_only_told_of_pages_hears_when_a_person_is_needed_and_when_not_any_more() -> (
    None
):
    here = town()
    async with here.herald() as herald:
        for phase in (Phase.CONFIRMED, Phase.NEEDS_HUMAN, Phase.RECOVERED):
            here.enters(herald, phase)
            await asyncio.sleep(30)

    assert here.log.said() == [("firing", "info"), ("firing", "page"), ("resolved", "page")]
    assert here.pager.said() == [("firing", "page"), ("resolved", "page")]


@virtualtime.played
async def test_a_repair_that_waits_is_told_of_again_after_half_an_hour_and_then_no_more() -> None:
    here = town()
    async with here.herald() as herald:
        here.enters(herald, Phase.WAITING)
        await asyncio.sleep(29 * 60)
        before = here.log.said()
        await asyncio.sleep(5 * 3600)

    assert before == [("firing", "info")]
    assert here.log.said()[1:] == [("firing", "warning")]


@virtualtime.played
async def test_a_new_leader_says_nothing_twice() -> None:
    here = town()
    async with here.herald() as herald:
        here.enters(herald, Phase.CONFIRMED)
        herald.problem(BROKEN)
        await asyncio.sleep(30)
    async with here.herald() as herald:
        herald.problem(BROKEN)
        await asyncio.sleep(3600)

    assert here.log.said() == [("firing", "warning"), ("firing", "info"), ("firing", "warning")]
    assert len({each.key for each in here.log.heard}) == 3


@virtualtime.played
async def test_what_ended_while_nobody_led_is_told() -> None:
    here = town()
    async with here.herald() as herald:
        here.enters(herald, Phase.CONFIRMED)
        await asyncio.sleep(30)
    here.enters(None, Phase.RECOVERED)
    await asyncio.sleep(3600)
    async with here.herald():
        await asyncio.sleep(30)

    assert here.log.said() == [("firing", "info"), ("resolved", "info")]


@virtualtime.played
async def test_what_was_deleted_while_nobody_led_is_told_to_be_over() -> None:
    here = town()
    async with here.herald() as herald:
        here.enters(herald, Phase.NEEDS_HUMAN)
        await asyncio.sleep(30)
    here.deleted(None)
    async with here.herald():
        await asyncio.sleep(30)

    assert here.pager.said() == [("firing", "page"), ("resolved", "page")]
    assert "was deleted" in here.pager.heard[-1].description


@virtualtime.played
async def test_a_repair_that_is_deleted_is_over() -> None:
    here = town()
    async with here.herald() as herald:
        here.enters(herald, Phase.NEEDS_HUMAN)
        await asyncio.sleep(30)
        here.deleted(herald)
        await asyncio.sleep(30)

    assert here.pager.said() == [("firing", "page"), ("resolved", "page")]


@virtualtime.played
async def test_repairs_of_long_ago_are_no_news() -> None:
    here = town()
    for name in ("n1", "n2"):
        here.enters(None, Phase.CONFIRMED, name)
        here.enters(None, Phase.RECOVERED, name)
    await asyncio.sleep(3600)
    async with here.herald():
        await asyncio.sleep(3600)

    assert here.log.heard == here.am.heard == []


@virtualtime.played
async def test_a_problem_is_told_until_it_is_solved() -> None:
    here = town()
    async with here.herald() as herald:
        herald.problem(FAULT)
        await asyncio.sleep(30)
        herald.problem(FAULT)
        await asyncio.sleep(30)
        herald.solved(FAULT.subject)
        herald.solved(FAULT.subject)
        await asyncio.sleep(30)

    assert here.pager.said() == [("firing", "page"), ("resolved", "page")]


@virtualtime.played
async def test_a_problem_that_comes_back_is_told_again() -> None:
    here = town()
    async with here.herald() as herald:
        for _ in range(2):
            herald.problem(FAULT)
            await asyncio.sleep(30)
            herald.solved(FAULT.subject)
            await asyncio.sleep(30)

    assert [state for state, _ in here.pager.said()] == ["firing", "resolved"] * 2


@virtualtime.played
async def test_a_problem_that_is_gone_under_a_new_leader_is_over_after_a_while() -> None:
    here = town()
    async with here.herald() as herald:
        herald.problem(FAULT)
        await asyncio.sleep(30)
    async with here.herald():
        await asyncio.sleep(9 * 60)
        before = here.pager.said()
        await asyncio.sleep(2 * 60)

    assert before == [("firing", "page")]
    assert here.pager.said()[1:] == [("resolved", "page")]


@virtualtime.played
async def test_a_problem_that_has_to_last_again_under_a_new_leader_goes_on() -> None:
    here = town()
    async with here.herald() as herald:
        herald.problem(FAULT)
        await asyncio.sleep(30)
    async with here.herald(longest=timedelta(minutes=15)) as herald:
        await asyncio.sleep(16 * 60)
        herald.problem(replace(FAULT, since=virtualtime.clock()()))
        await asyncio.sleep(3600)

    assert here.pager.said() == [("firing", "page")]


@virtualtime.played
async def test_what_must_be_repeated_is_repeated_while_a_new_leader_looks_for_it() -> None:
    here = town()
    async with here.herald() as herald:
        herald.problem(FAULT)
        await asyncio.sleep(30)
    before = len(here.am.heard)
    async with here.herald():
        await asyncio.sleep(9 * 60)
        repeats = here.am.heard[before:]
        await asyncio.sleep(3 * 60)

    assert len(repeats) >= 8
    assert {each.key for each in repeats} == {here.am.heard[0].key}
    assert here.am.said()[-1] == ("resolved", "page")


@virtualtime.played
async def test_a_problem_that_comes_back_after_it_was_over_is_another_incident() -> None:
    here = town()
    async with here.herald() as herald:
        herald.problem(FAULT)
        await asyncio.sleep(30)
    async with here.herald() as herald:
        await asyncio.sleep(11 * 60)
        herald.problem(replace(FAULT, since=virtualtime.clock()()))
        await asyncio.sleep(30)

    assert [state for state, _ in here.pager.said()] == ["firing", "resolved", "firing"]
    assert len({each.key for each in here.pager.heard}) == 3


@virtualtime.played
async def test_a_receiver_that_hangs_keeps_no_other_from_hearing() -> None:
    here = town()
    here.log.hanging = True
    async with here.herald() as herald:
        here.enters(herald, Phase.NEEDS_HUMAN)
        await asyncio.sleep(5)

    assert here.pager.said() == [("firing", "page")]


@virtualtime.played
async def test_people_are_told_even_if_what_they_know_can_not_be_read() -> None:
    here = town(away=True)
    async with here.herald() as herald:
        here.enters(herald, Phase.NEEDS_HUMAN)
        await asyncio.sleep(120)

    assert here.pager.said() == [("firing", "page")]


@virtualtime.played
async def test_what_did_not_fit_in_a_queue_comes_again() -> None:
    here = town()
    here.log.away = True
    async with here.herald() as herald:
        here.log_queue.update({str(n): alert(f"x{n}") for n in range(MOST)})
        here.enters(herald, Phase.CONFIRMED)
        await asyncio.sleep(30)
        here.log_queue.clear()
        here.log.away = False
        await asyncio.sleep(6 * 60)

    assert here.log.said() == [("firing", "info")]


@virtualtime.played
async def test_what_was_refused_is_not_said_again_and_leaves_nothing_behind() -> None:
    here = town()
    here.log.illegible = frozenset({"n1"})
    async with here.herald() as herald:
        here.enters(herald, Phase.CONFIRMED)
        await asyncio.sleep(20 * 60)
        posts = len(here.log.batches)
        here.enters(herald, Phase.RECOVERED)
        await asyncio.sleep(60)
    here.repairs.clear()
    async with here.herald():
        await asyncio.sleep(3600)

    assert posts == 1
    assert len(here.log.batches) == 2


@virtualtime.played
async def test_many_repairs_at_once_are_all_told() -> None:
    here = town()
    async with here.herald() as herald:
        for n in range(750):
            here.enters(herald, Phase.CONFIRMED, f"n{n}")
        await asyncio.sleep(10)

    assert len({each.labels["node"] for each in here.log.heard}) == 750
    assert len(here.log.batches) == 8
