"""Every Alertmanager hears of what goes on until some time from now, and of what is over."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nodehealth.kit.settings import SettingsError
from remediator.decide import alerts
from remediator.decide.alerts import Alert, Rise
from remediator.files import sink
from remediator.rules.alerting import Urgency
from remediator.sinks import DeliveryError
from tests.builders import NOON, at
from tests.remediator.sinks.conftest import Mailbox

TWO = {"urls": ["http://am-0:9093/", "http://am-1:9093"]}


def alert(*rises: Rise, runbook: str = "https://git.example/x.md") -> Alert:
    return Alert(
        incident="i1",
        name="NodeRepair",
        labels={"node": "n1"},
        summary="s",
        description="d",
        runbook=runbook,
        rises=rises or (Rise(urgency=Urgency.INFO, at=NOON),),
    )


def posted(body: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = msgspec.json.decode(body)
    return found


async def test_each_alertmanager_is_told() -> None:
    box = Mailbox(now=NOON)

    await sink("alertmanager", TWO).send([alert()], box.outside())

    assert [each.url for each in box.letters] == [
        "http://am-0:9093/api/v2/alerts",
        "http://am-1:9093/api/v2/alerts",
    ]


async def test_what_goes_on_ends_by_itself_unless_it_is_said_again() -> None:
    box = Mailbox(now=at(600))

    await sink("alertmanager", TWO).send([alert()], box.outside())

    assert posted(box.letters[0].body) == [
        {
            "labels": {"alertname": "NodeRepair", "node": "n1", "severity": "info"},
            "annotations": {
                "summary": "s",
                "description": "d",
                "runbook_url": "https://git.example/x.md",
            },
            "startsAt": "2026-01-01T12:00:00Z",
            "endsAt": "2026-01-01T12:13:00Z",
        }
    ]


async def test_what_is_over_ends_when_it_ended() -> None:
    box = Mailbox(now=at(600))

    await sink("alertmanager", TWO).send([alerts.ended(alert(), at(590), "")], box.outside())

    (said,) = posted(box.letters[0].body)
    assert said["endsAt"] == "2026-01-01T12:09:50Z"


async def test_what_became_more_urgent_is_one_alert_and_not_two() -> None:
    rises = Rise(urgency=Urgency.INFO, at=NOON), Rise(urgency=Urgency.PAGE, at=at(60))
    box = Mailbox(now=at(61))

    await sink("alertmanager", TWO).send([alert(*rises)], box.outside())

    said = [
        (each["labels"]["severity"], each["startsAt"], each["endsAt"])
        for each in posted(box.letters[0].body)
    ]
    assert said == [
        ("page", "2026-01-01T12:01:00Z", "2026-01-01T12:04:01Z"),
        ("info", "2026-01-01T12:00:00Z", "2026-01-01T12:01:00Z"),
    ]


async def test_the_end_of_what_it_was_is_not_said_for_ever() -> None:
    rises = Rise(urgency=Urgency.INFO, at=NOON), Rise(urgency=Urgency.PAGE, at=at(60))
    box = Mailbox(now=at(60) + timedelta(minutes=5))

    await sink("alertmanager", TWO).send([alert(*rises)], box.outside())

    assert [each["labels"]["severity"] for each in posted(box.letters[0].body)] == ["page"]


async def test_one_alertmanager_that_takes_it_is_enough() -> None:
    box = Mailbox(now=NOON, away={"http://am-0:9093/api/v2/alerts"})

    await sink("alertmanager", TWO).send([alert()], box.outside())

    assert [each.url for each in box.letters] == ["http://am-1:9093/api/v2/alerts"]


async def test_when_none_takes_it_it_was_not_delivered() -> None:
    box = Mailbox(now=NOON, away={f"http://am-{n}:9093/api/v2/alerts" for n in (0, 1)})

    with pytest.raises(DeliveryError):
        await sink("alertmanager", TWO).send([alert()], box.outside())


async def test_a_token_is_shown_where_one_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n")
    box = Mailbox(now=NOON)
    guarded = {**TWO, "tokenFile": str(tmp_path / "token"), "generatorUrl": "https://x.example"}

    await sink("alertmanager", guarded).send([alert(runbook="")], box.outside())

    assert box.letters[0].headers["Authorization"] == "Bearer abc"
    assert posted(box.letters[0].body)[0]["generatorURL"] == "https://x.example"


async def test_a_token_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    guarded = {**TWO, "tokenFile": str(tmp_path / "token")}

    with pytest.raises(DeliveryError, match="token: expected Alertmanager's token, No such file"):
        await sink("alertmanager", guarded).send([alert()], Mailbox(now=NOON).outside())


def test_without_an_alertmanager_nobody_is_told() -> None:
    with pytest.raises(SettingsError, match=r"alertmanager.urls: expected a list, got nothing"):
        sink("alertmanager", {})
