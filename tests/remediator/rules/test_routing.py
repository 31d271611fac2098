"""Who hears of what is written in the policy, and every mistake in it is named."""

from pathlib import Path

import pytest

from remediator.files import sink
from remediator.rules import load
from remediator.rules.alerting import Alerting, Urgency
from remediator.rules.documents import ProblemsError

POLICY = """\
apiVersion: nodemend.dev/v1alpha1
kind: Policy
spec:
  alerts:
    cluster: eu-1
    team: example.com/team
    waiting: 10m
    receivers:
      - {name: log, stdout: {format: json}}
      - {name: am, alertmanager: {urls: ["http://am-0:9093", "http://am-1:9093"]}}
      - {name: hook, webhook: {url: "https://x.example/hook", secretFile: /etc/hook/secret}}
    routes:
      - {receivers: [log]}
      - {severity: [page], pool: [h100, h200], receivers: [hook, log]}
      - {team: [ml], mode: [enforce], receivers: [am]}
"""


def read(directory: Path, text: str) -> Alerting:
    path = directory / "policy.yaml"
    path.write_text(text)
    return load.policy(path, sink).alerts


def complaints(directory: Path, text: str) -> list[str]:
    with pytest.raises(ProblemsError) as found:
        read(directory, text)
    return [str(each).removeprefix(f"{directory}/") for each in found.value.problems]


def test_every_route_that_fits_tells_its_receivers_each_once(tmp_path: Path) -> None:
    alerting = read(tmp_path, POLICY)

    page = {"severity": "page", "pool": "h200", "mode": "enforce", "team": "ml"}
    assert alerting.receivers_of(page) == ("log", "hook", "am")
    assert alerting.receivers_of({**page, "pool": "cpu"}) == ("log", "am")
    assert alerting.receivers_of({"severity": "page", "pool": "h100"}) == ("log", "hook")
    assert alerting.receivers_of({}) == ("log",)


def test_without_routes_every_receiver_hears_everything(tmp_path: Path) -> None:
    alerting = read(tmp_path, POLICY[: POLICY.index("    routes")])

    assert alerting.receivers_of({"severity": "info"}) == ("log", "am", "hook")


def test_as_shipped_everything_goes_to_the_standard_output(tmp_path: Path) -> None:
    alerting = read(tmp_path, POLICY[: POLICY.index("  alerts")] + "  mode: observe\n")

    assert [each.sink for each in alerting.receivers] == ["stdout"]
    assert alerting.receivers_of({"severity": "info"}) == ("stdout",)
    assert alerting.observed is Urgency.INFO


@pytest.mark.parametrize(
    ("good", "bad", "says"),
    [
        (
            "stdout: {format: json}",
            "stdoutt: {}",
            (
                "9: spec.alerts.receivers[0].stdoutt: no sink named 'stdoutt'; known are"
                " alertmanager, stdout, webhook"
            ),
        ),
        (
            "format: json",
            "format: xml",
            (
                "9: spec.alerts.receivers[0].stdout: stdout.format: expected one of text, json, got"
                " 'xml'"
            ),
        ),
        (
            "https://x.example/hook",
            "x.example/hook",
            (
                "11: spec.alerts.receivers[2].webhook: webhook: expected a URL such as"
                " https://host/path, got 'x.example/hook'"
            ),
        ),
        (
            '["http://am-0:9093", "http://am-1:9093"]',
            "[]",
            (
                "10: spec.alerts.receivers[1].alertmanager: alertmanager: expected the URL of at"
                " least one Alertmanager"
            ),
        ),
        (
            "name: am,",
            "name: log,",
            "10: spec.alerts.receivers[1].name: log is taken; a receiver needs a name of its own",
        ),
        (
            "{name: log, stdout: {format: json}}",
            "{name: log}",
            "9: spec.alerts.receivers[0]: expected a name and one way of telling, got name",
        ),
        (
            "waiting: 10m",
            "waiting: ages",
            "7: spec.alerts.waiting: expected a duration such as 90s, 5m or 1h30m, got 'ages'",
        ),
        (
            "receivers: [hook, log]",
            "receivers: [hoook]",
            (
                "14: spec.alerts.routes[1].receivers[0]: no receiver named hoook; known are am,"
                " hook, log; did you mean hook?"
            ),
        ),
        (
            "severity: [page]",
            "severity: [loud]",
            (
                "14: spec.alerts.routes[1].severity[0]: there is no 'loud'; "
                "known are info, page, warning"
            ),
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, good: str, bad: str, says: str) -> None:
    assert f"policy.yaml:{says}" in complaints(tmp_path, POLICY.replace(good, bad))
