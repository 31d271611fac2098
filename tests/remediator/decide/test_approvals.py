"""Some repairs cordon their node and then wait for a person's word."""

from dataclasses import replace
from datetime import datetime

import pytest
from msgspec import structs

from nodehealth.repair import (
    Approved,
    Joined,
    Mode,
    NodeRepair,
    NodeRepairStatus,
    Phase,
    Rung,
    Severity,
)
from remediator.decide import alerts, approvals, gates, plan
from remediator.decide.alerts import Rise
from remediator.decide.answers import Truth
from remediator.decide.counting import Scope
from remediator.decide.gates import Asked, Deed
from remediator.decide.judge import Judgement, Mark
from remediator.decide.limits import Refused, Why
from remediator.rules.alerting import Alerting, Urgency
from remediator.rules.approvals import Approval
from remediator.rules.policy import CLUSTER, POOL_LIMIT, Policy, Pool
from remediator.rules.windows import Windows
from tests.builders import NOON, at, ledger, node, repair, rule, rules
from tests.remediator.decide.test_windows import NEVER


def asked(
    mended: NodeRepair, *wanted: Approval, deed: Deed = Deed.DISRUPT, shut: Windows | None = None
) -> Refused | None:
    pool = Pool(name="w", labels={}, limit=POOL_LIMIT, windows=shut)
    names = ("w", "topology.kubernetes.io/zone=a", CLUSTER)
    scopes = (Scope(name=each, members=frozenset(), out=frozenset()) for each in names)
    return gates.refusal(
        Asked(
            deed=deed,
            repair=mended,
            node=node(),
            ledger=ledger(),
            scopes=tuple(scopes),
            policy=Policy(pools=(pool,), approvals=wanted),
            now=NOON,
        )
    )


def needing() -> NodeRepair:
    made = repair()
    return structs.replace(made, spec=structs.replace(made.spec, needs_approval=True))


def approved(made: NodeRepair) -> NodeRepair:
    return structs.replace(made, spec=structs.replace(made.spec, approved=Approved()))


@pytest.mark.parametrize(
    ("wanted", "asks"),
    [
        (Approval(), True),
        (Approval(actions=frozenset({"replace", "power-cycle"})), True),
        (Approval(actions=frozenset({"reboot"})), False),
        (Approval(severities=frozenset({Severity.CRITICAL})), True),
        (Approval(severities=frozenset({Severity.WARNING})), False),
        (Approval(pools=frozenset({"w"})), True),
        (Approval(pools=frozenset({"other"})), False),
        (Approval(rules=frozenset({"disk-full"})), True),
        (Approval(rules=frozenset({"nic-flaps"})), False),
        (Approval(rules=frozenset({"disk-full"}), actions=frozenset({"reboot"})), False),
    ],
)
def test_a_person_is_asked_when_all_fits_that_is_named(wanted: Approval, *, asks: bool) -> None:
    refused = asked(repair(), wanted)

    assert (refused is not None) is asks


def test_one_fitting_entry_is_enough() -> None:
    assert asked(repair(), Approval(pools=frozenset({"other"})), Approval()) is not None


def test_what_is_waited_for_is_said_with_what_to_type() -> None:
    refused = asked(needing())

    assert refused is not None
    assert refused.why is Why.NOT_APPROVED
    assert refused.message == (
        "asks a person before drain, replace; `nodemend repairs approve n1-repair` lets it go on"
    )


def test_what_was_approved_goes_on() -> None:
    assert asked(approved(needing()), Approval()) is None


def test_nobody_is_asked_unless_somebody_wants_it() -> None:
    assert asked(repair()) is None


def test_a_cordon_asks_nobody_and_waits_for_no_window() -> None:
    assert asked(needing(), Approval(), deed=Deed.CORDON, shut=NEVER) is None


def test_what_was_begun_in_a_window_is_brought_to_its_end() -> None:
    assert asked(repair(), deed=Deed.STEP, shut=NEVER) is None


