"""Driver and GPUs that come and go under processes that have NVML open."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from simulator.driver.control import Driver, error
from tests.simulator.driver.clients import Client

GPU: Final = {"gpu": 3}
POWER: Final = "nvmlDeviceGetPowerUsage"


def test_nothing_is_answered_before_nvml_is_open_and_after_it_was_closed(
    start: Callable[[], Client],
) -> None:
    client = start()
    client.ask("open")
    client.ask("nvmlInit")
    client.ask("nvmlShutdown")
    while_open_once_more = client.ask(POWER, GPU)
    client.ask("nvmlShutdown")

    assert while_open_once_more == 71002
    assert client.ask(POWER, GPU) == {"error": 1}
    assert client.ask("nvmlDeviceGetCount") == {"error": 1}
    assert client.ask("nvmlShutdown") == {"error": 1}


def test_nvml_cannot_be_opened_without_a_driver(
    driver: Driver, start: Callable[[], Client]
) -> None:
    driver.unload()

    assert start().ask("nvmlInit") == {"error": 9}


def test_opening_nvml_can_fail_in_any_way(driver: Driver, start: Callable[[], Client]) -> None:
    driver.set(None, "nvmlInit_v2", error(17))

    assert start().ask("nvmlInit") == {"error": 17}


def test_calls_fail_once_the_driver_went_away(driver: Driver, client: Client) -> None:
    driver.unload(code=999)

    assert client.ask(POWER, GPU) == {"error": 999}
    assert client.ask("nvmlDeviceGetCount") == {"error": 999}


def test_a_driver_that_came_back_answers_only_who_opens_nvml_again(
    driver: Driver, client: Client
) -> None:
    driver.unload()
    driver.load()
    before = client.ask(POWER, GPU)
    client.ask("nvmlShutdown")
    client.open()

    assert before == {"error": 999}
    assert client.ask(POWER, GPU) == 71002


def test_an_upgrade_is_a_mismatch_for_who_has_the_old_library(
    driver: Driver, client: Client, start: Callable[[], Client]
) -> None:
    driver.unload()
    driver.load("575.57.08")
    client.ask("nvmlShutdown")

    assert client.ask("nvmlInit") == {"error": 18}
    assert start().open().ask("nvmlSystemGetDriverVersion") == "575.57.08"


def test_a_library_of_another_version_is_a_mismatch_for_all(
    driver: Driver, start: Callable[[], Client]
) -> None:
    driver.unload()
    driver.load("575.57.08", library="570.124.06")

    assert start().ask("nvmlInit") == {"error": 18}


def test_a_lost_gpu_says_so_in_every_call_and_others_go_on(driver: Driver, client: Client) -> None:
    driver.lose(3)
    calls = (POWER, "nvmlDeviceGetUUID", "nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetIndex")

    assert [client.ask(call, GPU) for call in calls] == [{"error": 15}] * 4
    assert client.ask("nvmlDeviceGetFieldValues", GPU, [230]) == {"error": 15}
    assert client.ask(POWER, {"gpu": 4}) == 71002


def test_a_lost_gpu_is_counted_until_nvml_is_opened_again(driver: Driver, client: Client) -> None:
    driver.lose(3)
    before = client.ask("nvmlDeviceGetCount"), client.ask("nvmlDeviceGetHandleByIndex", 3)
    client.ask("nvmlShutdown")
    client.open()

    assert before == (8, {"error": 15})
    assert client.ask("nvmlDeviceGetCount") == 7
    assert client.ask("nvmlDeviceGetUUID", GPU) == driver.uuid(4)
    assert client.ask("nvmlDeviceGetHandleByUUID", driver.uuid(3)) == {"error": 6}


def test_a_gpu_that_is_found_answers_again(driver: Driver, client: Client) -> None:
    driver.lose(3)
    driver.find(3)

    assert client.ask(POWER, GPU) == 71002


def test_the_driver_says_how_many_gpus_it_is_told_to(driver: Driver, client: Client) -> None:
    driver.set(None, "nvmlDeviceGetCount_v2", error(999))
    driver.set(None, "nvmlGetExcludedDeviceCount", 1)

    assert client.ask("nvmlDeviceGetCount") == {"error": 999}
    assert client.ask("nvmlGetExcludedDeviceCount") == 1


def test_two_processes_see_the_same_machine(
    driver: Driver, client: Client, start: Callable[[], Client]
) -> None:
    other = start().open()
    driver.set(3, POWER, 5)

    assert [one.ask(POWER, GPU) for one in (client, other)] == [5, 5]


def test_two_hands_on_one_machine_do_not_undo_each_other(driver: Driver) -> None:
    other = Driver(driver.folder)
    with ThreadPoolExecutor() as hands:
        for at in range(40):
            hands.submit((driver, other)[at % 2].field, 0, str(1000 + at), at)
    fields = driver.state().gpus[0]["nvmlDeviceGetFieldValues"]

    assert {str(1000 + at) for at in range(40)} <= set(fields)


def test_threads_ask_at_once_while_the_machine_changes(driver: Driver, client: Client) -> None:
    question = [["nvmlDeviceGetRemappedRows", [{"gpu": gpu}]] for gpu in range(8)] * 50
    asked = [client.begin("many", *question, thread=f"{at}") for at in range(6)]
    for at in range(60):
        driver.set(at % 8, "nvmlDeviceGetRemappedRows", [at, at, 1, 1])
    said = [rows for answer in asked for rows in answer.result(30)["result"]]

    assert len(said) == 6 * 400
    assert all(rows[0] == rows[1] and rows[2] == rows[3] for rows in said)


def test_a_slow_call_is_slow_on_its_gpu_alone(driver: Driver, client: Client) -> None:
    driver.slow(60_000, 3)
    slow = client.begin(POWER, GPU, thread="slow")

    assert client.ask(POWER, {"gpu": 4}) == 71002
    assert not slow.done()
