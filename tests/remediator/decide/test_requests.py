"""What a person wants of a repair is granted or refused once, and the answer is written down."""

from dataclasses import replace
from typing import Final

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import Node
from nodehealth.ledger import RepairLedger
from nodehealth.repair import (
    Closing,
    Condemned,
    Failure,
    Fencing,
    Intent,
    Joined,
    Mode,
    NodeRepair,
    NodeRepairStatus,
    Part,
    PartKind,
    Phase,
    Request,
    Rung,
    Wish,
)
from remediator.decide import endings, joined, ladder, requests, rungs, waiting
from remediator.decide.moves import (
    Disrupt,
    Finish,
    Inquire,
    Move,
    Other,
    Reason,
    Release,
    Reply,
    Rest,
    Retry,
    Trade,
    View,
    Wellness,
)
from tests.builders import NOON, at, ledger, node, repair, slot

SICK: Final = Wellness(holds=True, heard_at=at(1))
FREE: Final = ledger(epoch=5)
HELD: Final = ledger(epoch=5, cordons={"n1": 4})
TAKEN: Final = ledger(epoch=5, cordons={"n1": 4}, slots={"n1": slot(5)})
ORDER: Final = Intent(action="replace", key="k", issued_at=NOON)
BOOT: Final = Intent(action="reboot", key="k", issued_at=NOON, boot_id="boot-1", pod="p")


def asked(what: Wish, status: NodeRepairStatus, *, mode: Mode = Mode.ENFORCE) -> NodeRepair:
    made = repair(mode=mode, status=status)
    wish = Request(what=what, by="ann", reason="a bad rule")
    return structs.replace(made, spec=structs.replace(made.spec, request=wish))


def move(
    mended: NodeRepair,
    known: RepairLedger = HELD,
    *,
    seen: Node | None = None,
    well: Wellness = SICK,
    ruled: bool = True,
) -> Move:
    fence = "5:disrupted" if known is TAKEN else "4:cordoned"
    default = node(unschedulable=True, fence=fence, taints=(keys.REPAIR_TAINT,))
    return ladder.next_move(view(mended, known, seen=seen or default, well=well, ruled=ruled))


def view(
    mended: NodeRepair,
    known: RepairLedger = HELD,
    *,
    seen: Node | None = None,
    well: Wellness = SICK,
    ruled: bool = True,
) -> View:
    return View(repair=mended, node=seen, ledger=known, well=well, now=at(10), ruled=ruled)


def refused(given: Move) -> str:
    assert isinstance(given, Reply)
    assert not given.done
    return given.message


CONFIRMED: Final = NodeRepairStatus()
PARKED: Final = NodeRepairStatus(phase=Phase.PARKED)
WAITS: Final = NodeRepairStatus(phase=Phase.WAITING, cordon_epoch=4)
DRAINS: Final = NodeRepairStatus(
    phase=Phase.DRAINING, cordon_epoch=4, disruption_epoch=5, rung_since=NOON, tried=(0,)
)
REPAIRS: Final = structs.replace(DRAINS, phase=Phase.REPAIRING, rung=1, tried=(0, 1))
HOPELESS: Final = structs.replace(REPAIRS, phase=Phase.NEEDS_HUMAN)


@pytest.mark.parametrize("what", [Wish.RELEASE, Wish.CANCEL])
@pytest.mark.parametrize(
    ("status", "known"),
    [(CONFIRMED, FREE), (WAITS, HELD), (DRAINS, TAKEN)],
)
def test_what_has_mended_nothing_is_given_back_and_parked(
    what: Wish, status: NodeRepairStatus, known: RepairLedger
) -> None:
    given = move(asked(what, status), known)

    assert isinstance(given, Release)
    assert given.phase is Phase.PARKED
    assert given.reason is (Reason.RELEASED if what is Wish.RELEASE else Reason.CANCELLED)
    assert given.answers == Request(what=what, by="ann", reason="a bad rule")
    assert given.message.startswith(f"{given.reason.lower()} as ann (a bad rule) wants; ")


def test_a_begun_remedy_is_not_cancelled_but_may_be_released() -> None:
    cancelled, released = (
        move(asked(each, REPAIRS), TAKEN) for each in (Wish.CANCEL, Wish.RELEASE)
    )

    assert refused(cancelled) == "replace has begun already; to give the node back: release"
    assert isinstance(released, Release)