def test_a_fault_that_joins_may_want_a_persons_word_before_the_next_step() -> None:
    joins = Joined(
        rule="minor", mode=Mode.ENFORCE, since=NOON, ladder=(Rung(action="power-cycle"),)
    )
    cycles = Approval(actions=frozenset({"power-cycle"}))
    by_rule = structs.replace(joins, needs_approval=True)

    def with_(*faults: Joined) -> NodeRepair:
        return repair(status=NodeRepairStatus(phase=Phase.DRAINING, faults=faults))

    assert asked(with_(), cycles, deed=Deed.STEP) is None
    assert asked(with_(joins), cycles, deed=Deed.STEP) is not None
    assert asked(with_(joins), deed=Deed.STEP) is None
    assert asked(with_(by_rule), deed=Deed.STEP) is not None


MINOR = Joined(rule="minor", mode=Mode.ENFORCE, since=at(60), ladder=(Rung(action="power-cycle"),))


@pytest.mark.parametrize(
    ("given", "wanting", "wanted", "asks"),
    [
        (at(0), True, (), True),
        (None, True, (), True),
        (at(60), True, (), False),
        (at(0), False, (), False),
        (at(0), False, (Approval(),), True),
        (at(0), False, (Approval(actions=frozenset({"power-cycle"})),), True),
        (at(0), False, (Approval(actions=frozenset({"replace"})),), False),
        (at(0), False, (Approval(rules=frozenset({"minor"})),), True),
        (at(0), False, (Approval(severities=frozenset({Severity.WARNING})),), False),
    ],
)
def test_an_approval_is_no_word_for_what_joined_after_it(
    *, given: datetime | None, wanting: bool, wanted: tuple[Approval, ...], asks: bool
) -> None:
    fault = structs.replace(MINOR, needs_approval=wanting)
    made = repair(status=NodeRepairStatus(phase=Phase.DRAINING, faults=(fault,)))
    spec = structs.replace(made.spec, approved=Approved(by="ann", at=given))

    answer = asked(structs.replace(made, spec=spec), *wanted, deed=Deed.STEP)

    assert (answer is not None) is asks
    if answer is not None:
        assert "once more, for minor joined after" in answer.message


def test_what_joins_and_brings_no_other_remedy_asks_for_no_other_approval() -> None:
    same = structs.replace(MINOR, needs_approval=True, ladder=(Rung(action="replace"),))
    made = repair(status=NodeRepairStatus(phase=Phase.DRAINING, faults=(same,)))

    assert asked(approved(made), Approval(), deed=Deed.STEP) is None


def test_a_person_is_asked_before_a_window_opens_and_the_window_is_waited_for_then() -> None:
    before, after = asked(needing(), shut=NEVER), asked(approved(needing()), shut=NEVER)

    assert before is not None
    assert before.why is Why.NOT_APPROVED
    assert after is not None
    assert after.why is Why.OUTSIDE_WINDOW


@pytest.mark.parametrize("needs", [False, True])
def test_that_its_rule_wants_a_persons_word_is_frozen_in_the_repair(*, needs: bool) -> None:
    wanting = replace(rule(), needs_approval=needs)
    mark = Mark(truth=Truth.HOLDS, since=NOON, confirmed=NOON)

    opened = plan.begin(node(), Judgement(marks={wanting.name: mark}), (), rules(wanting), Policy())

    assert opened is not None
    assert opened.spec.needs_approval is needs


def test_people_are_warned_once_that_they_are_asked() -> None:
    status = NodeRepairStatus(phase=Phase.WAITING, approval_asked=at(5))

    told = alerts.of_repair(repair(status=status), Alerting(), "", at(10))

    assert told.rises[-1] == Rise(
        urgency=Urgency.WARNING, at=at(5), why="a person is asked to approve it"
    )


def test_the_way_to_approve_names_the_repair() -> None:
    assert approvals.way(repair("n7")).startswith("`nodemend repairs approve n7-repair`")
