"""A report travels small, and whoever reads it finds every level on its own."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import packing
from nodehealth import history
from nodehealth.health import MOST_LEVELS, Event, Level, NodeHealthStatus
from nodehealth.signals import Knowledge

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def level(subject: str, *, name: str = "net.errors", value: float = 0.0, at: int = 0) -> Level:
    return Level(name=name, subject=subject, value=value, since=NOON + timedelta(seconds=at))


def sent(status: NodeHealthStatus) -> bytes:
    return msgspec.json.encode(packing.packed(status))


def read(status: NodeHealthStatus) -> NodeHealthStatus:
    return msgspec.json.decode(sent(status), type=NodeHealthStatus)


ANY_LEVEL = st.builds(
    level,
    st.sampled_from([f"eth{n}" for n in range(6)]),
    name=st.sampled_from(["net.drops", "net.errors", "net.flaps"]),
    value=st.sampled_from([0.0, 1.0]),
    at=st.integers(0, 2),
)


@given(st.lists(ANY_LEVEL, unique_by=lambda each: (each.name, each.subject)))
def test_what_is_read_is_what_was_sent(levels: list[Level]) -> None:
    ordered = sorted(levels, key=lambda each: (each.name, each.subject))
    status = NodeHealthStatus(levels=tuple(ordered))

    assert read(status) == status


def test_what_is_the_same_of_many_is_said_once() -> None:
    one = NodeHealthStatus(levels=(level("eth00"),))
    many = NodeHealthStatus(levels=tuple(level(f"eth{n:02}") for n in range(32)))

    assert packing.size(many) < packing.size(one) + 32 * len(',"eth00",10') + len(',"among":[]')


def test_what_is_the_same_of_many_signals_is_said_once() -> None:
    gpus = [f"GPU-{n:036}" for n in range(8)]
    one = NodeHealthStatus(levels=tuple(level(gpu, name="gpu.a") for gpu in gpus))
    names = [f"gpu.{letter}" for letter in "abcdefgh"]
    many = NodeHealthStatus(levels=tuple(level(gpu, name=name) for name in names for gpu in gpus))

    assert read(many) == many
    assert packing.size(many) < packing.size(one) + 7 * len(',"gpu.a"') + len(',"moreNames":[]')


def test_a_subject_of_which_much_differs_is_named_once() -> None:
    gpu = f"GPU-{7:036}"
    others = [level(f"GPU-{n:036}", name=name) for name in ("gpu.a", "gpu.b") for n in range(7)]
    status = NodeHealthStatus(
        levels=(*others[:7], level(gpu, name="gpu.a", at=1), *others[7:], level(gpu, name="gpu.b"))
    )

    assert read(status) == status
    assert sent(status).decode().count(gpu) == 1


def test_a_report_that_names_what_is_not_there_or_far_too_much_is_read_all_the_same() -> None:
    astray = Level(name="gpu.a", since=NOON, among=(0, 7))
    flood = Level(
        name="gpu.a",
        since=NOON,
        among=(0,) * 256,
        more_names=tuple(f"gpu.{n}" for n in range(60)),
    )

    few = NodeHealthStatus(levels=(astray,), subjects=("GPU-1",))
    many = NodeHealthStatus(levels=(flood,) * 256, subjects=("GPU-1",))

    assert [each.subject for each in few.levels] == ["GPU-1"]
    assert len(many.levels) == MOST_LEVELS


def test_the_subject_may_be_the_node_itself() -> None:
    status = NodeHealthStatus(levels=(level("", name="net.a"), level("", name="net.b")))

    assert read(status) == status


def test_an_event_and_its_times_are_told_to_the_second() -> None:
    precise = NOON + timedelta(microseconds=123456)
    event = Event(name="gpu.xid", boot_id="b", history=history.record(history.History(), precise))
    flipped = msgspec.structs.replace(level("eth0"), since=precise, flips=event.history)
    status = NodeHealthStatus(levels=(flipped,), events=(event,))

    told = read(status)

    assert told.levels[0].since == NOON
    assert told.levels[0].flips == told.events[0].history
    assert (told.events[0].history.last, told.events[0].history.until) == ((NOON,), NOON)
    assert told.events[0].history.hours == event.history.hours


@pytest.mark.parametrize("knowledge", [Knowledge.UNKNOWN, Knowledge.NOT_APPLICABLE])
def test_what_is_known_otherwise_is_said_apart(knowledge: Knowledge) -> None:
    other = msgspec.structs.replace(level("eth1"), knowledge=knowledge)
    status = NodeHealthStatus(levels=(level("eth0"), other, level("eth2")))

    assert read(status) == status


def test_every_key_is_written_so_that_the_merge_forgets_none() -> None:
    keys = set(packing.packed(NodeHealthStatus()))

    assert keys == {field.encode_name for field in msgspec.structs.fields(NodeHealthStatus)}
    assert "reportedAt" in keys


def test_a_large_node_that_is_well_fits_into_its_share() -> None:
    ports = [
        level(f"{kind}{n}", name=name)
        for name in ("net.carrier_down", "net.errors", "net.drops")
        for kind in ("ib", "eth")
        for n in range(9)
    ]
    mounts = [
        msgspec.structs.replace(
            level(f"/mnt/nvme{n}", name=name, value=value),
            fields={"device": f"/dev/nvme{n}n1", "fstype": "xfs"},
        )
        for n in range(10)
        for name, value in (
            ("disk.free_ratio", n / 20),
            ("disk.free_inodes_ratio", 0.99),
            ("disk.read_only", 0.0),
        )
    ]
    status = NodeHealthStatus(levels=(*ports, *mounts))

    assert packing.size(status) < 6 * 1024