def test_a_machine_that_is_being_switched_off_is_not_cancelled() -> None:
    given = move(asked(Wish.CANCEL, structs.replace(DRAINS, fencing=Fencing(since=NOON))), TAKEN)

    assert refused(given).startswith("switching the machine off has begun")


@pytest.mark.parametrize("what", [Wish.RELEASE, Wish.RETRY, Wish.CANCEL])
@pytest.mark.parametrize(
    "order",
    [
        structs.replace(DRAINS, intent=ORDER),
        structs.replace(DRAINS, intent=BOOT),
        structs.replace(DRAINS, rebooting=BOOT),
    ],
)
def test_nothing_is_let_go_of_while_an_order_may_still_be_carried_out(
    what: Wish, order: NodeRepairStatus
) -> None:
    hopeless = structs.replace(order, phase=Phase.NEEDS_HUMAN)

    given = move(asked(what, hopeless), TAKEN, seen=node(ready=False, fence="5:disrupted"))

    assert "may still be carried out" in refused(given)


def test_who_is_refused_is_told_what_was_ordered_and_what_they_can_do() -> None:
    ordered = structs.replace(REPAIRS, intent=ORDER)

    said = refused(move(asked(Wish.RELEASE, ordered), TAKEN))

    assert said.startswith("replace, ordered at 12:00:00, may still be carried out")
    assert "ask again when it is over, as `nodemend why n1` tells" in said
    assert said.endswith("`nodemend pause NAME --reason TEXT --node n1`")


def test_what_is_refused_for_a_boot_of_an_earlier_rung_names_that() -> None:
    going_down = structs.replace(REPAIRS, rebooting=BOOT)

    said = refused(move(asked(Wish.RELEASE, going_down), TAKEN))

    assert said.startswith("reboot, ordered at 12:00:00, may")


def test_a_node_that_has_to_prove_itself_after_an_errand_is_given_back() -> None:
    reset = structs.replace(BOOT, action="reset-gpu")
    mended = structs.replace(REPAIRS, phase=Phase.VERIFYING, intent=reset)

    given = move(asked(Wish.RELEASE, mended), TAKEN)

    assert isinstance(given, Release)
    assert given.phase is Phase.PARKED


def test_what_was_let_go_of_after_an_errand_may_be_retried() -> None:
    mended = structs.replace(REPAIRS, phase=Phase.VERIFYING, intent=BOOT, rebooting=BOOT)
    closing = Closing(phase=Phase.PARKED, reason="Released", message="x")
    parked = structs.replace(endings.closed(mended, closing), phase=Phase.PARKED)

    assert isinstance(move(asked(Wish.RETRY, parked), FREE, seen=node()), Retry)


def test_when_the_machine_is_back_a_person_may_let_go_of_it() -> None:
    hopeless = asked(Wish.RELEASE, structs.replace(HOPELESS, intent=ORDER))

    given = move(hopeless, TAKEN, seen=node(uid="another", fence="5:disrupted"))

    assert isinstance(given, Release)


def test_what_needs_a_person_gives_its_slot_to_others_before_it_is_retried() -> None:
    hopeless = asked(Wish.RETRY, HOPELESS)

    first = move(hopeless, TAKEN)
    traded = ledger(epoch=5, cordons={"n1": 5})
    held = node(unschedulable=True, fence="5:cordoned", taints=(keys.REPAIR_TAINT,))
    then = move(hopeless, traded, seen=held)

    assert isinstance(first, Trade)
    assert isinstance(then, Retry)
    assert then.phase is Phase.CORDONED


def test_a_retry_begins_the_whole_ladder_anew_without_a_slot() -> None:
    hopeless = asked(Wish.RETRY, structs.replace(HOPELESS, pre_cordoned=True))
    traded = ledger(epoch=5, cordons={"n1": 5})
    held = node(unschedulable=True, fence="5:cordoned", taints=(keys.REPAIR_TAINT,))
    given = move(hopeless, traded, seen=held)
    assert isinstance(given, Retry)

    begun = requests.retried(view(hopeless, traded, seen=held), given, at(10))
    following = structs.replace(hopeless, status=structs.replace(begun, phase=given.phase))

    assert (begun.cordon_epoch, begun.disruption_epoch, begun.pre_cordoned) == (5, 0, True)
    assert (begun.rung, begun.tried, begun.rung_since, begun.tries) == (0, (), None, 1)
    assert begun.answer is not None
    assert begun.answer.done
    assert isinstance(move(following, traded, seen=held), Disrupt)
    assert rungs.key(following) != rungs.key(repair())


