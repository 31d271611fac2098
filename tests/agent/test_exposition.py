"""What we write down as metrics is what a Prometheus reads."""

from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as some
from prometheus_client.parser import text_string_to_metric_families

from agent import exposition
from agent.exposition import Kind, Metric, Sample

Found: TypeAlias = tuple[str, str, list[tuple[str, dict[str, str], float]]]


def read(*metrics: Metric) -> dict[str, Found]:
    """Return all that Prometheus' own library finds: kind, what it is about, and values."""
    families = text_string_to_metric_families(exposition.text(metrics).decode())
    return {
        each.name: (
            each.type,
            each.documentation,
            [(one.name, one.labels, one.value) for one in each.samples],
        )
        for each in families
    }


def gauge(value: float, about: str = "Tests.", **labels: str) -> Metric:
    samples = [Sample(value=value, labels=labels)]
    return Metric(name="tests", about=about, kind=Kind.GAUGE, samples=samples)


def test_a_summary_is_a_count_and_a_sum() -> None:
    samples = [Sample(value=2, suffix="_count"), Sample(value=0.5, suffix="_sum")]
    metric = Metric(name="tests", about="Tests.", kind=Kind.SUMMARY, samples=samples)

    expected: Found = ("summary", "Tests.", [("tests_count", {}, 2.0), ("tests_sum", {}, 0.5)])
    assert read(metric) == {"tests": expected}


@given(some.text(), some.floats(allow_nan=False))
def test_whatever_a_label_says_is_read_as_it_was(said: str, value: float) -> None:
    found = read(gauge(value, probe=said, state="OK"))

    assert found["tests"][2] == [("tests", {"probe": said, "state": "OK"}, value)]


def test_what_a_metric_is_about_may_have_lines() -> None:
    assert read(gauge(1, about="One\\n\ntwo."))["tests"][1] == "One\\n\ntwo."
