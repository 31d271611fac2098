"""A drain that several faults ask for is one, as patient as the most patient of them wants it."""

from datetime import timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from nodehealth.repair import Joined, Mode, NodeRepair, Rung
from remediator import actions
from remediator.actions.drain import Drain, OnDeadline
from remediator.files import remedy
from tests.builders import NOON, repair

HOUR: Final = timedelta(hours=1)
FIRM: Final = Drain(deadline=4 * HOUR, wait_completed=3 * HOUR, on_deadline=OnDeadline.EVICT)


def asking(*ladders: tuple[Rung, ...]) -> NodeRepair:
    first, *others = ladders
    faults = tuple(
        Joined(rule=str(n), since=NOON, mode=Mode.ENFORCE, ladder=ladder)
        for n, ladder in enumerate(others)
    )
    made = repair()
    return structs.replace(
        made,
        spec=structs.replace(made.spec, ladder=first),
        status=structs.replace(made.status, faults=faults),
    )


def test_a_drain_is_as_patient_as_the_most_patient_of_the_faults() -> None:
    quick = Rung(action="drain", settings={"deadline": "30m"})
    patient = Rung(action="drain", settings={"deadline": "4h", "waitCompleted": "3h"})
    plain = Rung(action="drain")

    wanted = Drain(deadline=4 * HOUR, wait_completed=3 * HOUR)
    assert actions.of(asking((quick,), (patient,)), 0, remedy) == wanted
    assert actions.of(asking((patient,), (quick,)), 0, remedy) == wanted
    soon = Rung(action="drain", settings={"deadline": "1m"})
    assert actions.of(asking((soon,), (plain,)), 0, remedy) == Drain()


@pytest.mark.parametrize(
    ("other", "then"),
    [(Drain(), OnDeadline.HOLD), (FIRM, OnDeadline.EVICT)],
)
def test_nobody_is_evicted_whom_one_of_the_faults_leaves_to_a_person(
    other: Drain, then: OnDeadline
) -> None:
    for both in (FIRM.beside(other), other.beside(FIRM)):
        assert both == Drain(deadline=4 * HOUR, wait_completed=3 * HOUR, on_deadline=then)


def test_what_is_no_drain_is_carried_out_as_who_came_first_wants_it() -> None:
    slow, quick = (Rung(action="reboot", settings={"patience": each}) for each in ("1h", "9m"))

    assert actions.of(asking((slow,), (quick,)), 0, remedy) == remedy("reboot", {"patience": "1h"})
    assert FIRM.beside(remedy("reboot", {})) == FIRM
    assert remedy("reboot", {}).beside(FIRM) == remedy("reboot", {})


@st.composite
def drains(draw: st.DrawFn) -> Drain:
    deadline, waits = sorted(draw(st.tuples(st.integers(2, 99), st.integers(1, 99))))[::-1]
    then = draw(st.sampled_from(OnDeadline)) if waits < deadline else OnDeadline.HOLD
    minute = timedelta(minutes=1)
    return Drain(deadline=deadline * minute, wait_completed=waits * minute, on_deadline=then)


@given(drains(), drains())
def test_two_drains_are_one_that_can_be_whichever_comes_first(one: Drain, other: Drain) -> None:
    both = one.beside(other)

    assert both == other.beside(one)
    assert both.beside(one) == both
