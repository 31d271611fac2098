"""No node is uncordoned while somebody else is at work on it: they are waited for."""

from datetime import datetime
from typing import Final

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import Condition, Node
from nodehealth.repair import (
    BurnIn,
    BurningIn,
    Closing,
    Decision,
    NodeRepair,
    NodeRepairStatus,
    Phase,
    Request,
    Rung,
    Wish,
)
from remediator.decide import ladder, maintenance, rungs
from remediator.decide.holders import PATIENCE
from remediator.decide.moves import (
    Burn,
    Finish,
    Move,
    Reason,
    Release,
    Reply,
    Rest,
    Resume,
    Surrender,
    View,
    Wellness,
)
from tests.builders import NOON, at, ledger, node, repair, slot

WELL: Final = Wellness(over=True, since=NOON, heard_at=at(1))
SICK: Final = Wellness(holds=True, heard_at=at(1))
HELD: Final = ledger(epoch=5, cordons={"n1": 4}, slots={"n1": slot(5)})
TRADED: Final = ledger(epoch=5, cordons={"n1": 5})
KURED: Final = "kured is at work on n1; it is not given back before that is over"
LATE: Final = NOON + PATIENCE
REPLACE: Final = Rung(action="replace")


def mending(phase: Phase = Phase.VERIFYING, **more: object) -> NodeRepair:
    """Return a repair of a node that has to be well for no time at all."""
    status = NodeRepairStatus(phase=phase, cordon_epoch=4, disruption_epoch=5, rung_since=NOON)
    made = repair(status=structs.replace(status, **more))
    return structs.replace(made, spec=structs.replace(made.spec, verify_seconds=0))


def waiting(since: datetime, phase: Phase = Phase.VERIFYING, **more: object) -> NodeRepair:
    """Return one that waits for others, and has written down something else since."""
    told = Decision(at=since, text=f"{phase} (HeldByOthers): kured is at work on n1")
    log = (told, Decision(at=at(60), text="gpu-hot holds too: 95 °C"))
    return mending(phase, reason=Reason.HELD_BY_OTHERS, log=log, **more)


def held(*, by: str = "weave.works/kured-reboot-in-progress", pre: bool = False) -> Node:
    """Return a node that we disrupt and somebody else is at work on."""
    ours = node(
        fence="5:disrupted", unschedulable=True, taints=(keys.REPAIR_TAINT,), pre_cordoned=pre
    )
    annotations = {**ours.metadata.annotations, **({by: "now"} if by else {})}
    return structs.replace(ours, metadata=structs.replace(ours.metadata, annotations=annotations))


def move(
    mended: NodeRepair,
    seen: Node | None,
    *,
    well: Wellness = WELL,
    now: datetime = NOON,
    by: str = "",
) -> Move:
    where = TRADED if mended.status.phase is Phase.NEEDS_HUMAN else HELD
    view = View(repair=mended, node=seen, ledger=where, well=well, now=now, held=by)
    return ladder.next_move(view)


@pytest.mark.parametrize("well", [WELL, SICK], ids=["well", "not yet well"])
def test_a_node_neither_proves_well_nor_goes_back_under_the_hands_of_others(well: Wellness) -> None:
    given = move(mending(), held(), well=well)

    assert given == Rest(
        phase=Phase.VERIFYING,
        reason=Reason.HELD_BY_OTHERS,
        message=KURED,
        until=NOON + rungs.LOOK_AGAIN,
        held=True,
    )


def test_a_lock_that_lies_elsewhere_counts_as_a_mark_does() -> None:
    given = move(mending(), held(by=""), by="node-maintenance (lease x)")

    assert isinstance(given, Rest)
    assert given.message.startswith("node-maintenance (lease x) is at work on n1")


def test_when_they_are_gone_the_time_of_the_proof_goes_on() -> None:
    waits = waiting(NOON, held_since=NOON)

    assert isinstance(move(waits, held(by="")), Resume)


def test_a_cordon_of_others_is_left_to_them_at_once() -> None:
    given = move(mending(), held(pre=True))

    assert isinstance(given, Release)
    assert maintenance.keeper(held(pre=True)) == ""


def test_others_may_prove_nothing_about_a_node_that_they_had_cordoned_either() -> None:
    assert isinstance(move(mending(), held(pre=True), well=SICK), Rest)


def test_no_burn_in_begins_under_the_hands_of_others_and_one_that_began_is_followed() -> None:
    wanted = BurnIn(template="stress", deadline_seconds=60)
    asked = structs.replace(mending(), spec=structs.replace(mending().spec, burn_in=wanted))
    status = structs.replace(asked.status, burn_in=BurningIn(since=NOON))
    begun = structs.replace(asked, status=status)

    assert isinstance(move(asked, held()), Rest)
    assert isinstance(move(begun, held()), Burn)


