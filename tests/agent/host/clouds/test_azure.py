"""Azure lists the events of neighbours too, and only a well-formed answer counts."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from agent.host.clouds import azure
from agent.host.clouds.azure import Azure
from agent.host.clouds.exchange import Answer, UnclearError
from agent.host.clouds.facts import Bulletin, Effect, Notice, Told, Topic
from tests.agent.host.clouds.metadata import Instance, served

LONG = timedelta(seconds=10)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
REBOOT: dict[str, Any] = {
    "EventId": "C7061BAC-AFDC-4513-B24B-AA5F13A16123",
    "EventStatus": "Scheduled",
    "EventType": "Reboot",
    "ResourceType": "VirtualMachine",
    "Resources": ["aks-gpu-1_0", "AKS-gpu-1_3"],
    "NotBefore": "Thu, 01 Jan 2026 12:15:00 GMT",
    "Description": "Host server is undergoing maintenance.",
    "EventSource": "Platform",
    "DurationInSeconds": 9,
}


def service(*events: dict[str, Any], name: str = "aks-gpu-1_3") -> Instance:
    made = Instance(name=name)
    made.say(
        "/metadata/scheduledevents",
        json.dumps({"DocumentIncarnation": 2, "Events": events}),
    )
    return made


async def read(instance: Instance) -> Bulletin:
    async with served(instance.answer) as url:
        return await Azure(url).bulletin(LONG)


async def unread(instance: Instance) -> str:
    (why,) = {each.unread for each in (await read(instance)).values()}
    return why


async def test_a_machine_without_events_has_no_notice() -> None:
    nothing = Told(at=NOON)

    assert await read(service()) == {Topic.MAINTENANCE: nothing, Topic.INTERRUPTION: nothing}


async def test_an_event_of_ours_is_told() -> None:
    said = await read(service(REBOOT))

    assert said[Topic.MAINTENANCE].notices == (
        Notice(
            effect=Effect.REBOOT,
            kind="Reboot",
            event="C7061BAC-AFDC-4513-B24B-AA5F13A16123",
            not_before=NOON + timedelta(minutes=15),
        ),
    )


async def test_an_event_of_a_neighbour_is_not_ours() -> None:
    said = await read(service(REBOOT | {"Resources": ["aks-gpu-1_30"]}))

    assert said[Topic.MAINTENANCE].notices == ()


@pytest.mark.parametrize(
    ("kind", "topic", "effect"),
    [
        ("Freeze", Topic.MAINTENANCE, Effect.PAUSE),
        ("Redeploy", Topic.MAINTENANCE, Effect.STOP),
        ("Preempt", Topic.INTERRUPTION, Effect.STOP),
        ("Terminate", Topic.INTERRUPTION, Effect.STOP),
        ("Levitate", Topic.MAINTENANCE, Effect.OTHER),
    ],
)
async def test_an_event_has_its_topic_and_effect(kind: str, topic: Topic, effect: Effect) -> None:
    said = await read(service(REBOOT | {"EventType": kind}))

    assert [(each.kind, each.effect) for each in said[topic].notices] == [(kind, effect)]
    assert sum(len(each.notices) for each in said.values()) == 1


async def test_an_event_that_has_begun_has_no_time_any_more() -> None:
    said = await read(service(REBOOT | {"EventStatus": "Started", "NotBefore": ""}))

    (notice,) = said[Topic.MAINTENANCE].notices
    assert (notice.begun, notice.not_before) == (True, None)


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (REBOOT | {"EventStatus": "Completed"}, "an event in a state that is not known"),
        (REBOOT | {"NotBefore": ""}, "an event without its time"),
        ({"EventType": "Reboot"}, "not what the service says"),
        (REBOOT | {"Resources": "aks-gpu-1_3"}, "not what the service says"),
    ],
)
async def test_what_is_not_well_formed_is_unknown(event: dict[str, Any], why: str) -> None:
    assert await unread(service(event)) == f"scheduled events: {why}"


@pytest.mark.parametrize("body", ["{}", '{"Events": []}', "<html>", "", "[]"])
async def test_a_document_of_another_shape_is_unknown(body: str) -> None:
    instance = service()
    instance.say("/metadata/scheduledevents", body)

    assert await unread(instance) == "scheduled events: not what the service says"


async def test_a_service_that_is_being_switched_on_is_unknown() -> None:
    instance = service()
    instance.say("/metadata/scheduledevents", "", 503)

    assert await unread(instance) == "scheduled events: status 503"


async def test_a_machine_without_a_name_knows_of_no_event() -> None:
    assert await unread(service(name="<html>")) == "scheduled events: no name of the machine"


async def test_the_name_is_asked_for_once() -> None:
    instance = service(REBOOT)
    async with served(instance.answer) as url:
        reader = Azure(url)
        for _ in range(3):
            await reader.bulletin(LONG)

    assert sum("compute/name" in each for each in instance.asked) == 1


async def test_nothing_is_ever_acknowledged() -> None:
    instance = service(REBOOT)

    await read(instance)

    assert {each.partition(" ")[0] for each in instance.asked} == {"GET"}


async def test_a_captive_portal_gives_no_notice() -> None:
    async def portal(_: web.Request) -> web.Response:
        return web.Response(text="<html>log in</html>")

    async with served(portal) as url:
        said = await Azure(url).bulletin(LONG)

    assert {each.notices for each in said.values()} == {()}
    assert {each.unread for each in said.values()} == {"scheduled events: no name of the machine"}


@given(
    st.dictionaries(
        st.sampled_from(sorted(REBOOT)), st.text() | st.integers() | st.lists(st.text())
    )
)
def test_no_event_is_made_of_garbage(some: dict[str, Any]) -> None:
    document = {"DocumentIncarnation": 1, "Events": [REBOOT | some]}
    answer = Answer(status=200, headers={}, body=json.dumps(document).encode())

    try:
        notices = azure.events(answer, "aks-gpu-1_3")
    except UnclearError:
        return
    assert all(each.begun or each.not_before is not None for each in notices)
