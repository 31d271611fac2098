"""What people were told is remembered by the API server, and forgotten when it is over."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from nodehealth import keys
from nodehealth.kube.objects import CONFIG_MAPS
from remediator.decide import alerts
from remediator.decide.alerts import Alert
from remediator.rules.alerting import Alerting, Urgency
from remediator.told import Told
from simulator.api.direct import Direct
from tests.builders import NOON, at, repair
from tests.remediator.conftest import World

MakeWorld = Callable[[], Awaitable[World]]
ALERT = alerts.of_repair(repair(), Alerting(), "", NOON)
LATER = alerts.of_repair(repair(), Alerting(), "", NOON + timedelta(hours=1))
OVER = alerts.ended(LATER, at(60), "")


async def read(world: World, *receivers: str) -> Told:
    """Read the record as a new leader does."""
    told = Told(world.client)
    await told.load(receivers)
    return told


async def test_who_is_about_to_hear_is_remembered_before_it_is_sure(world: MakeWorld) -> None:
    here = await world()
    await (await read(here, "hook")).intend([(ALERT, ["hook"])])

    after = await read(here, "hook")

    assert after.heard(ALERT, "hook") == ""
    assert after.receivers_of(ALERT) == ("hook",)
    assert after.heard(ALERT, "other") is None


async def test_what_was_heard_is_remembered(world: MakeWorld) -> None:
    here = await world()
    told = await read(here, "hook")
    await told.intend([(ALERT, ["hook"])])
    await told.mark("hook", [LATER])

    assert (await read(here, "hook")).heard(ALERT, "hook") == Urgency.WARNING


async def test_an_incident_is_forgotten_when_all_know_that_it_is_over(world: MakeWorld) -> None:
    here = await world()
    told = await read(here, "hook", "log")
    await told.intend([(ALERT, ["hook", "log"])])
    await told.mark("hook", [OVER])
    between = await read(here, "hook", "log")
    await told.mark("log", [OVER])
    after = await read(here, "hook", "log")

    assert between.receivers_of(ALERT) == ("log",)
    assert after.entries() == ()


async def test_what_is_left_of_an_incident_is_enough_to_tell_its_end(world: MakeWorld) -> None:
    here = await world()
    told = await read(here, "hook")
    await told.intend([(ALERT, ["hook"])])
    await told.mark("hook", [LATER])

    (entry,) = (await read(here, "hook")).entries()

    left = alerts.ended(entry.alert(), at(60), "")
    assert left.all_labels() == OVER.all_labels()
    assert (left.key, left.starts_at) == (OVER.key, OVER.starts_at)


async def test_a_receiver_that_is_no_more_is_forgotten(world: MakeWorld) -> None:
    here = await world()
    told = await read(here, "hook", "old")
    await told.intend([(ALERT, ["old"])])

    without = await read(here, "hook")
    await without.flush()

    assert without.entries() == ()
    assert (await read(here, "hook", "old")).entries() == ()


NO_URGENCY = (
    '{"incident": "a", "name": "b", "labels": {}, "summary": "", "urgency": "page",'
    ' "startsAt": "2026-01-01T12:00:00Z", "told": {"hook": "critical"}}'
)


@pytest.mark.parametrize("text", ["nonsense", NO_URGENCY])
async def test_what_nobody_can_read_is_forgotten(world: MakeWorld, text: str) -> None:
    here = await world()
    name = f"{keys.TOLD}-0"
    broken = {"metadata": {"name": name}, "data": {"0abc": text}}
    await here.client.create(CONFIG_MAPS, broken, namespace=keys.NAMESPACE)

    told = await read(here, "hook")
    await told.flush()

    assert told.entries() == ()
    assert (await here.client.get(CONFIG_MAPS, name, namespace=keys.NAMESPACE)).data == {}


async def test_what_can_not_be_written_now_is_written_later(world: MakeWorld) -> None:
    here = await world()
    lost = Told(here.client, namespace="absent")
    await lost.intend([(ALERT, ["hook"])])
    Direct(here.api).create("namespaces", {"metadata": {"name": "absent"}})

    await lost.flush()

    again = Told(here.client, namespace="absent")
    await again.load(["hook"])
    assert again.receivers_of(ALERT) == ("hook",)


async def test_marks_at_the_same_time_are_all_kept(world: MakeWorld) -> None:
    here = await world()
    told = await read(here, *(str(n) for n in range(9)))
    await told.intend([(ALERT, [str(n) for n in range(9)])])

    await asyncio.gather(*(told.mark(str(n), [OVER]) for n in range(9)))

    assert (await read(here, *(str(n) for n in range(9)))).entries() == ()


async def test_many_incidents_are_spread_over_several_objects(world: MakeWorld) -> None:
    here = await world()
    told = await read(here, "hook")
    await told.intend([(_other(n), ["hook"]) for n in range(100)])

    found = (await here.client.listing(CONFIG_MAPS, namespace=keys.NAMESPACE)).items

    assert len(found) > 8
    assert sum(len(each.data) for each in found) == 100


def _other(n: int) -> Alert:
    return alerts.of_repair(repair(f"n{n}"), Alerting(), "", NOON)