def test_a_parked_repair_is_retried_from_the_cordon_on() -> None:
    parked = asked(Wish.RETRY, structs.replace(PARKED, pre_cordoned=True))

    given = move(parked, FREE, seen=node())

    assert isinstance(given, Retry)
    assert given.phase is Phase.CONFIRMED
    assert not requests.retried(view(parked, FREE), given, at(10)).pre_cordoned


@pytest.mark.parametrize("status", [CONFIRMED, WAITS, DRAINS])
def test_what_goes_on_is_not_retried(status: NodeRepairStatus) -> None:
    known = TAKEN if status is DRAINS else HELD

    assert "nothing has come to its end" in refused(move(asked(Wish.RETRY, status), known))


@pytest.mark.parametrize("what", [Wish.RELEASE, Wish.CANCEL])
def test_what_is_parked_holds_nothing_already(what: Wish) -> None:
    given = move(asked(what, PARKED), FREE, seen=node())

    assert isinstance(given, Reply)
    assert given.done


@pytest.mark.parametrize("what", list(Wish))
def test_of_what_only_observes_nothing_is_wanted(what: Wish) -> None:
    observed = asked(what, NodeRepairStatus(phase=Phase.WAITING), mode=Mode.OBSERVE)

    assert "it only observes" in refused(move(observed, FREE, seen=node()))


def test_an_ending_that_is_written_down_comes_before_any_request() -> None:
    closing = Closing(phase=Phase.NEEDS_HUMAN, reason="x", message="y")

    assert isinstance(move(asked(Wish.RELEASE, structs.replace(WAITS, closing=closing))), Finish)


def test_an_answered_request_is_not_looked_at_again_but_another_one_is() -> None:
    waiting = asked(Wish.RETRY, WAITS)
    wish = waiting.spec.request
    assert wish is not None
    status = requests.answered(waiting.status, wish, "no", NOON, done=False)
    answered = structs.replace(waiting, status=status)
    later = structs.replace(wish, at=at(5))
    anew = structs.replace(answered, spec=structs.replace(answered.spec, request=later))

    assert isinstance(move(answered), Disrupt)
    assert isinstance(move(anew), Reply)
    assert requests.pending(repair()) is None


def test_who_asks_may_stay_unnamed() -> None:
    unnamed = repair(phase=Phase.CONFIRMED)
    wish = Request(what=Wish.RELEASE)
    given = move(structs.replace(unnamed, spec=structs.replace(unnamed.spec, request=wish)), FREE)

    assert isinstance(given, Release)
    assert given.message.startswith("released as somebody wants; ")


def test_where_no_remedy_is_left_nothing_is_retried() -> None:
    made = asked(Wish.RETRY, structs.replace(WAITS, phase=Phase.NEEDS_HUMAN))
    exhausted = structs.replace(made, spec=structs.replace(made.spec, ladder=()))

    assert refused(move(exhausted)).startswith("no remedy is left on its ladder; delete this")


# ---- a fault that joined is dropped ----

MINOR: Final = Joined(rule="minor", mode=Mode.ENFORCE, since=NOON, ladder=(Rung(action="reboot"),))
OVER: Final = Wellness(over=True, since=at(-600), heard_at=at(1))


def without(
    rule: str,
    status: NodeRepairStatus,
    *,
    well: Wellness = SICK,
    others: tuple[Wellness, ...] = (SICK,),
    known: RepairLedger = TAKEN,
) -> Move:
    made = repair(status=status)
    wish = Request(what=Wish.DROP, rule=rule, by="ann")
    wished = structs.replace(made, spec=structs.replace(made.spec, request=wish))
    default = node(unschedulable=True, fence="5:disrupted", taints=(keys.REPAIR_TAINT,))
    found = tuple(
        Other(fault=fault, well=each, allowed=Mode.ENFORCE)
        for fault, each in zip(status.faults, others, strict=False)
    )
    seen = view(wished, known, seen=default, well=well)
    return ladder.next_move(replace(seen, others=found))


JOINED_BY: Final = structs.replace(DRAINS, faults=(MINOR,))


def test_a_fault_that_joined_is_dropped_and_the_repair_goes_on_for_the_others() -> None:
    given = without("minor", JOINED_BY)

    assert isinstance(given, Reply)
    assert (given.done, given.drops) == (True, "minor")
    assert given.message == "goes on without minor, as ann wants"


