"""What no repair tells of is told with its urgency, its beginning and what to do about it."""

from dataclasses import replace
from datetime import datetime

import pytest
from msgspec import structs

from nodehealth.ledger import Disruption, Pause, Rebuilt
from nodehealth.repair import Mode, Severity
from remediator.decide import problems
from remediator.decide.competitors import Competitor
from remediator.decide.faults import Fault
from remediator.rules.alerting import Alerting, Urgency
from remediator.rules.policy import Beside, Policy
from tests.builders import NOON, at, ledger

FAULT = Fault(
    node="n1",
    node_uid="uid-n1",
    pool="default",
    rule="nic-flaps",
    severity=Severity.CRITICAL,
    mode=Mode.ENFORCE,
    team="net",
    about="A link comes and goes.",
    runbook="docs/nic.md",
    since=at(5),
    evidence=("net.flaps was seen 4 times",),
)


def test_a_fault_that_nodemend_leaves_to_people_is_as_urgent_as_it_is_bad() -> None:
    urgencies = [
        problems.fault(replace(FAULT, severity=each), Urgency.INFO).urgency
        for each in (Severity.CRITICAL, Severity.WARNING, Severity.INFO)
    ]

    assert urgencies == [Urgency.PAGE, Urgency.WARNING, Urgency.INFO]


def test_a_fault_that_is_only_watched_is_as_urgent_as_the_policy_says() -> None:
    watched = replace(FAULT, mode=Mode.OBSERVE)

    assert problems.fault(watched, Urgency.WARNING).urgency is Urgency.WARNING


def test_a_fault_is_told_with_its_node_its_rule_and_its_evidence() -> None:
    alert = problems.of_problem(problems.fault(FAULT, Urgency.INFO), Alerting(cluster="c"), at(5))

    assert alert.labels == {
        "cluster": "c",
        "node": "n1",
        "pool": "default",
        "team": "net",
        "rule": "nic-flaps",
        "fault": "critical",
        "mode": "enforce",
    }
    assert alert.starts_at == at(5)
    assert alert.description == "A link comes and goes.\nnet.flaps was seen 4 times"


def test_a_problem_that_comes_back_is_another_incident() -> None:
    problem = problems.rules_broken("rules/a.yaml:1: nonsense")

    first, second = (problems.of_problem(problem, Alerting(), at(n)) for n in (0, 60))

    assert first.fingerprint != second.fingerprint
    assert first.labels == second.labels == {}


def test_a_ledger_that_was_rebuilt_says_why_whatever_people_say_to_it_meanwhile() -> None:
    closed = ledger(disruption=Disruption.CLOSED)
    status = structs.replace(closed.status, rebuilt=Rebuilt(at=NOON, found=("a", "b")))
    older = structs.replace(closed, status=status)
    newer = structs.replace(older, metadata=structs.replace(older.metadata, generation=9))

    first, second = problems.ledger(older), problems.ledger(newer)

    assert first is not None
    assert first == second
    assert first.description.startswith(
        "It was put together anew at 2026-01-01 12:00:00 UTC from fences and repairs, and closed, "
        "because a; b; it has 0 slots"
    )


def test_a_ledger_that_cannot_be_read_is_a_page() -> None:
    problem = problems.ledger_unreadable("it is newer")

    assert problem.urgency is Urgency.PAGE
    assert problem.description.startswith("it is newer")


def test_an_open_ledger_is_no_problem() -> None:
    assert problems.ledger(ledger()) is None
    assert problems.ledger(None) is None


def test_a_closed_ledger_needs_a_person_and_says_how_to_open_it() -> None:
    problem = problems.ledger(ledger(disruption=Disruption.CLOSED, cordons={"n1": 1}))

    assert problem is not None
    assert problem.urgency is Urgency.PAGE
    assert "0 slots and 1 cordons" in problem.description
    assert "kubectl patch repairledger default" in problem.description


def test_a_ledger_that_is_closed_again_is_another_problem() -> None:
    closed = ledger(disruption=Disruption.CLOSED)
    again = structs.replace(closed, metadata=structs.replace(closed.metadata, generation=3))

    subjects = {each.subject for one in (closed, again) if (each := problems.ledger(one))}

    assert len(subjects) == 2


def test_what_the_cluster_lacks_is_told_and_nothing_if_it_lacks_nothing() -> None:
    problem = problems.prerequisites_missing(["the CRD noderepairs"])

    assert problem is not None
    assert problem.description == "the CRD noderepairs"
    assert problems.prerequisites_missing([]) is None


@pytest.mark.parametrize(
    ("since", "said"),
    [(NOON, "since 2026-01-01 12:00 UTC"), (None, "nobody said since when")],
)
def test_a_pause_that_may_be_forgotten_is_told_with_what_ends_it(
    since: datetime | None, said: str
) -> None:
    found = problems.pause("net", Pause(reason="cables", pool="w", at=since))

    assert found.urgency is Urgency.INFO
    assert found.summary == "pause net has no end: nothing is begun on pool w"
    assert said in found.description
    assert "nodemend resume net" in found.description


def test_a_condition_that_somebody_else_writes_is_told_once_by_type_and_writer() -> None:
    found = problems.condition_taken("StorageReady", "npd")

    assert (found.subject, found.urgency) == ("condition/StorageReady/npd", Urgency.WARNING)
    assert "StorageReady is written by npd" in found.summary


@pytest.mark.parametrize(
    ("mode", "certain", "beside", "urgency", "only"),
    [
        (Mode.ENFORCE, True, Beside.WARN, Urgency.WARNING, False),
        (Mode.ENFORCE, True, Beside.REFUSE, Urgency.WARNING, True),
        (Mode.ENFORCE, False, Beside.REFUSE, Urgency.INFO, False),
        (Mode.OBSERVE, True, Beside.WARN, Urgency.INFO, False),
    ],
)
def test_who_repairs_nodes_too_is_told_loudly_where_both_surely_do(
    mode: Mode, beside: Beside, urgency: Urgency, *, certain: bool, only: bool
) -> None:
    one = Competitor(name="draino", certain=certain, evidence="a mark", off="uninstall it")

    found = problems.competitor(one, Policy(mode=mode, competitors=beside))

    assert (found.subject, found.urgency) == ("competitor/draino", urgency)
    assert ("nodemend only observes" in found.description) == only
