"""From a report to a cordon, by the API server's log."""

from datetime import datetime, timedelta

from nodemend.demo import latency
from nodemend.demo.latency import Latency, Stopwatch
from simulator.api.audit import AuditEntry
from tests.builders import at

US = "the-remediator"
CORDON = b'[{"path": "/spec/unschedulable", "value": true}, {"value": "7:cordoned"}]'


def entry(
    when: datetime,
    *,
    resource: str = "nodehealths.nodemend.dev",
    user: str = "agent",
    body: bytes = b"{}",
    code: int = 200,
    name: str = "n1",
) -> AuditEntry:
    return AuditEntry(
        at=when,
        user=user,
        manager="",
        verb="patch",
        method="PATCH",
        path="",
        resource=resource,
        subresource="",
        namespace="",
        name=name,
        dry_run=False,
        code=code,
        body=body,
    )


def heard(*entries: AuditEntry) -> Stopwatch:
    watch = Stopwatch(US)
    for each in entries:
        watch.hear(each)
    return watch


def cordon(when: datetime, *, user: str = US, code: int = 200) -> AuditEntry:
    return entry(when, resource="nodes", user=user, body=CORDON, code=code)


def test_the_wait_that_the_rule_asks_for_is_not_counted() -> None:
    watch = heard(entry(at(0)), entry(at(10)), cordon(at(14.02)))

    assert watch.spans({"n1": timedelta(seconds=4)}) == [timedelta(milliseconds=20)]


def test_a_report_during_the_wait_does_not_make_it_look_quicker() -> None:
    watch = heard(entry(at(10)), entry(at(12)), cordon(at(14.02)))

    assert watch.spans({"n1": timedelta(seconds=4)}) == [timedelta(milliseconds=20)]


def test_only_the_first_cordon_of_a_node_counts() -> None:
    watch = heard(entry(at(10)), cordon(at(10.1)), entry(at(50)), cordon(at(51)))

    assert watch.spans({"n1": timedelta()}) == [timedelta(milliseconds=100)]


def test_others_and_what_failed_and_what_was_never_reported_do_not_count() -> None:
    watch = heard(cordon(at(5)), entry(at(10)), cordon(at(11), user="a person"))
    refused = heard(entry(at(10)), cordon(at(11), code=409))

    assert watch.spans({"n1": timedelta()}) == []
    assert refused.spans({"n1": timedelta()}) == []


def test_quantiles_are_spans_that_were_seen() -> None:
    spans = [timedelta(milliseconds=each) for each in (30, 10, 20)]

    assert latency.measured(spans) == Latency(samples=3, p50=20.0, p99=30.0)
    assert latency.measured([]) == Latency()
