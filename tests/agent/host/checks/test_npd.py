"""Configurations of node-problem-detector's custom plugins are read as they are written."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host.checks import npd
from agent.host.checks.facts import Check, Manner

WHERE = Path("/etc/nodemend/checks.d/ntp.json")
NTP: dict[str, Any] = {
    "plugin": "custom",
    "pluginConfig": {
        "invoke_interval": "1m30s",
        "timeout": "5s",
        "max_output_length": 80,
        "concurrency": 3,
        "enable_message_change_based_condition_update": False,
    },
    "source": "ntp-custom-plugin-monitor",
    "metricsReporting": True,
    "conditions": [{"type": "NTPProblem", "reason": "NTPIsUp", "message": "ntp is up"}],
    "rules": [
        {"type": "temporary", "reason": "NTPIsDown", "path": "./plugin/check_ntp.sh"},
        {
            "type": "permanent",
            "condition": "NTPProblem",
            "reason": "NTPIsDown",
            "path": "/opt/check_ntp.sh",
            "args": ["-t", "3"],
            "timeout": "3s",
        },
    ],
}


def read(config: object) -> tuple[Check, ...]:
    return npd.checks(json.dumps(config).encode(), WHERE)


def rule(**more: object) -> dict[str, Any]:
    return NTP | {"rules": [NTP["rules"][1] | more]}


def test_a_configuration_becomes_checks() -> None:
    assert read(NTP) == (
        Check(
            name="ntp-custom-plugin-monitor/NTPIsDown",
            command=("/etc/nodemend/checks.d/plugin/check_ntp.sh",),
            manner=Manner.TEMPORARY,
            every=timedelta(seconds=90),
            timeout=timedelta(seconds=5),
        ),
        Check(
            name="NTPProblem/NTPIsDown",
            command=("/opt/check_ntp.sh", "-t", "3"),
            manner=Manner.PERMANENT,
            every=timedelta(seconds=90),
            timeout=timedelta(seconds=3),
        ),
    )


def test_what_is_not_said_is_as_the_problem_detector_has_it() -> None:
    (check,) = read({"plugin": "custom", "rules": NTP["rules"][:1]})

    assert (check.every, check.timeout) == (timedelta(seconds=30), timedelta(seconds=5))
    assert check.name == "ntp/NTPIsDown"


def test_no_rule_takes_longer_than_all_may() -> None:
    (check,) = read(rule(timeout="1h"))

    assert check.timeout == timedelta(seconds=5)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (NTP | {"plugin": "kmsg"}, "Invalid enum value 'kmsg'"),
        (rule(type="sometimes"), "Invalid enum value 'sometimes'"),
        (rule(condition=""), "rule NTPIsDown: expected the condition of a permanent problem"),
        (rule(path=3), "Expected `str`, got `int`"),
        (rule(timeout="soon"), "expected a duration such as 30s, got 'soon'"),
        (NTP | {"pluginConfig": {"invoke_interval": "0s"}}, "expected a duration such as 30s"),
        ({"plugin": "custom"}, "missing required field `rules`"),
        ([], "Expected `object`, got `array`"),
    ],
)
def test_what_is_wrong_is_said(config: object, why: str) -> None:
    with pytest.raises(ValueError, match=why.replace("(", r"\(")):
        read(config)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("30s", timedelta(seconds=30)),
        ("1h2m3s", timedelta(hours=1, minutes=2, seconds=3)),
        ("1.5m", timedelta(seconds=90)),
        (".5s", timedelta(seconds=0.5)),
        ("250ms", timedelta(seconds=0.25)),
        ("1ns", timedelta(milliseconds=1)),
    ],
)
def test_a_duration_of_go_is_read(text: str, span: timedelta) -> None:
    assert npd.duration(text) == span


@pytest.mark.parametrize(
    "text", ["", "30", "s", "1d", "-1s", "1s ", "1s2", "0s", "25h", "9" * 400 + "h"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        npd.duration(text)


@given(st.text(alphabet="0123456789.hmsuµn -", max_size=20))
def test_every_duration_is_some_time_and_no_more_than_a_day(text: str) -> None:
    try:
        span = npd.duration(text)
    except ValueError:
        return
    assert timedelta() < span <= timedelta(days=1)


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_garbage_is_refused(text: bytes) -> None:
    with pytest.raises((ValueError, msgspec.ValidationError)):
        npd.checks(text, WHERE)
