"""What follows a rung depends on how it ended and on what it was for."""

from dataclasses import replace

import pytest
from msgspec import structs

from nodehealth.repair import NodeRepairStatus, Phase, PhaseTime
from remediator.decide import rungs
from remediator.decide.moves import Mended, NextRung, Reason, Strand, Surrender, View, Wellness
from tests.builders import NOON, ledger, node, repair


def on(rung: int) -> View:
    status = NodeRepairStatus(phase=Phase.DRAINING, rung=rung, rung_since=NOON)
    climbing = repair(status=status)
    return View(repair=climbing, node=node(), ledger=ledger(), well=Wellness(), now=NOON)


def test_a_rung_that_prepares_leads_on_and_one_that_mends_ends_the_climb() -> None:
    assert rungs.done(on(0), "empty", mends=False) == NextRung(rung=1, message="empty")
    assert rungs.done(on(0), "reset", mends=True) == Mended(message="reset")
    assert rungs.done(on(1), "empty", mends=False) == Mended(message="empty")


def test_a_remedy_that_failed_gives_way_to_the_next_and_the_last_one_to_a_person() -> None:
    last = rungs.after(on(1), "no successor")

    assert rungs.after(on(0), "no reset") == NextRung(rung=1, message="no reset")
    assert isinstance(last, Surrender)
    assert last.reason == Reason.LADDER_EXHAUSTED


def test_what_a_failed_drain_would_have_protected_is_left_to_a_person() -> None:
    move = rungs.after(on(0), "pods are left", mends=False)

    assert isinstance(move, Surrender)
    assert move.reason == Reason.PREPARATION_FAILED
    assert move.message == (
        "pods are left; uncordon the node to have it left alone, or `nodemend repairs retry` to"
        " have it repaired anew"
    )


def test_a_machine_is_switched_off_only_if_it_is_mended_afterwards() -> None:
    last = rungs.stranded(on(1), "silent")

    assert rungs.stranded(on(0), "silent") == Strand(message="silent")
    assert isinstance(last, Surrender)
    assert last.message.startswith("silent; no rung follows")


def test_a_kubelet_that_comes_and_goes_is_left_to_a_person() -> None:
    seen = on(0)
    rounds = (PhaseTime(phase=Phase.DRAINING, at=NOON), PhaseTime(phase=Phase.FENCING, at=NOON)) * 2
    status = structs.replace(seen.repair.status, timeline=rounds)
    again = replace(seen, repair=structs.replace(seen.repair, status=status))

    move = rungs.stranded(again, "silent")

    assert isinstance(move, Surrender)
    assert "it has come back 2 times, so the drain would never end" in move.message


@pytest.mark.parametrize("end", [Phase.NEEDS_HUMAN, Phase.PARKED])
def test_what_came_and_went_before_a_person_began_anew_does_not_count(end: Phase) -> None:
    seen = on(0)
    phases = (Phase.FENCING, Phase.FENCING, end, Phase.DRAINING)
    rounds = tuple(PhaseTime(phase=each, at=NOON) for each in phases)
    status = structs.replace(seen.repair.status, timeline=rounds)
    again = replace(seen, repair=structs.replace(seen.repair, status=status))

    assert rungs.stranded(again, "silent") == Strand(message="silent")
