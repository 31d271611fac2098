"""An exit code means what Nagios and node-problem-detector mean by it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host.checks import meaning
from agent.host.checks.facts import Manner, Status

ALL = {Manner.NAGIOS, Manner.PERMANENT, Manner.TEMPORARY}


@pytest.mark.parametrize(
    ("manner", "code", "status"),
    [
        (Manner.NAGIOS, 0, Status.OK),
        (Manner.NAGIOS, 1, Status.WARNING),
        (Manner.NAGIOS, 2, Status.CRITICAL),
        (Manner.PERMANENT, 0, Status.OK),
        (Manner.PERMANENT, 1, Status.CRITICAL),
        (Manner.TEMPORARY, 0, Status.OK),
        (Manner.TEMPORARY, 1, Status.WARNING),
    ],
)
def test_an_exit_code_is_a_status(manner: Manner, code: int, status: Status) -> None:
    assert meaning.result(manner, code, b"x").status is status


@pytest.mark.parametrize("code", [3, 4, 126, 127, 255])
@pytest.mark.parametrize("manner", sorted(ALL))
def test_every_other_exit_code_is_unknown(manner: Manner, code: int) -> None:
    result = meaning.result(manner, code, b"no such thing\n")

    assert result.status is Status.UNKNOWN
    assert (result.why, result.message) == (f"exit code {code}", "no such thing")


@pytest.mark.parametrize("manner", [Manner.PERMANENT, Manner.TEMPORARY])
def test_what_is_critical_to_nagios_is_unknown_to_the_problem_detector(manner: Manner) -> None:
    assert meaning.result(manner, 2, b"").status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("code", "why"), [(-9, "killed by SIGKILL"), (-200, "killed by signal 200")]
)
def test_who_is_killed_says_nothing(code: int, why: str) -> None:
    result = meaning.result(Manner.NAGIOS, code, b"OK")

    assert (result.status, result.why) == (Status.UNKNOWN, why)


def test_who_is_well_need_not_say_so() -> None:
    assert meaning.result(Manner.NAGIOS, 0, b"OK - load 0.07").message == ""


def test_who_says_nothing_is_heard_by_complaints() -> None:
    assert meaning.result(Manner.NAGIOS, 2, b" \n", b"sh: x: not found\n").message == (
        "sh: x: not found"
    )


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (b"DISK CRITICAL - / 3% free | /=97%;80;90\nmore\n", "DISK CRITICAL - / 3% free"),
        (b"\n\n  second \t line  \n", "second line"),
        (b"\x1b[31mred\x1b[0m\x00!", "[31mred [0m !"),
        ("caf\xe9".encode("latin-1"), "caf\N{REPLACEMENT CHARACTER}"),
        (b"| only numbers\n", ""),
        (b"", ""),
    ],
)
def test_a_message_is_one_line_that_can_be_printed(said: bytes, line: str) -> None:
    assert meaning.line(said) == line


def test_the_problem_detector_knows_no_performance_data() -> None:
    assert meaning.line(b"a | b", Manner.PERMANENT) == "a | b"


def test_a_message_has_an_end() -> None:
    assert meaning.line(b"x" * 4096) == "x" * 119 + "…"


@given(st.binary(), st.sampled_from(sorted(ALL)), st.integers(-64, 255))
def test_whatever_is_said_fits_into_a_report(said: bytes, manner: Manner, code: int) -> None:
    result = meaning.result(manner, code, said)

    assert len(result.message) <= meaning.LONGEST
    assert result.message.isprintable()
    assert bool(result.why) == (result.status is Status.UNKNOWN)
