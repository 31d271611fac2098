"""A repair Pod tells in plain words where it stands and how it ended."""

import msgspec

from nodehealth.outcome import Outcome, Result
from remediator.decide import repairpods
from remediator.decide.repairpods import (
    ContainerState,
    ContainerStatus,
    RepairPod,
    RepairPodStatus,
    Terminated,
    Waiting,
)


def pod(*states: ContainerState, phase: str = "", reason: str = "", message: str = "") -> RepairPod:
    statuses = tuple(ContainerStatus(state=each) for each in states)
    return RepairPod(
        status=RepairPodStatus(
            phase=phase, reason=reason, message=message, container_statuses=statuses
        )
    )


def test_last_words_are_read_as_they_were_written() -> None:
    words = Outcome(result=Result.REFUSED, message="512 python holds nvidia0", boot_id="b1")
    ended = Terminated(exit_code=3, message=msgspec.json.encode(words).decode())

    assert repairpods.heard(pod(ContainerState(terminated=ended))) == words


def test_words_that_are_none_of_ours_are_no_words() -> None:
    garbled = pod(ContainerState(terminated=Terminated(message="Killed")))

    assert repairpods.heard(garbled) is None
    assert repairpods.heard(pod(ContainerState())) is None
    assert repairpods.heard(pod()) is None


def test_where_a_pod_stands_is_said_in_words() -> None:
    pulling = ContainerState(waiting=Waiting(reason="ErrImagePull", message="no such image"))

    assert repairpods.standing(pod()) == "its Pod is not started yet"
    assert repairpods.standing(pod(pulling)) == "its Pod waits (ErrImagePull: no such image)"
    assert repairpods.standing(pod(ContainerState(waiting=Waiting()))) == (
        "its Pod waits (no reason is given)"
    )
    assert repairpods.standing(pod(ContainerState())) == "its Pod runs"


def test_how_a_pod_ended_without_words_is_said_too() -> None:
    late = pod(phase="Failed", reason="DeadlineExceeded", message="was active too long")
    killed = ContainerState(terminated=Terminated(exit_code=137, reason="OOMKilled"))

    assert repairpods.why(late) == "its Pod failed (DeadlineExceeded): was active too long"
    assert repairpods.why(pod(killed)) == ("its program ended with 137 (OOMKilled), without a word")
    assert repairpods.why(pod()) == "its program ended with 0 (), without a word"
