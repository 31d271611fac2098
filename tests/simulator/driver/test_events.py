"""What comes out of event sets."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from simulator.driver.control import Driver, error
from tests.simulator.driver.clients import Client

WAIT: Final = "nvmlEventSetWait_v2"
LONG: Final = 20_000
"""Milliseconds in which what will come has come."""
TIMEOUT: Final = {"error": 10}


def drained(client: Client, events: dict[str, int]) -> list[tuple[int, int]]:
    """Return GPU and data of all that there is."""
    told: list[tuple[int, int]] = []
    while "error" not in (event := client.ask(WAIT, events, 0, thread="events")):
        told.append((event["device"], event["eventData"]))
    return told


def test_an_xid_is_told_with_its_gpu(driver: Driver, client: Client) -> None:
    events = client.watch(2, 3)
    driver.xid(3, 79)

    assert client.ask(WAIT, events, LONG, thread="events") == {
        "device": 3,
        "eventType": 8,
        "eventData": 79,
        "gpuInstanceId": 0xFFFFFFFF,
        "computeInstanceId": 0xFFFFFFFF,
    }


def test_who_waits_already_is_woken(driver: Driver, client: Client) -> None:
    events = client.watch(3)
    waiting = client.begin(WAIT, events, LONG, thread="events")
    driver.xid(3, 48)

    assert waiting.result(20)["result"]["eventData"] == 48


def test_waiting_ends_when_nothing_comes(client: Client) -> None:
    assert client.ask(WAIT, client.watch(3), 10, thread="events") == TIMEOUT


def test_each_event_is_told_once_and_in_order(driver: Driver, client: Client) -> None:
    events = client.watch(0, 1)
    for code in range(50):
        driver.xid(code % 2, code)

    assert drained(client, events) == [(code % 2, code) for code in range(50)]


def test_a_storm_is_told_whole(driver: Driver, client: Client) -> None:
    events = client.watch(3)
    driver.xid(3, 31, times=2000)

    assert drained(client, events) == [(3, 31)] * 2000


def test_what_was_before_is_not_told(driver: Driver, client: Client) -> None:
    early = client.watch(0)
    driver.xid(1, 13)
    client.ask("nvmlDeviceRegisterEvents", {"gpu": 1}, 8, early, thread="events")
    driver.xid(1, 31)

    assert drained(client, early) == [(1, 31)]


def test_only_what_was_asked_for_is_told(driver: Driver, client: Client) -> None:
    events = client.watch(0, types=0x8)
    driver.event(0, 0x2)
    driver.xid(1, 79)
    driver.xid(0, 31)

    assert drained(client, events) == [(0, 31)]


def test_what_a_gpu_cannot_tell_cannot_be_asked_for(client: Client) -> None:
    events = client.watch()
    asked = client.ask("nvmlDeviceRegisterEvents", {"gpu": 0}, 0x8000, events, thread="events")

    assert asked == {"error": 3}


def test_two_sets_see_each_event(driver: Driver, client: Client) -> None:
    first, second = client.watch(3), client.watch(3)
    driver.xid(3, 63)

    assert [drained(client, events) for events in (first, second)] == [[(3, 63)]] * 2


def test_two_processes_see_each_event(
    driver: Driver, client: Client, start: Callable[[], Client]
) -> None:
    other = start().open()
    sets = [(one, one.watch(3)) for one in (client, other)]
    driver.xid(3, 94)

    assert [drained(one, events) for one, events in sets] == [[(3, 94)]] * 2


def test_an_event_of_a_mig_device_names_its_instances(driver: Driver, client: Client) -> None:
    events = client.watch(3)
    driver.event(3, 0x8, 31, instances=(2, 0))
    told: dict[str, Any] = client.ask(WAIT, events, LONG, thread="events")

    assert (told["gpuInstanceId"], told["computeInstanceId"]) == (2, 0)


def test_the_loss_of_a_gpu_ends_the_waiting_after_its_last_events(
    driver: Driver, client: Client
) -> None:
    events = client.watch(2, 3)
    driver.xid(3, 79)
    driver.lose(3)
    told = [client.ask(WAIT, events, LONG, thread="events") for _ in range(3)]

    assert told[0]["eventData"] == 79
    assert told[1:] == [{"error": 15}] * 2


def test_a_set_without_the_lost_gpu_works(driver: Driver, client: Client) -> None:
    driver.lose(3)
    events = client.watch(2)
    driver.xid(2, 31)

    assert drained(client, events) == [(2, 31)]
    assert client.ask("nvmlDeviceRegisterEvents", {"gpu": 3}, 8, events) == {"error": 15}


def test_waiting_ends_when_the_driver_goes_away(driver: Driver, client: Client) -> None:
    waiting = client.begin(WAIT, client.watch(3), LONG, thread="events")
    driver.unload()

    assert waiting.result(20)["error"] == 999


@pytest.mark.parametrize(("end", "code"), [("nvmlEventSetFree", 2), ("nvmlShutdown", 1)])
def test_waiting_ends_when_the_set_is_taken_away(client: Client, end: str, code: int) -> None:
    events = client.watch(3)
    waiting = client.begin(WAIT, events, LONG, thread="events")
    arguments = [events] if end == "nvmlEventSetFree" else []
    client.ask(end, *arguments)

    assert waiting.result(20)["error"] == code


def test_a_set_that_was_freed_is_none(client: Client) -> None:
    events = client.watch(3)
    client.ask("nvmlEventSetFree", events)

    assert client.ask(WAIT, events, 0) == {"error": 2}
    assert client.ask("nvmlEventSetFree", events) == {"error": 2}


def test_waiting_can_fail_in_any_way(driver: Driver, client: Client) -> None:
    events = client.watch(3)
    driver.set(None, "nvmlEventSetWait_v2", error(999))

    assert client.ask(WAIT, events, LONG, thread="events") == {"error": 999}
