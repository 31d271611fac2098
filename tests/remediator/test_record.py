"""The record keeps when each phase began and why, and never grows without end."""

from nodehealth.repair import LOG_LENGTH, NodeRepairStatus, Phase
from remediator import record
from tests.builders import NOON, at


def test_entering_a_phase_is_noted_with_its_time_and_reason() -> None:
    status = record.entered(NodeRepairStatus(), Phase.WAITING, "NoSlot", "n2 has it", NOON)

    assert (status.phase, status.reason, status.message) == (Phase.WAITING, "NoSlot", "n2 has it")
    assert [(each.phase, each.at) for each in status.timeline] == [(Phase.WAITING, NOON)]
    assert [each.text for each in status.log] == ["Waiting (NoSlot): n2 has it"]


def test_a_new_message_alone_is_no_new_phase() -> None:
    first = record.entered(NodeRepairStatus(), Phase.DRAINING, "", "3 pods are leaving", NOON)

    second = record.entered(first, Phase.DRAINING, "", "2 pods are leaving", at(5))

    assert second.message == "2 pods are leaving"
    assert second.timeline == first.timeline
    assert second.log == first.log


def test_the_record_of_an_endless_repair_stays_small() -> None:
    status = NodeRepairStatus()
    for n in range(200):
        phase = Phase.WAITING if n % 2 else Phase.CORDONED
        status = record.entered(status, phase, "", "x" * 2000, at(n))

    assert len(status.log) == LOG_LENGTH
    assert len(status.timeline) == 64
    assert len(status.message) == 1024
    assert all(len(each.text) <= 1024 for each in status.log)
