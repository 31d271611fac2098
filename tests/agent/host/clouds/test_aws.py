"""EC2 is asked with a token, and only a well-formed answer counts."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from agent.host.clouds.aws import Aws
from agent.host.clouds.facts import Bulletin, Effect, Notice, Told, Topic
from tests.agent.host.clouds.metadata import Imds, served

LONG = timedelta(seconds=10)
REBOOT: dict[str, Any] = {
    "NotBefore": "21 Jan 2026 09:00:43 GMT",
    "Code": "system-reboot",
    "Description": "scheduled reboot",
    "EventId": "instance-event-0d59937288b749b32",
    "NotAfter": "21 Jan 2026 09:17:23 GMT",
    "State": "active",
}
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LOGIN = "<html><body>Please log in to the guest network</body></html>"


async def read(service: Imds) -> Bulletin:
    async with served(service.answer) as url:
        return await Aws(url).bulletin(LONG)


async def told(topic: Topic, path: str, body: str, status: int = 200) -> Told:
    service = Imds()
    service.data(path, body, status)
    return (await read(service))[topic]


async def of_events(body: object) -> Told:
    return await told(Topic.MAINTENANCE, "/events/maintenance/scheduled", json.dumps(body))


async def test_an_instance_without_notices_has_none() -> None:
    nothing = Told(at=NOON)

    assert await read(Imds()) == dict.fromkeys(Topic, nothing)


async def test_only_what_is_active_is_a_notice() -> None:
    over = [REBOOT | {"State": each} for each in ("completed", "canceled")]

    said = await of_events([REBOOT, *over])

    assert said.notices == (
        Notice(
            effect=Effect.REBOOT,
            kind="system-reboot",
            event="instance-event-0d59937288b749b32",
            not_before=datetime(2026, 1, 21, 9, 0, 43, tzinfo=UTC),
        ),
    )
    assert said.unread == ""


@pytest.mark.parametrize(
    ("code", "effect"),
    [
        ("instance-reboot", Effect.REBOOT),
        ("system-maintenance", Effect.PAUSE),
        ("instance-retirement", Effect.STOP),
        ("instance-stop", Effect.STOP),
        ("something-new", Effect.OTHER),
    ],
)
async def test_an_event_has_its_effect(code: str, effect: Effect) -> None:
    (notice,) = (await of_events([REBOOT | {"Code": code}])).notices

    assert (notice.effect, notice.kind) == (effect, code)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"Events": []}, "not what the service says"),
        ([{"Code": "system-reboot"}], "not what the service says"),
        ([REBOOT | {"State": "perhaps"}], "an event in a state that is not known"),
        ([REBOOT | {"NotBefore": "soon"}], "an event without its time"),
        (None, "not what the service says"),
    ],
)
async def test_what_is_not_well_formed_is_unknown(body: object, why: str) -> None:
    assert await of_events(body) == Told(unread=f"events: {why}")


async def test_a_spot_instance_is_told_when_it_goes() -> None:
    body = '{"action": "terminate", "time": "2026-01-01T12:02:00Z"}'

    said = await told(Topic.INTERRUPTION, "/spot/instance-action", body)

    assert said.notices == (
        Notice(effect=Effect.STOP, kind="spot-terminate", not_before=NOON + timedelta(minutes=2)),
    )


@pytest.mark.parametrize(
    "body", ['{"action": "terminate"}', '{"action": "stop", "time": "2026-01-01T12:02:00"}', LOGIN]
)
async def test_half_an_interruption_is_none_and_is_not_known_to_be_none(body: str) -> None:
    said = await told(Topic.INTERRUPTION, "/spot/instance-action", body)

    assert said.notices == ()
    assert said.unread.startswith("spot: ")


@pytest.mark.parametrize(
    ("state", "goes"),
    [
        ("InService", False),
        ("Warmed:Stopped", False),
        ("Terminated", True),
        ("Warmed:Terminated", True),
    ],
)
async def test_an_instance_that_its_group_ends_goes_away(state: str, goes: bool) -> None:  # noqa: FBT001 - a row of a table
    said = await told(Topic.INTERRUPTION, "/autoscaling/target-lifecycle-state", state)

    assert bool(said.notices) is goes
    assert said.unread == ""


async def test_a_lifecycle_that_nobody_knows_is_unknown() -> None:
    said = await told(Topic.INTERRUPTION, "/autoscaling/target-lifecycle-state", LOGIN)

    assert said.unread == "group: not what the service says"


async def test_what_is_known_counts_though_something_else_is_not() -> None:
    service = Imds()
    service.data("/autoscaling/target-lifecycle-state", "Terminated")
    service.data("/spot/instance-action", "", 503)

    said = (await read(service))[Topic.INTERRUPTION]

    assert [each.kind for each in said.notices] == ["group-terminates"]
    assert said.unread == "spot: status 503"


async def test_a_rebalance_recommendation_is_told_with_its_time() -> None:
    body = '{"noticeTime": "2026-01-01T11:00:00Z"}'

    said = await told(Topic.REBALANCE, "/events/recommendations/rebalance", body)

    (notice,) = said.notices
    assert notice.not_before == NOON - timedelta(hours=1)


async def test_one_token_serves_many_looks() -> None:
    service = Imds()
    async with served(service.answer) as url:
        aws = Aws(url)
        for _ in range(3):
            await aws.bulletin(LONG)

    assert service.given == 1
    assert [each for each in service.asked if "GET" not in each] == ["PUT /latest/api/token"]


async def test_a_token_that_is_refused_is_replaced_at_once() -> None:
    service = Imds()
    async with served(service.answer) as url:
        aws = Aws(url)
        await aws.bulletin(LONG)
        service.forget()
        after = await aws.bulletin(LONG)

    assert after[Topic.MAINTENANCE].unread == ""
    assert service.given == 2


async def test_a_service_that_refuses_every_token_is_not_asked_for_ever() -> None:
    class Stubborn(Imds):
        async def respond(self, request: web.Request) -> web.Response:
            answer = await super().respond(request)
            self.forget()
            return answer

    service = Stubborn()

    said = await read(service)

    assert {each.unread.rpartition(": ")[2] for each in said.values()} <= {"status 401"}
    assert service.given <= 8


async def test_without_a_token_nothing_is_known() -> None:
    async def off(_: web.Request) -> web.Response:
        return web.Response(status=403)

    async with served(off) as url:
        said = await Aws(url).bulletin(LONG)

    assert said[Topic.MAINTENANCE].unread == "no token, status 403"


async def test_a_token_that_cannot_come_so_far_is_not_waited_for() -> None:
    """A hop limit of 1 ends the way of the answer at the edge of a pod's own network."""
    over = asyncio.Event()

    async def far(_: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    async with served(far) as url:
        said = await Aws(url).bulletin(timedelta(seconds=0.2))
        over.set()

    assert said[Topic.INTERRUPTION].unread == "no token, timeout"


@asynccontextmanager
async def portal() -> AsyncIterator[str]:
    """Answer everything with a page, as the network of a hotel does."""

    async def handler(_: web.Request) -> web.Response:
        return web.Response(text=LOGIN, content_type="text/html")

    async with served(handler) as url:
        yield url


async def test_a_captive_portal_gives_no_notice() -> None:
    async with portal() as url:
        said = await Aws(url).bulletin(LONG)

    assert {each.notices for each in said.values()} == {()}
    assert said[Topic.MAINTENANCE].unread == "no token, not what the service says"
