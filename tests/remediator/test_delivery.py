"""A receiver hears the newest state of each alert until it has heard it, and not more often."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from nodehealth import keys
from nodehealth.kube.client import Client
from remediator.decide import alerts
from remediator.decide.alerts import Alert
from remediator.delivery import MOST, Delivery, Once, Outcome, Repeated
from remediator.rules.alerting import Alerting, Urgency
from remediator.sinks import Outside, Sink
from remediator.told import Told
from simulator import virtualtime
from simulator.api.local import LocalTransport
from simulator.api.server import ApiServer
from tests.builders import NOON, at, repair
from tests.remediator.receivers import Desk, ToDesk, ToForgetfulDesk
from tests.remediator.sinks.conftest import Mailbox


def alert(node: str = "n1", *, waited: float = 0) -> Alert:
    return alerts.of_repair(repair(node), Alerting(), "", NOON + timedelta(minutes=waited))


def over(node: str = "n1", *, ended_at: datetime = NOON) -> Alert:
    return alerts.ended(alert(node), ended_at, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A delivery at work, and the record of what was told."""

    delivery: Delivery
    told: Told

    async def offer(self, *each: Alert) -> None:
        """Offer alerts as the herald does, with what it writes down before."""
        await self.told.intend([(one, ["desk"]) for one in each if one.ended_at is None])
        for one in each:
            self.delivery.offer(one)


def outside() -> Outside:
    box = Mailbox(now=NOON)
    return Outside(post=box.post, write=box.write, clock=virtualtime.clock())


@asynccontextmanager
async def delivering(desk: Desk, *, repeated: bool = False) -> AsyncIterator[Post]:
    """Deliver to a desk, in virtual time."""
    api = ApiServer(clock=virtualtime.clock())
    told = Told(Client(LocalTransport(api), manager=keys.REMEDIATOR_MANAGER))
    sink: Sink = ToForgetfulDesk(desk=desk) if repeated else ToDesk(desk=desk)
    delivery: Delivery
    if repeated:
        delivery = Repeated("desk", sink, outside=outside(), random=Random(1), count=desk.count)
    else:
        delivery = Once(
            "desk", sink, outside=outside(), random=Random(1), count=desk.count, told=told
        )
    running = asyncio.create_task(delivery.run())
    try:
        yield Post(delivery=delivery, told=told)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@virtualtime.played
async def test_each_beginning_rise_and_end_is_heard_once() -> None:
    desk = Desk()
    async with delivering(desk) as post:
        for each in (alert(), alert(), alert(waited=30), alert(waited=40), over(), over()):
            await post.offer(each)
            await asyncio.sleep(5)

    assert desk.said() == [("firing", "info"), ("firing", "warning"), ("resolved", "info")]


@virtualtime.played
async def test_the_end_of_what_nobody_heard_of_is_no_news() -> None:
    desk = Desk()
    async with delivering(desk) as post:
        await post.offer(over())
        await asyncio.sleep(60)

    assert desk.heard == []


@virtualtime.played
async def test_what_happens_at_the_same_time_is_told_together() -> None:
    desk = Desk()
    async with delivering(desk) as post:
        for n in range(150):
            await post.offer(alert(f"n{n}"))
        await asyncio.sleep(5)

    assert desk.batches == [100, 50]


@virtualtime.played
async def test_while_nobody_is_there_only_the_newest_state_is_kept() -> None:
    desk = Desk(away=True)
    async with delivering(desk) as post:
        await post.offer(alert())
        await asyncio.sleep(120)
        await post.offer(alert(waited=30), over())
        await asyncio.sleep(120)
        desk.away = False
        await asyncio.sleep(120)

    assert desk.said() == [("resolved", "info")]
    assert desk.counted[0] == (Outcome.FAILED, 1)
    assert desk.counted[-1] == (Outcome.SENT, 1)


@virtualtime.played
async def test_tries_become_rarer_but_never_end() -> None:
    desk = Desk(away=True)
    async with delivering(desk) as post:
        await post.offer(alert())
        await asyncio.sleep(3600)
        tries = len(desk.batches)
        await asyncio.sleep(3600)

    assert 60 <= tries <= 140
    assert len(desk.batches) > tries + 50


@virtualtime.played
async def test_a_receiver_that_hangs_is_given_up_and_tried_again() -> None:
    desk = Desk(hanging=True)
    async with delivering(desk) as post:
        await post.offer(alert())
        await asyncio.sleep(20)
        desk.hanging = False
        await asyncio.sleep(20)

    assert desk.said() == [("firing", "info")]
    assert desk.counted[0] == (Outcome.FAILED, 1)


@virtualtime.played
async def test_one_alert_that_is_not_understood_keeps_no_other_from_being_heard() -> None:
    desk = Desk(illegible=frozenset({"n2"}))
    async with delivering(desk) as post:
        await post.offer(alert("n1"), alert("n2"), alert("n3"))
        await asyncio.sleep(5)
        await post.offer(alert("n4"))
        await asyncio.sleep(5)

    assert [each.labels["node"] for each in desk.heard] == ["n1", "n3", "n4"]
    assert (Outcome.REFUSED, 1) in desk.counted


@virtualtime.played
async def test_one_alert_that_always_fails_keeps_no_other_from_being_heard() -> None:
    desk = Desk(upset_by=frozenset({"n1"}))
    async with delivering(desk) as post:
        await post.offer(*(alert(f"n{n + 1}") for n in range(6)))
        await asyncio.sleep(60)
        before = len(desk.heard)
        await asyncio.sleep(3600)
        await post.offer(alert("n7"))
        await asyncio.sleep(5)

    assert before == 5
    assert desk.heard[-1].labels["node"] == "n7"


