"""An incident is one alert, whose urgency only ever rises and can be read from its record."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from nodehealth.repair import (
    Decision,
    Evicted,
    Intent,
    Mode,
    NodeRepair,
    NodeRepairStatus,
    Obstacle,
    Phase,
    PhaseTime,
    Rung,
)
from remediator.decide import alerts
from remediator.decide.alerts import Alert, State
from remediator.rules.alerting import Alerting, Urgency, is_louder
from tests.builders import NOON, at, repair

MANNERS = Alerting(cluster="c", runbooks="https://git.example/rules/")


def staying(*stays: tuple[Phase, float], mode: Mode = Mode.ENFORCE, reason: str = "") -> NodeRepair:
    """Make a repair that entered phases at some seconds after noon."""
    timeline = tuple(PhaseTime(phase=phase, at=at(seconds)) for phase, seconds in stays)
    status = NodeRepairStatus(phase=stays[-1][0], timeline=timeline, reason=reason)
    return repair(mode=mode, status=status)


def told(record: NodeRepair, now: datetime = NOON, *, runbook: str = "") -> Alert:
    return alerts.of_repair(record, MANNERS, runbook, now)


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


def test_a_repair_that_was_only_just_opened_asks_nothing_of_people() -> None:
    alert = told(repair())

    assert (alert.state, alert.urgency, alert.starts_at) == (State.FIRING, Urgency.INFO, NOON)
    assert alert.summary == "disk-full on n1: nodemend deals with it"
    assert alert.all_labels() == {
        "alertname": "NodeRepair",
        "cluster": "c",
        "node": "n1",
        "pool": "default",
        "rule": "disk-full",
        "fault": "critical",
        "mode": "enforce",
        "severity": "info",
    }


def test_a_repair_that_needs_a_person_pages_from_then_on() -> None:
    record = staying((Phase.CONFIRMED, 0), (Phase.NEEDS_HUMAN, 60), reason="LadderExhausted")
    alert = told(record, at(60))

    assert alert.needs_person
    assert [(each.urgency, each.at) for each in alert.rises] == [
        (Urgency.INFO, NOON),
        (Urgency.PAGE, at(60)),
    ]
    assert alert.summary == "disk-full on n1: a person is needed (LadderExhausted)"


def test_what_stands_in_the_way_of_a_drain_is_worth_a_look_from_then_on() -> None:
    stands = Obstacle(
        what="PodDisruptionBudget/jobs/web", owner="Deployment/web", advice="raise it", since=at(60)
    )
    draining = staying((Phase.DRAINING, 0))
    obstructed = structs.replace(
        draining, status=structs.replace(draining.status, obstacles=(stands,))
    )

    alert = told(obstructed)

    assert [(each.urgency, each.at) for each in alert.rises] == [
        (Urgency.INFO, NOON),
        (Urgency.WARNING, at(60)),
    ]
    assert "PodDisruptionBudget/jobs/web keeps pods from leaving" in alert.summary
    assert "PodDisruptionBudget/jobs/web of Deployment/web: raise it" in alert.description


def test_a_page_is_not_taken_back_by_what_comes_after() -> None:
    alert = told(staying((Phase.NEEDS_HUMAN, 0), (Phase.WAITING, 60)), at(120))

    assert alert.urgency is Urgency.PAGE


def test_a_repair_that_has_ended_is_resolved_and_as_urgent_as_it_was() -> None:
    stays = (Phase.CONFIRMED, 0), (Phase.NEEDS_HUMAN, 60), (Phase.RECOVERED, 90)
    alert = told(staying(*stays, reason="Repaired"), minutes(600))

    assert (alert.state, alert.ended_at, alert.urgency) == (State.RESOLVED, at(90), Urgency.PAGE)
    assert not alert.needs_person
    assert alert.summary == "disk-full on n1 is over (Repaired)"


@pytest.mark.parametrize("phase", [Phase.CONFIRMED, Phase.CORDONED, Phase.WAITING])
def test_waiting_for_too_long_is_worth_a_look_and_no_page(phase: Phase) -> None:
    record = staying((phase, 0))

    assert told(record, minutes(29)).urgency is Urgency.INFO
    assert told(record, minutes(30)).urgency is Urgency.WARNING
    assert told(record, minutes(3000)).urgency is Urgency.WARNING
    assert alerts.due(record, MANNERS, NOON) == minutes(30)
    assert alerts.due(record, MANNERS, minutes(30)) is None


def test_what_waited_too_long_says_so_even_when_it_goes_on() -> None:
    alert = told(staying((Phase.WAITING, 0), (Phase.DRAINING, 45 * 60)), minutes(50))

    assert alert.urgency is Urgency.WARNING
    assert alert.rises[-1].at == minutes(30)
    assert alert.summary == "disk-full on n1: Waiting from 12:00 on took longer than 30m"


def test_a_remedy_that_takes_longer_than_it_may_is_a_page_about_ourselves() -> None:
    record = staying((Phase.DRAINING, 0))
    slow = structs.replace(
        record,
        spec=structs.replace(
            record.spec,
            ladder=(
                Rung(action="drain", settings={"deadline": "2h"}),
                Rung(action="replace", settings={"patience": "1m"}),
                Rung(action="webhook", settings={"deadline": "soon"}),
            ),
        ),
    )

    assert alerts.due(slow, MANNERS, NOON) == minutes(120 + 30 + 30 + 30)
    assert told(slow, minutes(210)).urgency is Urgency.PAGE


def test_a_node_that_is_never_proven_well_is_a_page_about_ourselves() -> None:
    record = staying((Phase.VERIFYING, 0))

    assert told(record, minutes(1 + 20 + 29)).urgency is Urgency.INFO
    assert told(record, minutes(1 + 20 + 30)).urgency is Urgency.PAGE


def test_a_parked_repair_may_stay_so_for_ever() -> None:
    record = staying((Phase.PARKED, 0))

    assert told(record, minutes(10_000)).urgency is Urgency.INFO
    assert alerts.due(record, MANNERS, NOON) is None


def test_what_is_only_watched_never_gets_louder_than_the_policy_says() -> None:
    record = staying((Phase.WAITING, 0), mode=Mode.OBSERVE)
    loud = Alerting(observed=Urgency.PAGE)

    assert told(record, minutes(10_000)).urgency is Urgency.INFO
    assert told(record).summary == "disk-full on n1: nodemend only watches"
    assert alerts.of_repair(record, loud, "", NOON).urgency is Urgency.PAGE
    assert alerts.due(record, MANNERS, NOON) is None


def test_it_tells_what_is_known_what_was_done_and_what_a_person_can_do() -> None:
    log = (Decision(at=NOON, text="Draining: got a slot"),)
    evicted = Evicted(namespace="a", name="p", uid="u", at=NOON)
    record = staying((Phase.NEEDS_HUMAN, 0))
    spec = structs.replace(record.spec, evidence=("the disk is full",))
    status = structs.replace(
        record.status, message="stuck", log=log, evictions=(evicted,), cordon_epoch=4
    )

    said = told(structs.replace(record, spec=spec, status=status)).description.splitlines()

    assert said == [
        "the disk is full",
        "NeedsHuman: stuck",
        "12:00:00 Draining: got a slot",
        "1 pods were asked to leave.",
        "All of it: kubectl get noderepair n1-repair -o yaml",
        "To have the node left alone: kubectl uncordon n1",
        "To have its ladder begun anew: nodemend repairs retry n1-repair",
        "To have it repaired anew: kubectl delete noderepair n1-repair",
    ]


def test_a_node_that_is_not_held_or_was_ordered_away_is_not_offered_to_be_uncordoned() -> None:
    record = staying((Phase.REPAIRING, 0))
    order = Intent(action="replace", key="k", issued_at=NOON)
    ordered = structs.replace(record.status, cordon_epoch=4, intent=order)

    assert "uncordon" not in told(record).description
    assert "uncordon" not in told(structs.replace(record, status=ordered)).description


def test_of_what_is_only_watched_nothing_is_offered_to_be_begun_anew() -> None:
    record = staying((Phase.WAITING, 0))
    watched = structs.replace(record.spec, mode=Mode.OBSERVE)

    assert "repaired anew" not in told(structs.replace(record, spec=watched)).description


def test_of_what_is_over_nothing_is_offered_to_be_stopped() -> None:
    assert "kubectl" not in told(staying((Phase.RECOVERED, 0), reason="FaultGone")).description


@pytest.mark.parametrize(
    ("runbook", "link"),
    [
        ("docs/x.md", "https://git.example/rules/docs/x.md"),
        ("https://wiki.example/x", "https://wiki.example/x"),
        ("", ""),
    ],
)
def test_the_runbook_is_a_link(runbook: str, link: str) -> None:
    assert told(repair(), runbook=runbook).runbook == link


def test_without_a_place_for_runbooks_their_path_is_told() -> None:
    assert alerts.of_repair(repair(), Alerting(), "docs/x.md", NOON).runbook == "docs/x.md"


def test_a_message_has_the_same_key_whenever_it_is_told() -> None:
    record = staying((Phase.CONFIRMED, 0))

    assert told(record, NOON).key == told(record, minutes(5)).key
    assert told(record, NOON).key != told(record, minutes(30)).key
    assert told(record, NOON).fingerprint == told(record, minutes(30)).fingerprint


def test_what_was_cut_short_is_over() -> None:
    alert = alerts.ended(told(repair()), at(60), "its record was deleted")

    assert (alert.state, alert.ended_at) == (State.RESOLVED, at(60))
    assert alert.summary == "over: disk-full on n1: nodemend deals with it"
    assert alert.description == "its record was deleted"


@given(
    stays=st.lists(
        st.tuples(st.sampled_from(Phase), st.integers(0, 100_000)), min_size=1, max_size=12
    ).map(lambda each: sorted(each, key=lambda stay: stay[1])),
    spans=st.tuples(st.integers(0, 100_000), st.integers(0, 100_000)),
)
def test_urgency_only_rises_and_only_when_it_is_due(
    stays: list[tuple[Phase, float]], spans: tuple[int, int]
) -> None:
    record = staying(*stays)
    sooner = at(stays[-1][1] + min(spans))
    later = at(stays[-1][1] + max(spans))

    first, second = told(record, sooner), told(record, later)
    due = alerts.due(record, MANNERS, sooner)

    assert second.rises[: len(first.rises)] == first.rises
    assert not is_louder(first.urgency, second.urgency)
    if due is None or later < due:
        assert second.rises == first.rises
