"""A service is restarted by a program that was sent once, and its word is believed."""

import pytest

from nodehealth.kit.settings import SettingsError
from nodehealth.outcome import Result
from nodehealth.units import Service
from remediator.actions import Done, Failed
from remediator.actions.restart_service import RestartService
from remediator.files import remedy
from simulator import virtualtime
from tests.remediator.sending import sending

ACTION = RestartService(service=Service.FABRIC_MANAGER)


@virtualtime.played
async def test_the_service_is_named_to_the_program() -> None:
    here = await sending("restart-service")
    await here.runs(ACTION, times=2)

    words = await here.command()

    assert words[-2:] == ["--service", "nvidia-fabricmanager"]


@pytest.mark.parametrize(
    ("result", "progress"),
    [
        (Result.DONE, Done(message="it runs again")),
        (Result.FAILED, Failed(message="restart-service failed: it runs again")),
    ],
)
@virtualtime.played
async def test_the_programs_word_is_what_came_of_it(
    result: Result, progress: Done | Failed
) -> None:
    here = await sending("restart-service")
    await here.runs(ACTION, times=2)
    await here.end(result, "it runs again")

    assert await here.run(ACTION, after=20) == progress


@virtualtime.played
async def test_a_node_that_starts_nothing_has_failed_before_long() -> None:
    here = await sending("restart-service")
    await here.runs(ACTION, times=2)
    await here.say("Pending", {"waiting": {"reason": "ImagePullBackOff"}})

    await here.run(ACTION, after=180)
    leaving = await here.pod()
    here.direct.delete(
        "pods",
        leaving.metadata.name,
        namespace=leaving.metadata.namespace,
        options={"gracePeriodSeconds": 0},
    )
    failed = await here.run(ACTION, after=200)

    assert leaving.metadata.deletion_timestamp is not None
    assert isinstance(failed, Failed)


@pytest.mark.parametrize("service", [None, "sshd", "kubelet; reboot"])
def test_no_other_service_is_restarted(service: str | None) -> None:
    written = {"service": service} if service else {}

    with pytest.raises(SettingsError, match="service"):
        remedy("restart-service", written)