@virtualtime.played
async def test_what_always_failed_is_heard_when_it_fails_no_more() -> None:
    desk = Desk(upset_by=frozenset({"n1", "n2"}))
    async with delivering(desk) as post:
        await post.offer(alert("n1"), alert("n2"), alert("n3"))
        await asyncio.sleep(3600)
        desk.upset_by = frozenset({"n1"})
        await asyncio.sleep(180)
        desk.upset_by = frozenset()
        await asyncio.sleep(180)

    assert [each.labels["node"] for each in desk.heard] == ["n3", "n2", "n1"]


@virtualtime.played
async def test_one_that_always_fails_does_not_hold_up_what_is_refused_with_it() -> None:
    desk = Desk(illegible=frozenset({"n1", "n3"}), upset_by=frozenset({"n2"}))
    async with delivering(desk) as post:
        await post.offer(alert("n1"), alert("n2"), alert("n3"), alert("n4"))
        await asyncio.sleep(120)

    assert [each.labels["node"] for each in desk.heard] == ["n4"]


@virtualtime.played
async def test_after_an_outage_what_waited_is_told_together() -> None:
    desk = Desk(away=True)
    async with delivering(desk) as post:
        await post.offer(*(alert(f"n{n}") for n in range(300)))
        await asyncio.sleep(600)
        desk.away, desk.batches = False, []
        await asyncio.sleep(120)

    assert len(desk.heard) == 300
    assert len(desk.batches) < 25


@virtualtime.played
async def test_the_loudest_is_told_first() -> None:
    desk = Desk()
    async with delivering(desk) as post:
        quiet = [alert(f"n{n}") for n in range(150)]
        await post.offer(*quiet, alert("loud", waited=40))
        await asyncio.sleep(5)

    assert desk.heard[0].labels["node"] == "loud"


@virtualtime.played
async def test_when_the_queue_is_full_the_quietest_makes_room() -> None:
    desk = Desk(away=True)
    async with delivering(desk) as post:
        full = {one.fingerprint: one for one in (alert(f"n{n}") for n in range(MOST))}
        post.delivery.queue.update(full)
        await post.offer(alert("loud", waited=40))

    assert alert("loud").fingerprint in post.delivery.queue
    assert len(post.delivery.queue) == MOST


@virtualtime.played
async def test_what_does_not_fit_in_the_queue_is_counted() -> None:
    desk = Desk(away=True)
    async with delivering(desk) as post:
        post.delivery.queue.update({str(n): alert(f"n{n}") for n in range(MOST)})
        await post.offer(alert("one-more"))

    assert (Outcome.DROPPED, 1) in desk.counted


@virtualtime.played
async def test_what_goes_on_is_repeated_for_who_forgets_and_its_end_for_a_while() -> None:
    desk = Desk()
    async with delivering(desk, repeated=True) as post:
        await post.offer(alert())
        await asyncio.sleep(5 * 60)
        firing = len(desk.heard)
        await post.offer(over(ended_at=at(300)))
        await asyncio.sleep(20 * 60)

    assert firing == 5
    assert desk.said()[firing:] == [("resolved", "info")] * 6


@virtualtime.played
async def test_it_is_repeated_however_much_else_there_is_to_say() -> None:
    desk = Desk()
    async with delivering(desk, repeated=True) as post:
        await post.offer(alert())
        for n in range(60):
            await post.offer(alert(f"n{n + 2}"))
            await asyncio.sleep(10)

    repeats = [each for each in desk.heard if each.labels["node"] == "n1"]
    assert len(repeats) >= 9


@virtualtime.played
async def test_it_is_repeated_in_a_storm_to_who_is_slow() -> None:
    desk = Desk(takes=4)
    async with delivering(desk, repeated=True) as post:
        await post.offer(alert())
        for n in range(200):
            await post.offer(alert(f"n{n + 2}"))
            await asyncio.sleep(3)

    repeats = [each for each in desk.heard if each.labels["node"] == "n1"]
    assert len(repeats) >= 9


@virtualtime.played
async def test_what_goes_on_is_repeated_whatever_fails() -> None:
    desk = Desk(upset_by=frozenset({"n2"}))
    async with delivering(desk, repeated=True) as post:
        await post.offer(alert(), alert("n2"))
        await asyncio.sleep(15 * 60)

    assert len(desk.heard) >= 13


@virtualtime.played
async def test_what_was_over_long_ago_is_not_repeated() -> None:
    desk = Desk()
    async with delivering(desk, repeated=True) as post:
        await asyncio.sleep(600)
        await post.offer(over())
        await asyncio.sleep(600)

    assert desk.heard == []


@virtualtime.played
async def test_a_new_sentence_about_what_is_known_waits_for_the_next_repeat() -> None:
    desk = Desk()
    async with delivering(desk, repeated=True) as post:
        await post.offer(alert())
        await asyncio.sleep(5)
        changed = alerts.of_repair(repair(), Alerting(), "docs/x.md", NOON)
        await post.offer(changed)
        await asyncio.sleep(10)
        before = len(desk.heard)
        await asyncio.sleep(60)

    assert before == 1
    assert desk.heard[1].runbook == "docs/x.md"
    assert desk.heard[1].urgency is Urgency.INFO
