"""Compute Engine is read by its own flavor, and only a well-formed answer counts."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from agent.host.clouds import gcp
from agent.host.clouds.exchange import Answer, UnclearError
from agent.host.clouds.facts import Bulletin, Effect, Notice, Told, Topic
from agent.host.clouds.gcp import Gcp
from tests.agent.host.clouds.metadata import Compute, served

LONG = timedelta(seconds=10)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
YET = "no notifications have been received yet, try again later"
PLAN = {
    "can_reschedule": "false",
    "latest_window_start_time": "2026-02-10T07:00:00+00:00",
    "maintenance_reasons": ["FAILURE_GPU_XID"],
    "maintenance_status": "PENDING",
    "type": "SCHEDULED",
    "window_end_time": "2026-02-10T10:00:00+00:00",
    "window_start_time": "2026-02-10T07:00:00+00:00",
}
CAMEL = {
    "maintenanceStatus": "ONGOING",
    "type": "UNSCHEDULED",
    "windowStartTime": "2026-02-10T00:00:00-07:00",
}
NEVER = Told(at=NOON, unsaid="upcoming-maintenance: nothing is said any more")


def well() -> Compute:
    """Return the service of an instance for which nothing is planned."""
    service = Compute()
    service.instance("/maintenance-event", "NONE")
    service.instance("/preempted", "FALSE")
    service.instance("/upcoming-maintenance", "{}")
    service.instance("/scheduling/on-host-maintenance", "TERMINATE")
    return service


async def read(service: Compute) -> Bulletin:
    async with served(service.answer) as url:
        return await Gcp(url).bulletin(LONG)


async def planned(body: object, status: int = 200, policy: str = "TERMINATE") -> Told:
    service = well()
    said = body if isinstance(body, str) else json.dumps(body)
    service.instance("/upcoming-maintenance", said, status)
    service.instance("/scheduling/on-host-maintenance", policy)
    return (await read(service))[Topic.MAINTENANCE]


async def test_an_instance_without_notices_has_none() -> None:
    assert await read(well()) == {
        Topic.MAINTENANCE: Told(at=NOON),
        Topic.INTERRUPTION: Told(at=NOON),
    }


@pytest.mark.parametrize(
    ("word", "effect"),
    [
        ("MIGRATE_ON_HOST_MAINTENANCE", Effect.PAUSE),
        ("TERMINATE_ON_HOST_MAINTENANCE", Effect.STOP),
    ],
)
async def test_maintenance_that_is_near_is_told(word: str, effect: Effect) -> None:
    service = well()
    service.instance("/maintenance-event", word)

    said = (await read(service))[Topic.MAINTENANCE]

    assert said.notices == (Notice(effect=effect, kind=word, begun=True),)


async def test_maintenance_that_is_planned_is_told_with_its_time() -> None:
    said = await planned(PLAN)

    assert said.notices == (
        Notice(
            effect=Effect.STOP,
            kind="planned-scheduled",
            not_before=datetime(2026, 2, 10, 7, tzinfo=UTC),
        ),
    )


async def test_the_other_way_to_write_it_is_read_too() -> None:
    (notice,) = (await planned(CAMEL)).notices

    assert notice.begun
    assert notice.not_before == datetime(2026, 2, 10, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("policy", "effect"),
    [("TERMINATE", Effect.STOP), ("MIGRATE", Effect.PAUSE), ("?", Effect.OTHER)],
)
async def test_what_becomes_of_it_is_what_its_owner_chose(policy: str, effect: Effect) -> None:
    (notice,) = (await planned(PLAN, policy=policy)).notices

    assert notice.effect is effect


@pytest.mark.parametrize("body", [{}, "NONE", '"NONE"'])
async def test_a_plan_of_nothing_is_none(body: object) -> None:
    assert await planned(body) == Told(at=NOON)


@pytest.mark.parametrize(("status", "body"), [(503, YET), (500, YET), (404, "not found")])
async def test_who_never_had_a_plan_is_told_so_by_an_error(status: int, body: str) -> None:
    assert await planned(body, status) == NEVER


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (503, "try again", "status 503"),
        (429, YET, "status 429"),
        (200, "<html>", "not what the service says"),
        (200, PLAN | {"maintenance_status": "?"}, "maintenance in a state that is not known"),
        (200, PLAN | {"window_start_time": "x"}, "maintenance without its time"),
        (200, PLAN | {"window_start_time": "2026-02-10T07:00:00"}, "maintenance without its time"),
        (200, PLAN | {"type": 3}, "not what the service says"),
        (200, [PLAN], "not what the service says"),
    ],
)
async def test_every_other_answer_is_unknown(status: int, body: object, why: str) -> None:
    assert (await planned(body, status)).unread == f"upcoming-maintenance: {why}"


async def test_a_preempted_instance_goes_away() -> None:
    service = well()
    service.instance("/preempted", "TRUE")

    said = (await read(service))[Topic.INTERRUPTION]

    assert said.notices == (Notice(effect=Effect.STOP, kind="preempted", begun=True),)


@pytest.mark.parametrize("path", ["/maintenance-event", "/preempted"])
async def test_a_word_that_the_service_does_not_have_is_unknown(path: str) -> None:
    service = well()
    service.instance(path, "<html>log in</html>")

    assert f"{path.strip('/')}: not what the service says" in {
        each.unread for each in (await read(service)).values()
    }


async def test_who_answers_without_the_flavor_is_somebody_else() -> None:
    async def impostor(_: web.Request) -> web.Response:
        return web.Response(text="TRUE")

    async with served(impostor) as url:
        said = await Gcp(url).bulletin(LONG)

    assert said[Topic.INTERRUPTION] == Told(unread="preempted: not what the service says")


@given(
    st.recursive(st.none() | st.booleans() | st.text() | st.integers(), st.lists)
    | st.dictionaries(st.sampled_from(sorted(PLAN)), st.text() | st.integers())
)
def test_no_plan_is_made_of_garbage(said: object) -> None:
    answer = Answer(status=200, headers={}, body=json.dumps(said).encode())

    try:
        notices = gcp.planned(answer, Effect.STOP)
    except UnclearError:
        return
    assert all(each.not_before is not None for each in notices)
