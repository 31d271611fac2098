"""Whatever NVML says, it is a number, not there, or unknown, and never an exception."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host.nvml import answers
from agent.host.nvml.answers import ABSENT, FIELDS, Silence
from nodehealth.signals import Knowledge

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "0", "3", "230", "state"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def test_what_nvml_gave_is_read_wherever_it_stands() -> None:
    said = {
        "nvmlDeviceGetTemperatureV": 40,
        "nvmlDeviceGetMigMode": [0, 1],
        "nvmlDeviceGetNvLinkState": {"3": 1},
        FIELDS: {"230": 2, "161/3": 7},
    }

    assert answers.number(said, "nvmlDeviceGetTemperatureV") == 40
    assert answers.number(said, "nvmlDeviceGetMigMode", 1) == 1
    assert answers.number(said, "nvmlDeviceGetNvLinkState", "3") == 1
    assert (answers.field(said, 230), answers.field(said, 161, 3)) == (2, 7)


@pytest.mark.parametrize("code", [3, 4, 13, 25, 26])
def test_what_is_not_supported_does_not_apply(code: int) -> None:
    said = {"nvmlDeviceGetPowerUsage": {"error": code}, FIELDS: {"230": {"error": code}}}

    assert answers.number(said, "nvmlDeviceGetPowerUsage") is ABSENT
    assert answers.field(said, 230) is ABSENT


def test_what_is_not_among_the_answers_is_as_good_as_not_supported() -> None:
    assert answers.number({}, "nvmlDeviceGetPowerUsage") is ABSENT
    assert answers.field({FIELDS: {}}, 230) is ABSENT
    assert (
        answers.number({"nvmlDeviceGetNvLinkState": {}}, "nvmlDeviceGetNvLinkState", "3") is ABSENT
    )


def test_any_other_error_makes_it_unknown_and_says_which() -> None:
    said = {"nvmlDeviceGetPowerUsage": {"error": 17}, FIELDS: {"error": 777}}

    assert answers.number(said, "nvmlDeviceGetPowerUsage") == answers.unknown(
        "nvmlDeviceGetPowerUsage: operating system"
    )
    assert answers.field(said, 4) == answers.unknown(f"{FIELDS}: error 777")


@pytest.mark.parametrize("nonsense", ["40", 4.5, True, None, [], {"a": 1}, -1, 2**64])
def test_nonsense_is_unknown(nonsense: object) -> None:
    told = answers.count({"nvmlDeviceGetPowerUsage": nonsense}, "nvmlDeviceGetPowerUsage")

    assert isinstance(told, Silence)
    assert told.knowledge is Knowledge.UNKNOWN
    assert told.why.startswith("nvmlDeviceGetPowerUsage: expected a number")


def test_a_call_that_gives_nothing_succeeded() -> None:
    assert answers.called({"nvmlDeviceValidateInforom": None}, "nvmlDeviceValidateInforom") is None
    assert answers.called({}, "nvmlDeviceValidateInforom") is ABSENT


def test_an_error_is_found_wherever_it_is() -> None:
    said = {"nvmlDeviceGetNvLinkState": {"0": 1, "1": {"error": 16}}, "nvmlDeviceGetName": "a"}

    assert answers.any_code(said, 16)
    assert not answers.any_code(said, 15)
    assert list(answers.codes({"f": {"error": 14}, **said})) == [("f", 14)]
    assert answers.told(said, "nvmlDeviceGetNvLinkState") == ("0",)


@given(st.dictionaries(st.sampled_from([FIELDS, "f", "g"]), JSON, max_size=3))
def test_nothing_that_json_can_say_is_too_much(said: dict[str, Any]) -> None:
    for path in ((), ("230",), ("0", "state"), (1,), (0, "3")):
        told = answers.count(said, "f", *path)
        assert isinstance(told, Silence) or 0 <= told < 2**63
    words = answers.text(said, "g")
    assert isinstance(words, Silence) or words
    answers.called(said, "g")
    answers.told(said, "g")
    assert answers.any_code(said, 15) in {True, False}
    assert list(answers.codes(said)) is not None
