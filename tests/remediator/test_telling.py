"""The whole remediator tells people of repairs, of faults that it leaves to them, and of itself."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from nodehealth import keys
from nodehealth.kube.client import Client
from nodehealth.ledger import REPAIR_LEDGERS, Disruption
from nodehealth.repair import Mode, Severity
from remediator.files import Loaded
from remediator.rules.alerting import Alerting, Receiver
from remediator.rules.policy import Policy
from simulator import virtualtime
from tests.builders import health, level, node, rule, rules
from tests.remediator.leading import Fleet, fleet, leading
from tests.remediator.receivers import Desk, ToDesk, ToForgetfulDesk
from tests.remediator.test_delivery import outside


@dataclass(slots=True, kw_only=True)
class Broken:
    """A clock that stands in the way of telling for some time."""

    times: int

    def __call__(self) -> datetime:
        """Fail, or tell the time."""
        self.times -= 1
        if self.times >= 0:
            raise ValueError("the clock is broken")
        return virtualtime.clock()()


def files(mode: Mode = Mode.OBSERVE, *, ladder: tuple[str, ...] = ("drain",), **to: Desk) -> Loaded:
    """Tell everybody everything."""
    receivers = tuple(Receiver(name=name, sink="desk", settings={}) for name in to)
    return Loaded(
        rules=rules(rule(severity=Severity.CRITICAL, ladder=ladder, quiet=60)),
        policy=Policy(mode=mode, alerts=Alerting(cluster="c", receivers=receivers)),
        provider=None,
        sinks={name: ToDesk(desk=desk) for name, desk in to.items()},
    )


async def sick(here: Fleet) -> str:
    uid = await here.node(node())
    await here.report(health(level(0.01), node_uid=uid))
    await asyncio.sleep(5)
    return uid


async def close(client: Client, disruption: Disruption) -> None:
    await wish(client, {"disruption": disruption})


async def wish(client: Client, spec: Mapping[str, object]) -> None:
    await client.merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, {"spec": spec})
    await asyncio.sleep(5)


@virtualtime.played
async def test_what_it_would_do_is_told_without_asking_anything() -> None:
    here, desk = await fleet(), Desk()
    async with leading(here, files(desk=desk), outside=outside()):
        await sick(here)

    (alert,) = desk.heard
    assert alert.all_labels()["severity"] == "info"
    assert alert.labels["mode"] == "observe"
    assert alert.summary == "disk-full on n1: nodemend only watches"


@virtualtime.played
async def test_a_fault_that_is_left_to_people_is_told_until_it_is_over() -> None:
    here, desk = await fleet(), Desk()
    async with leading(here, files(Mode.ENFORCE, ladder=(), desk=desk), outside=outside()):
        uid = await sick(here)
        await here.report(health(level(0.5), node_uid=uid))
        await asyncio.sleep(70)

    assert desk.said() == [("firing", "page"), ("resolved", "page")]
    assert desk.heard[0].name == "NodeFault"


@virtualtime.played
async def test_a_closed_ledger_pages_until_a_person_opens_it() -> None:
    here, desk = await fleet(), Desk()
    async with leading(here, files(desk=desk), outside=outside()):
        await asyncio.sleep(5)
        for disruption in (Disruption.CLOSED, Disruption.OPEN):
            await close(here.agent, disruption)

    assert desk.said() == [("firing", "page"), ("resolved", "page")]
    assert desk.heard[0].name == "NodemendLedgerClosed"


@virtualtime.played
async def test_what_the_cluster_lacks_is_told_until_it_is_there() -> None:
    here, desk = await fleet(), Desk()
    async with leading(here, files(desk=desk), outside=outside()) as remediator:
        remediator.restrict(Mode.OBSERVE, ("the CRD noderepairs: is missing",))
        await asyncio.sleep(5)
        remediator.restrict(Mode.ENFORCE)
        await asyncio.sleep(5)

    assert desk.said() == [("firing", "warning"), ("resolved", "warning")]
    assert desk.heard[0].description == "the CRD noderepairs: is missing"


@virtualtime.played
async def test_a_receiver_that_is_added_hears_of_what_goes_on_and_the_others_not_again() -> None:
    here, old, new = await fleet(), Desk(), Desk()
    before, after = files(old=old), files(old=old, new=new)
    async with leading(here, before, outside=outside()) as remediator:
        await sick(here)
        remediator.use(after)
        await asyncio.sleep(5)

    assert old.said() == new.said() == [("firing", "info")]


@virtualtime.played
async def test_who_leads_next_tells_nothing_twice() -> None:
    here, desk = await fleet(), Desk()
    async with leading(here, files(desk=desk), outside=outside()):
        await sick(here)
    async with leading(here, files(desk=desk), outside=outside()):
        await asyncio.sleep(60)

    assert desk.said() == [("firing", "info")]


@virtualtime.played
async def test_a_mistake_in_telling_ends_no_repair_and_is_made_good() -> None:
    here, desk, broken = await fleet(), Desk(), Broken(times=2)
    one = files(Mode.ENFORCE, ladder=(), desk=desk)
    to = replace(one, sinks={"desk": ToForgetfulDesk(desk=desk)})
    async with leading(here, to, outside=replace(outside(), clock=broken)):
        await sick(here)
        events = await here.events()
        await asyncio.sleep(30)

    assert broken.times < 0
    assert "FaultFound" in events
    assert desk.said() == [("firing", "page")]


@virtualtime.played
async def test_without_a_way_outside_nothing_is_told_and_all_else_goes_on() -> None:
    here, desk = await fleet(), Desk()
    async with leading(here, files(desk=desk)):
        await sick(here)

    assert desk.heard == []
    assert len(await here.repairs()) == 1


@virtualtime.played
async def test_people_are_reminded_of_a_pause_that_grows_old_until_it_is_taken_away() -> None:
    here, desk = await fleet(), Desk()
    async with leading(here, files(desk=desk), outside=outside()):
        await asyncio.sleep(5)
        pause = {"reason": "cables", "at": virtualtime.clock()()}
        await wish(here.agent, {"pauses": {"net": pause}})
        await asyncio.sleep(23 * 3600)
        young = desk.said()
        await asyncio.sleep(3600 + 900)
        old = desk.said()
        await wish(here.agent, {"pauses": {"net": None}})

    assert (young, set(old)) == ([], {("firing", "info")})
    assert desk.said()[-1] == ("resolved", "info")
    assert desk.heard[0].name == "NodemendPauseForgotten"