def test_what_was_dropped_counts_no_more_and_no_remedy_changes_its_number() -> None:
    before = repair(status=JOINED_BY)
    after = structs.replace(before, status=joined.dropped(JOINED_BY, "minor"))
    seen = replace(
        view(after), others=(Other(fault=after.status.faults[0], well=SICK, allowed=Mode.ENFORCE),)
    )

    assert joined.rules(before) == ("disk-full", "minor")
    assert joined.rules(after) == ("disk-full",)
    assert joined.ladder(after) == joined.ladder(before)
    assert joined.counted(seen) == ()
    assert joined.dropped(JOINED_BY, "") == JOINED_BY


def test_where_nothing_else_is_amiss_the_node_is_given_back() -> None:
    given = without("minor", JOINED_BY, well=OVER)

    assert isinstance(given, Release)
    assert given.phase is Phase.PARKED


def test_a_remedy_that_was_begun_is_not_undone_by_dropping_its_fault() -> None:
    begun = structs.replace(JOINED_BY, phase=Phase.REPAIRING, rung=2, tried=(0, 2))

    given = without("minor", begun, well=OVER)

    assert isinstance(given, Reply)
    assert given.drops == "minor"


def test_another_fault_that_is_there_keeps_the_repair_going() -> None:
    other = structs.replace(MINOR, rule="other")
    both = structs.replace(JOINED_BY, faults=(MINOR, other))

    assert isinstance(without("minor", both, well=OVER, others=(SICK, SICK)), Reply)
    assert isinstance(without("minor", both, well=OVER, others=(SICK, OVER)), Release)


def test_what_a_repair_was_begun_for_is_not_dropped() -> None:
    assert refused(without("disk-full", JOINED_BY)).startswith("it was begun for disk-full; ")


@pytest.mark.parametrize(("rule", "says"), [("x", "it is not for x"), ("", "it is not for that")])
def test_what_a_repair_is_not_for_need_not_be_dropped(rule: str, says: str) -> None:
    given = without(rule, JOINED_BY)

    assert isinstance(given, Reply)
    assert (given.done, given.message) == (True, says)


CONDEMNED: Final = Condemned(
    part=Part(kind=PartKind.GPU, id="GPU-1"), failures=(Failure(node="n1", repair="r", at=NOON),)
)


def test_a_condemned_part_is_repaired_once_more_when_a_person_wants_it() -> None:
    made = repair(status=NodeRepairStatus(phase=Phase.CORDONED, cordon_epoch=4, tries=1))
    condemned = structs.replace(made, spec=structs.replace(made.spec, condemned=CONDEMNED))

    apart = node(
        unschedulable=True,
        fence="4:cordoned",
        taints=(keys.REPAIR_TAINT,),
        labels={keys.QUARANTINE_LABEL: "gpu"},
    )

    assert isinstance(move(condemned, seen=apart), Disrupt)
    assert waiting.queue((condemned,)) == [condemned]


@pytest.mark.parametrize(
    ("reason", "ruled", "ends"),
    [
        (Reason.RELEASED, False, True),
        (Reason.CANCELLED, False, True),
        (Reason.RELEASED, True, False),
        (Reason.UNCORDONED, False, False),
    ],
)
def test_what_was_let_go_of_ends_when_its_rule_is_gone(
    reason: Reason, *, ruled: bool, ends: bool
) -> None:
    parked = repair(status=NodeRepairStatus(phase=Phase.PARKED, reason=reason))

    given = move(parked, FREE, seen=node(), ruled=ruled)

    assert isinstance(given, Release if ends else Rest)
    if isinstance(given, Release):
        assert (given.reason, given.phase) == (Reason.RULE_GONE, Phase.RECOVERED)


def test_a_late_order_is_asked_about_when_nobody_wants_anything() -> None:
    hopeless = repair(status=structs.replace(HOPELESS, rebooting=BOOT))

    down = node(ready=False, unschedulable=True, fence="5:disrupted", taints=(keys.REPAIR_TAINT,))

    assert isinstance(move(hopeless, TAKEN, seen=down), Inquire)


@pytest.mark.parametrize(("done", "said"), [(True, "is done"), (False, "is refused")])
def test_an_answer_that_nothing_follows_from_is_a_line_of_the_log(*, done: bool, said: str) -> None:
    request = Request(what=Wish.RELEASE, by="ann")
    reply = Reply(request=request, done=done, message="it only observes")

    status = requests.replied(NodeRepairStatus(), reply, at(1))

    assert [each.text for each in status.log] == [
        f"release, wanted by ann, {said}: it only observes"
    ]
    assert status.answer is not None
    assert (status.answer.done, status.answer.at) == (done, at(1))
