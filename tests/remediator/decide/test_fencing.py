"""A machine is believed to be off only when it was ordered off and said to be off twice."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import (
    AttachedVolume,
    Condition,
    Metadata,
    Node,
    NodeSpec,
    NodeStatus,
    Pod,
    Taint,
)
from nodehealth.repair import Fencing, Intent, NodeRepairStatus, Phase, Proof
from remediator.decide import fencing
from remediator.decide.fencing import (
    CLEAR_PATIENCE,
    ORDER,
    PROOF_PATIENCE,
    Alive,
    GiveUp,
    Look,
    Note,
    Power,
    PutBack,
    PutOutOfService,
    SwitchOff,
    Through,
    Wait,
)
from remediator.rules.policy import DrainManners
from tests.builders import NOON, at, node, repair

BEGUN = Fencing(since=NOON)
ORDERED = Intent(action=ORDER, key="k", issued_at=NOON)
PROVEN = Fencing(since=NOON, method=Proof.POWERED_OFF, at=NOON, by="simulator")
OURS = Taint(key=keys.OUT_OF_SERVICE_TAINT, value=keys.OUT_OF_SERVICE_VALUE, effect="NoExecute")
FOREIGN = Taint(key=keys.OUT_OF_SERVICE_TAINT, value="nodeshutdown", effect="NoExecute")


def dead(*taints: Taint, volumes: tuple[str, ...] = ()) -> Node:
    seen = node(ready=False)
    attached = tuple(AttachedVolume(name=name) for name in volumes)
    status = structs.replace(seen.status, volumes_attached=attached)
    return structs.replace(seen, spec=NodeSpec(taints=taints), status=status)


def look(
    state: Fencing = BEGUN,
    *,
    seen: Node | None = None,
    power: Power = Power.OFF,
    intent: Intent | None = ORDERED,
    pods: tuple[str, ...] = (),
    now: datetime = NOON,
) -> Look:
    status = NodeRepairStatus(phase=Phase.FENCING, fencing=state, intent=intent)
    return Look(
        repair=repair(status=status),
        fencing=state,
        node=seen,
        power=power,
        said=f"its owner says {power}",
        by="simulator",
        pods=pods,
        now=now,
    )


def test_a_machine_is_ordered_off() -> None:
    step = fencing.next_step(look(seen=dead(), power=Power.ON, intent=None))

    assert step == SwitchOff()


def test_a_machine_that_happens_to_be_off_is_ordered_off_too_lest_it_comes_back() -> None:
    step = fencing.next_step(look(seen=dead(), power=Power.OFF, intent=None))

    assert step == SwitchOff()


def test_an_order_is_waited_for_and_given_again_in_the_end() -> None:
    waiting = look(seen=dead(), power=Power.ON, now=at(119))

    assert isinstance(fencing.next_step(waiting), Wait)
    assert fencing.next_step(replace(waiting, now=at(120))) == SwitchOff()


def test_the_first_word_that_it_is_off_is_only_noted() -> None:
    step = fencing.next_step(look(seen=dead(), now=at(5)))

    assert isinstance(step, Note)
    assert step.fencing == Fencing(since=NOON, off_seen=at(5))


def test_the_second_word_is_the_proof_if_it_comes_later() -> None:
    once = Fencing(since=NOON, off_seen=at(5))

    early = fencing.next_step(look(once, seen=dead(), now=at(14)))
    proven = fencing.next_step(look(once, seen=dead(), now=at(15)))

    assert isinstance(early, Wait)
    assert isinstance(proven, Note)
    assert proven.fencing == Fencing(
        since=NOON, off_seen=at(5), method=Proof.POWERED_OFF, at=at(15), by="simulator"
    )


def test_a_machine_that_is_no_more_needs_no_order() -> None:
    once = Fencing(since=NOON, off_seen=at(5))

    step = fencing.next_step(look(once, power=Power.GONE, intent=None, now=at(15)))

    assert isinstance(step, Note)
    assert step.fencing.method is Proof.GONE


def test_a_machine_seen_on_between_the_two_words_makes_them_count_anew() -> None:
    once = Fencing(since=NOON, off_seen=at(5))

    step = fencing.next_step(look(once, seen=dead(), power=Power.ON, now=at(15)))

    assert isinstance(step, Note)
    assert step.fencing == BEGUN


def test_an_owner_that_says_nothing_in_between_takes_nothing_back() -> None:
    once = Fencing(since=NOON, off_seen=at(5))

    step = fencing.next_step(look(once, seen=dead(), power=Power.UNKNOWN, now=at(15)))

    assert isinstance(step, Wait)


@pytest.mark.parametrize("power", [Power.ON, Power.UNKNOWN])
def test_without_proof_in_time_a_person_is_called_with_what_was_tried(power: Power) -> None:
    once = Fencing(since=NOON, off_seen=at(5))
    late = look(once, seen=dead(), power=power, now=NOON + PROOF_PATIENCE)

    assert fencing.next_step(late) == GiveUp(
        message=f"nothing proves that the machine is off: its owner says {power}"
    )


def test_a_kubelet_that_speaks_again_ends_it() -> None:
    assert fencing.next_step(look(seen=node())) == Alive()


def test_our_mark_goes_before_anything_else_once_the_kubelet_speaks() -> None:
    back = structs.replace(node(), spec=NodeSpec(taints=(OURS,)))

    assert fencing.next_step(look(PROVEN, seen=back, pods=("jobs/a",))) == PutBack()


def test_another_machine_of_that_name_ends_it() -> None:
    assert isinstance(fencing.next_step(look(seen=node(uid="other"))), Through)


def test_only_what_is_proven_off_is_put_out_of_service() -> None:
    assert fencing.next_step(look(PROVEN, seen=dead(), pods=("jobs/a",))) == PutOutOfService()


@pytest.mark.parametrize("taint", [OURS, FOREIGN])
def test_pods_are_waited_for_whoever_put_the_node_out_of_service(taint: Taint) -> None:
    step = fencing.next_step(look(PROVEN, seen=dead(taint), pods=("jobs/a",)))

    assert step == Wait(message="waits for 1 pod to be let go of")


def test_volumes_are_waited_for_too() -> None:
    marked = dead(OURS, volumes=("disk-1", "disk-2"))

    step = fencing.next_step(look(PROVEN, seen=marked, pods=("jobs/a",)))

    assert step == Wait(message="waits for 1 pod and 2 volumes to be let go of")


def test_pods_of_a_node_that_is_gone_are_waited_for() -> None:
    assert isinstance(fencing.next_step(look(PROVEN, power=Power.GONE, pods=("jobs/a",))), Wait)


def test_our_mark_goes_as_soon_as_it_did_its_work() -> None:
    assert fencing.next_step(look(PROVEN, seen=dead(OURS))) == PutBack()


@pytest.mark.parametrize("seen", [None, dead(), dead(FOREIGN)])
def test_a_node_that_let_go_of_everything_is_through(seen: Node | None) -> None:
    assert isinstance(fencing.next_step(look(PROVEN, seen=seen)), Through)


def test_pods_that_never_go_bring_a_person_once_our_mark_is_off() -> None:
    late = NOON + CLEAR_PATIENCE
    marked = look(PROVEN, seen=dead(OURS), pods=("jobs/a", "jobs/b"), now=late)

    assert fencing.next_step(marked) == PutBack()
    assert fencing.next_step(replace(marked, node=dead())) == GiveUp(
        message="the machine is off, but 2 pods are still there: jobs/a, jobs/b"
    )


def test_volumes_that_never_go_stop_nothing() -> None:
    late = look(PROVEN, seen=dead(volumes=("disk-1",)), now=NOON + CLEAR_PATIENCE)

    assert isinstance(fencing.next_step(late), Through)


def test_a_proof_is_void_once_the_machine_is_seen_on() -> None:
    step = fencing.next_step(look(PROVEN, seen=dead(), power=Power.ON, pods=("jobs/a",)))

    assert isinstance(step, Note)
    assert step.fencing == BEGUN


def test_nothing_is_put_out_of_service_without_the_owners_word_of_this_moment() -> None:
    step = fencing.next_step(look(PROVEN, seen=dead(), power=Power.UNKNOWN, pods=("jobs/a",)))

    assert step == Wait(message="its owner says unknown")


def test_our_mark_goes_at_once_from_a_machine_that_was_switched_on() -> None:
    step = fencing.next_step(look(PROVEN, seen=dead(OURS), power=Power.ON, pods=("jobs/a",)))

    assert step == PutBack()


def test_an_owner_that_falls_silent_changes_nothing_once_the_proof_is_used() -> None:
    step = fencing.next_step(look(PROVEN, seen=dead(OURS), power=Power.UNKNOWN, pods=("jobs/a",)))

    assert isinstance(step, Wait)


def leaving(*, until: datetime | None) -> Pod:
    return Pod(metadata=Metadata(name="a", deletion_timestamp=until))


def silent(*, since: datetime | None) -> Node:
    condition = Condition(type="Ready", status="Unknown", last_transition_time=since)
    return structs.replace(node(), status=NodeStatus(conditions=(condition,)))


MANNERS = DrainManners()
LONG: timedelta = MANNERS.silent + MANNERS.overdue


def test_pods_whose_last_moment_is_long_past_on_a_silent_node_are_stranded() -> None:
    seen, pods = silent(since=NOON), [leaving(until=NOON)]

    assert fencing.is_stranded(pods, seen, NOON + LONG, MANNERS, late=False)


@pytest.mark.parametrize(
    ("seen", "pod"),
    [
        (node(), leaving(until=NOON)),
        (None, leaving(until=NOON)),
        (silent(since=at(100)), leaving(until=NOON)),
        (silent(since=NOON), leaving(until=at(160))),
        (silent(since=NOON), leaving(until=None)),
    ],
    ids=["ready", "no node", "silent for a moment", "may still end", "not told to go"],
)
def test_pods_that_may_still_end_are_not_stranded(seen: Node | None, pod: Pod) -> None:
    assert not fencing.is_stranded(
        [leaving(until=NOON), pod], seen, NOON + LONG, MANNERS, late=False
    )


def test_a_drain_that_is_late_does_not_wait_for_last_moments() -> None:
    assert fencing.is_stranded(
        [leaving(until=at(9999))], silent(since=None), NOON, MANNERS, late=True
    )


def heard(status: str, *, since: datetime | None) -> Node:
    condition = Condition(type="Ready", status=status, last_transition_time=since)
    return structs.replace(node(), status=NodeStatus(conditions=(condition,)))


@pytest.mark.parametrize(
    ("seen", "after"),
    [
        (heard("Unknown", since=at(-10)), 0),
        (heard("Unknown", since=None), 0),
        (heard("Unknown", since=NOON), 179),
        (heard("True", since=at(-30)), 29),
    ],
    ids=["silent", "silent since whenever", "silent for long", "back"],
)
def test_pods_may_yet_end_of_a_kubelet_that_fell_silent_or_has_just_come_back(
    seen: Node, after: float
) -> None:
    assert fencing.may_yet_end(seen, NOON, at(after), MANNERS)


@pytest.mark.parametrize(
    ("seen", "after"),
    [
        (heard("Unknown", since=at(170)), 180),
        (heard("True", since=at(175)), 180),
        (heard("True", since=at(-30)), 30),
        (heard("True", since=None), 0),
        (None, 0),
    ],
    ids=["silent again", "back again", "back for long", "never silent", "no node"],
)
def test_a_drain_whose_time_is_up_is_not_held_up_by_a_kubelet_without_end(
    seen: Node | None, after: float
) -> None:
    assert not fencing.may_yet_end(seen, NOON, at(after), MANNERS)


@given(st.lists(st.sampled_from(list(Power)), max_size=40))
def test_a_node_is_put_out_of_service_only_after_two_words_without_a_contrary_one(
    words: list[Power],
) -> None:
    state, intent, offs = BEGUN, None, list[datetime]()
    for n, power in enumerate(words):
        now = at(5 * n)
        trusted = power is Power.GONE or (power is Power.OFF and intent is not None)
        offs = [] if power is Power.ON else [*offs, now] if trusted else offs
        step = fencing.next_step(
            look(state, seen=dead(), power=power, intent=intent, pods=("jobs/a",), now=now)
        )
        if isinstance(step, SwitchOff):
            intent = Intent(action=ORDER, key="k", issued_at=now)
        elif isinstance(step, Note):
            state = step.fencing
        elif isinstance(step, PutOutOfService):
            assert trusted
            assert now - offs[0] >= timedelta(seconds=10)
