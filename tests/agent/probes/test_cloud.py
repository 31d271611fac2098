"""What a cloud announces becomes levels; a machine of nobody's cloud asks nobody."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from agent import state
from agent.host.clouds.facts import Provider
from agent.host.linux import Host
from agent.probe import Past
from agent.probes.cloud import SOON, Cloud
from agent.readings import Reading, checked
from agent.state import State
from nodehealth.kit.settings import SettingsError, read
from nodehealth.signals import Knowledge
from tests.agent.host.clouds.metadata import Compute, Imds, Instance, Metadata, served

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOTHING = {"effect": "", "kind": "", "event": "", "not_before": ""}
YET = "no notifications have been received yet, try again later"
EVENT: dict[str, Any] = {
    "NotBefore": "01 Jan 2026 12:30:00 GMT",
    "Code": "instance-stop",
    "EventId": "instance-event-1",
    "State": "active",
}

Told = dict[str, float | str | None]


def scheduled(service: Imds, *events: dict[str, Any]) -> None:
    service.data("/events/maintenance/scheduled", json.dumps(events))


def gcp() -> Compute:
    service = Compute()
    service.instance("/maintenance-event", "NONE")
    service.instance("/preempted", "FALSE")
    return service


async def readings(
    service: Metadata, provider: Provider, past: Past | None = None
) -> dict[str, Reading]:
    async with served(service.answer) as url:
        probe = Cloud(provider=provider, url=url)
        found = await probe.check(Host(), past or {})
    for each in found:
        checked(each)
    return {each.name: each for each in found}


def values(found: dict[str, Reading]) -> Told:
    return {
        name.removeprefix("cloud."): each.value
        if each.knowledge is Knowledge.KNOWN
        else str(each.knowledge)
        for name, each in found.items()
    }


async def test_an_instance_of_aws_without_notices_is_well() -> None:
    found = await readings(Imds(), Provider.AWS)

    assert values(found) == {
        "maintenance": 0,
        "interruption": 0,
        "rebalance": 0,
        "maintenance_soon": 0,
    }
    assert found["cloud.maintenance"].fields == NOTHING | {"source": "aws"}


@pytest.mark.parametrize(
    ("service", "provider"), [(gcp(), Provider.GCP), (Instance(), Provider.AZURE)]
)
async def test_other_clouds_have_no_word_for_rebalancing(
    service: Metadata, provider: Provider
) -> None:
    service.say("/metadata/scheduledevents", '{"DocumentIncarnation": 1, "Events": []}')

    assert values(await readings(service, provider)) == {
        "maintenance": 0,
        "interruption": 0,
        "rebalance": "notApplicable",
        "maintenance_soon": 0,
    }


async def test_a_notice_is_told_in_the_clouds_words() -> None:
    service = Imds()
    scheduled(service, EVENT)

    found = await readings(service, Provider.AWS)

    assert found["cloud.maintenance"].value == 1
    assert found["cloud.maintenance"].fields == {
        "effect": "stop",
        "kind": "instance-stop",
        "event": "instance-event-1",
        "not_before": "2026-01-01T12:30:00Z",
        "source": "aws",
    }


async def test_of_several_notices_the_gravest_is_told_and_then_the_first() -> None:
    service = Imds()
    pause = EVENT | {"Code": "system-maintenance", "NotBefore": "01 Jan 2026 12:01:00 GMT"}
    later = EVENT | {"EventId": "later", "NotBefore": "02 Jan 2026 12:30:00 GMT"}
    scheduled(service, pause, later, EVENT)

    found = await readings(service, Provider.AWS)

    assert found["cloud.maintenance"].fields["event"] == "instance-event-1"


@pytest.mark.parametrize(
    ("code", "begins", "soon"),
    [
        ("instance-stop", "01 Jan 2026 12:30:00 GMT", 1),
        ("instance-stop", "01 Jan 2026 12:30:01 GMT", 0),
        ("instance-stop", "01 Jan 2026 11:00:00 GMT", 1),
        ("system-maintenance", "01 Jan 2026 12:01:00 GMT", 0),
        ("something-new", "01 Jan 2026 12:01:00 GMT", 1),
    ],
)
async def test_maintenance_is_soon_by_the_clouds_own_clock(
    code: str, begins: str, soon: int
) -> None:
    service = Imds()
    scheduled(service, EVENT | {"Code": code, "NotBefore": begins})

    assert (await readings(service, Provider.AWS))[SOON].value == soon


async def test_without_the_clouds_clock_nobody_knows_what_is_soon() -> None:
    service = Imds(date="")
    scheduled(service, EVENT)

    found = await readings(service, Provider.AWS)

    assert values(found)["maintenance"] == 1
    assert found[SOON].why == "the service tells no time"


async def test_maintenance_that_has_begun_is_soon_without_a_clock() -> None:
    service = gcp()
    service.date = ""
    service.instance("/maintenance-event", "TERMINATE_ON_HOST_MAINTENANCE")

    assert (await readings(service, Provider.GCP))[SOON].value == 1


async def test_what_cannot_be_read_is_unknown_and_says_why() -> None:
    service = Imds()
    service.data("/spot/instance-action", "<html>")

    found = await readings(service, Provider.AWS)

    assert values(found)["interruption"] == "unknown"
    assert found["cloud.interruption"].why == "spot: not what the service says"
    assert values(found)["maintenance"] == 0


async def test_a_plan_that_is_not_mentioned_any_more_is_not_taken_back() -> None:
    service = gcp()
    plan = {"maintenance_status": "PENDING", "type": "SCHEDULED"}
    begins = {"window_start_time": "2026-02-10T07:00:00+00:00"}
    service.instance("/upcoming-maintenance", json.dumps(plan | begins))
    before = folded(await readings(service, Provider.GCP))
    service.instance("/upcoming-maintenance", YET, 503)

    found = await readings(service, Provider.GCP, state.past(before, "cloud"))

    assert values(found)["maintenance"] == "unknown"


async def test_a_notice_that_is_taken_back_is_none_any_more() -> None:
    service, seen = Imds(), list[float | str | None]()
    for events in ((), (EVENT,), ()):
        scheduled(service, *events)
        seen.append(values(await readings(service, Provider.AWS))["maintenance"])

    assert seen == [0, 1, 0]


async def test_an_instance_that_never_had_a_plan_is_known_to_have_none() -> None:
    service = gcp()
    service.instance("/upcoming-maintenance", YET, 503)

    assert values(await readings(service, Provider.GCP))["maintenance"] == 0


def folded(found: dict[str, Reading]) -> State:
    begin = state.begin(None, boot_id="b", node_uid="u", probes=["cloud"], now=NOON)
    return state.answered(begin, "cloud", list(found.values()), NOON)


async def test_the_firmware_says_which_service_is_asked(tmp_path: Path) -> None:
    folder = tmp_path / "sys/class/dmi/id"
    folder.mkdir(parents=True)
    (folder / "sys_vendor").write_text("Amazon EC2\n")
    service = Imds()

    async with served(service.answer) as url:
        await Cloud(url=url).check(Host(root=tmp_path), {})

    assert "PUT /latest/api/token" in service.asked


async def test_a_machine_of_nobodys_cloud_asks_nobody(tmp_path: Path) -> None:
    service = Imds()

    async with served(service.answer) as url:
        said = await Cloud(url=url).check(Host(root=tmp_path), {})

    assert said == ()
    assert service.asked == []


async def test_a_token_is_kept_from_look_to_look() -> None:
    service, host = Imds(), Host()
    async with served(service.answer) as url:
        for _ in range(3):
            await Cloud(provider=Provider.AWS, url=url).check(host, {})

    assert service.given == 1


async def test_a_notice_of_nonsense_fits_into_a_report() -> None:
    service = Imds()
    scheduled(service, EVENT | {"Code": "\u0000\u202e" + "x" * 5000})

    found = await readings(service, Provider.AWS)

    assert found["cloud.maintenance"].fields["kind"] == "x" * 64


async def test_a_captive_portal_makes_no_fault() -> None:
    async def portal(_: web.Request) -> web.Response:
        return web.Response(text="<html>log in</html>")

    for provider in Provider:
        async with served(portal) as url:
            probe = Cloud(provider=provider, url=url, patience=timedelta(seconds=5))
            said = await probe.check(Host(), {})
        assert not any(each.value for each in said)
        assert Knowledge.UNKNOWN in {each.knowledge for each in said}


@pytest.mark.parametrize("url", ["https://169.254.169.254", "169.254.169.254", "http://"])
def test_a_url_that_cannot_be_asked_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="expected a url over http, got"):
        read(Cloud, {"url": url}, "probes.cloud")


def test_a_cloud_that_nobody_knows_is_refused() -> None:
    with pytest.raises(SettingsError, match="expected one of aws, azure, gcp, got 'ovh'"):
        read(Cloud, {"provider": "ovh"}, "probes.cloud")