def test_what_we_ordered_away_may_be_marked_by_our_order() -> None:
    ordered = structs.replace(mending(), spec=structs.replace(mending().spec, ladder=(REPLACE,)))

    given = move(ordered, held(), well=SICK)

    assert isinstance(given, Rest)
    assert given.reason is Reason.NOT_YET_WELL


def test_whoever_has_a_slot_waits_for_so_long_and_then_calls_a_person() -> None:
    soon, late = move(waiting(NOON), held(), now=at(7200)), move(waiting(NOON), held(), now=LATE)

    assert isinstance(soon, Rest)
    assert isinstance(late, Surrender)
    assert late.message.startswith("kured has been at work on n1 for 4h, so it is kept; ")


def test_whoever_waited_for_something_else_begins_to_wait_anew() -> None:
    log = (Decision(at=NOON, text="Verifying (HeldByOthers): x"),)

    assert isinstance(move(mending(log=log), held(), now=LATE), Rest)


def test_a_wait_whose_line_has_left_the_log_begins_anew() -> None:
    assert isinstance(move(mending(reason=Reason.HELD_BY_OTHERS), held(), now=LATE), Rest)


def test_who_only_holds_a_cordon_waits_as_long_as_they_are_there() -> None:
    waits = waiting(NOON, Phase.WAITING, rung_since=None)
    cordoned = structs.replace(
        held(),
        metadata=structs.replace(
            held().metadata,
            annotations={**held().metadata.annotations, keys.FENCE_ANNOTATION: "4:cordoned"},
        ),
    )
    only = ledger(epoch=4, cordons={"n1": 4})
    view = View(repair=waits, node=cordoned, ledger=only, well=WELL, now=LATE)

    given = ladder.next_move(view)

    assert isinstance(given, Rest)
    assert (given.phase, given.message, given.held) == (Phase.WAITING, KURED, False)


def test_an_ending_that_was_claimed_waits_for_who_came_since_unless_it_undoes_nothing() -> None:
    claimed = [
        mending(closing=Closing(phase=phase, reason="x", message="y"))
        for phase in (Phase.RECOVERED, Phase.NEEDS_HUMAN)
    ]

    assert [type(move(each, held())) for each in claimed] == [Rest, Finish]
    assert isinstance(move(claimed[0], None), Finish)


@pytest.mark.parametrize("what", [Wish.RELEASE, Wish.CANCEL])
def test_a_person_who_wants_the_node_back_is_told_who_is_at_work_on_it(what: Wish) -> None:
    request = Request(what=what, by="ann", at=NOON)
    asked = mending(Phase.CORDONED, rung_since=None, tried=())
    asked = structs.replace(asked, spec=structs.replace(asked.spec, request=request))

    refused, granted, away = move(asked, held()), move(asked, held(by="")), move(asked, None)

    assert isinstance(refused, Reply)
    assert not refused.done
    assert refused.message.startswith("kured is at work on n1, and it is not uncordoned before")
    assert isinstance(granted, Release)
    assert isinstance(away, Release)


def test_who_called_a_person_goes_on_alone_when_the_others_are_gone_and_the_node_is_well() -> None:
    called = waiting(NOON, Phase.NEEDS_HUMAN)

    with_them, without = move(called, held()), move(called, held(by=""))
    sick = move(called, held(by=""), well=SICK)

    assert isinstance(with_them, Rest)
    assert isinstance(without, Release)
    assert without.reason is Reason.REPAIRED
    assert isinstance(sick, Rest)


def test_who_called_a_person_for_another_reason_leaves_it_to_them() -> None:
    assert isinstance(move(mending(Phase.NEEDS_HUMAN, reason="Other"), held(by="")), Rest)


def test_a_node_that_another_replica_gave_back_meanwhile_needs_nobody() -> None:
    released = node(fence="5:released")

    given = move(mending(Phase.NEEDS_HUMAN), released)

    assert isinstance(given, Release)
    assert given.message == "the node is back in service"


def test_what_we_say_of_ourselves_on_a_node_keeps_nobody() -> None:
    ours = Condition(type="DrainInProgress", status="True", message=f"{keys.CONDITION_VOICE}x")
    conditions = (*held(by="").status.conditions, ours)
    seen = held(by="")
    seen = structs.replace(seen, status=structs.replace(seen.status, conditions=conditions))

    assert isinstance(move(mending(), seen), Release)
