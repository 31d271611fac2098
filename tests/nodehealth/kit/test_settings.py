"""What people write becomes a dataclass, or a complaint that says where and why."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodehealth import quantities
from nodehealth.kit import settings
from nodehealth.kit.settings import SettingsError


class Mode(StrEnum):
    """How much may be done."""

    OBSERVE = "observe"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When."""

    start: str
    lasting: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    """One field of each kind."""

    text: str = ""
    whole: int = 0
    ratio: float = 0.0
    switch: bool = False
    deadline: timedelta = timedelta(minutes=5)
    patience: timedelta | None = None
    limit: str | int = 1
    mounts: tuple[str, ...] = ()
    pair: tuple[int, float] = (0, 0.0)
    labels: Mapping[str, str] = field(default_factory=dict)
    mode: Mode = Mode.OBSERVE
    window: Window | None = None
    windows: tuple[Window, ...] = ()

    def __post_init__(self) -> None:
        if self.whole < 0:
            raise ValueError("whole must not be negative")


def read(**written: object) -> Everything:
    return settings.read(Everything, written, "disk")


def test_nothing_written_is_all_defaults() -> None:
    assert settings.read(Everything, None, "disk") == Everything()


def test_every_kind_of_field_is_read() -> None:
    found = read(
        text="x",
        whole=3,
        ratio=1,
        switch=True,
        deadline="1h30m",
        patience="10s",
        limit="10%",
        mounts=["/", "/data"],
        pair=[1, 2],
        labels={"a": "b"},
        mode="enforce",
        window={"start": "22:00", "lasting": "30m"},
        windows=[{"start": "6:00"}],
    )

    assert found == Everything(
        text="x",
        whole=3,
        ratio=1.0,
        switch=True,
        deadline=timedelta(minutes=90),
        patience=timedelta(seconds=10),
        limit="10%",
        mounts=("/", "/data"),
        pair=(1, 2.0),
        labels={"a": "b"},
        mode=Mode.ENFORCE,
        window=Window(start="22:00", lasting=timedelta(minutes=30)),
        windows=(Window(start="6:00"),),
    )


@pytest.mark.parametrize("name", ["free-ratio", "free_ratio", "freeRatio"])
def test_names_may_be_written_as_in_yaml_python_or_kubernetes(name: str) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Named:
        free_ratio: float = 0.0

    assert settings.read(Named, {name: 0.5}, "disk").free_ratio == 0.5


def test_a_name_that_is_written_in_two_ways_is_no_name_for_two_values() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Named:
        free_ratio: float = 0.0

    with pytest.raises(SettingsError, match=r"disk\.free_ratio: this setting is there twice"):
        settings.read(Named, {"free-ratio": 0.5, "free_ratio": 0.6}, "disk")


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ({"textt": 1}, "disk.textt: unknown setting; known are text, whole, ratio, "),
        ({"text": 1}, "disk.text: expected text, got 1"),
        ({"whole": "3"}, "disk.whole: expected a whole number, got '3'"),
        ({"whole": True}, "disk.whole: expected a whole number, got True"),
        ({"whole": 1.5}, "disk.whole: expected a whole number, got 1.5"),
        ({"whole": -1}, "disk: whole must not be negative"),
        ({"ratio": "1"}, "disk.ratio: expected a number, got '1'"),
        ({"switch": 1}, "disk.switch: expected true or false, got 1"),
        ({"deadline": "5"}, "disk.deadline: expected a duration such as 5m, got '5'"),
        ({"deadline": 300}, "disk.deadline: expected a duration such as 5m, got 300"),
        ({"deadline": None}, "disk.deadline: expected a duration such as 5m, got None"),
        ({"patience": 5}, "disk.patience: expected a duration such as 5m, got 5"),
        ({"limit": 0.5}, "disk.limit: expected text or a whole number, got 0.5"),
        ({"mounts": "/"}, "disk.mounts: expected a list such as [/], got '/'"),
        ({"mounts": {}}, "disk.mounts: expected a list, got {}"),
        ({"mounts": ["/", 1]}, "disk.mounts[1]: expected text, got 1"),
        ({"pair": [1]}, "disk.pair: expected a list of 2, got [1]"),
        ({"labels": ["a"]}, "disk.labels: expected a mapping, got ['a']"),
        ({"labels": {"a": 1}}, "disk.labels.a: expected text, got 1"),
        ({"mode": "off"}, "disk.mode: expected one of observe, enforce, got 'off'"),
        ({"window": {}}, "disk.window.start: expected text, got nothing"),
        ({"window": 3}, "disk.window: expected settings by name, got 3"),
        ({"windows": [{"stop": 1}]}, "disk.windows[0].stop: unknown setting; known are start, "),
    ],
)
def test_a_complaint_says_where_what_was_expected_and_what_is_there(
    written: dict[str, object], complaint: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(**written)

    assert str(caught.value).startswith(complaint)


def test_a_setting_where_there_are_none_says_so() -> None:
    @dataclass(frozen=True)
    class Bare:
        """Has no settings."""

    with pytest.raises(SettingsError, match=r"replace\.fast: unknown setting; there are none"):
        settings.read(Bare, {"fast": True}, "replace")


def test_a_field_that_nobody_can_write_is_a_bug_of_ours() -> None:
    @dataclass(frozen=True)
    class Wrong:
        """Wants bytes, which YAML lacks."""

        blob: bytes = b""

    with pytest.raises(TypeError, match="no way to read"):
        settings.read(Wrong, {"blob": "x"}, "wrong")


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*Everything.__dataclass_fields__, "typo"]), json))
def test_whatever_is_written_is_read_or_complained_of(written: dict[str, object]) -> None:
    with contextlib.suppress(SettingsError):
        assert isinstance(read(**written), Everything)


@given(st.integers(1, 10**6))
def test_a_duration_is_what_quantities_say(seconds: int) -> None:
    text = f"{seconds}s"

    assert read(deadline=text).deadline == quantities.duration(text)
