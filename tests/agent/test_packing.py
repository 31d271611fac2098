"""A report travels small, and whoever reads it finds every level on its own."""

import functools
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import fitting, packing
from nodehealth import history
from nodehealth.catalogue import CATALOGUE
from nodehealth.health import (
    MOST_LEVELS,
    Event,
    Level,
    NodeHealthStatus,
    ProbeReport,
    ProbeState,
)
from nodehealth.signals import Author, Kind, Knowledge

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
    name=st.sampled_from(["net.drops", "net.errors"]),
    value=st.sampled_from([0.0, 1.0, 0.25]),
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

    assert packing.size(many) < packing.size(one) + 32 * len(',"eth00"') + len(',"moreSubjects":[]')


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


GPUS = [f"GPU-{UUID(int=n)}" for n in range(8)]
ABOUT_A_GPU = sorted(
    each.name
    for each in CATALOGUE.values()
    if each.kind is Kind.LEVEL and each.author is Author.AGENT and each.subject == "GPU UUID"
)
"""Every level that there is of a GPU."""


def fields_of(name: str, number: int) -> Mapping[str, int | str]:
    """Return the fields that a probe gives a healthy level of a GPU."""
    fields: Mapping[str, Mapping[str, int | str]] = {
        "gpu.lost": {"pci": f"0000:{number:02x}:00.0", "serial": f"16522340{number:05}"},
        "gpu.nvlinks_down": {"links": 18},
        "gpu.pcie_lanes": {"expected": 16},
        "gpu.recovery_action": {"action": "none"},
    }
    return fields.get(name, {})


def of_gpus(since: Callable[[int, str], int] = lambda _gpu, _name: 0) -> list[Level]:
    """Say all that can be said of eight healthy GPUs, with the fields that probes give."""
    return [
        Level(
            name=name,
            subject=uuid,
            value=CATALOGUE[name].healthy,
            since=NOON + timedelta(seconds=since(number, name)),
            fields=fields_of(name, number),
        )
        for number, uuid in enumerate(GPUS)
        for name in ABOUT_A_GPU
    ]


def of_the_rest() -> list[Level]:
    """Say of eight NVMe disks, ten network cards and ten filesystems what probes say."""
    disks = [
        Level(
            name="block.missing",
            subject=f"nvme{n}n1",
            value=0.0,
            since=NOON,
            fields={"serial": f"S5H9NS0R{n:06}"},
        )
        for n in range(8)
    ]
    controllers = [
        msgspec.structs.replace(level(f"nvme{n}", name="nvme.not_live"), fields={"state": "live"})
        for n in range(8)
    ]
    cards = [
        level(f"eth{n}", name=name)
        for n in range(10)
        for name in ("net.carrier_down", "net.errors", "net.drops", "net.missing")
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
    writes = [
        level(f"/mnt/nvme{n}", name=name)
        for n in range(10)
        for name in ("disk.write_failed", "disk.write_hung", "disk.write_seconds")
    ]
    return [*disks, *controllers, *cards, *mounts, *writes]


def report(levels: list[Level], events: tuple[Event, ...] = ()) -> NodeHealthStatus:
    """Return a whole report, as large as one is."""
    probes = (
        ProbeReport(name=f"a probe {n:02}", state=ProbeState.OK, since=NOON) for n in range(16)
    )
    return NodeHealthStatus(
        node_uid=str(UUID(int=1)),
        boot_id=str(UUID(int=2)),
        agent_version="0.1.0",
        reported_at=NOON,
        levels=tuple(sorted(levels, key=lambda each: (each.name, each.subject))),
        events=events,
        probes=tuple(probes),
    )


def test_a_node_of_eight_healthy_gpus_fits_with_everything_that_can_be_said_of_them() -> None:
    whole = report([*of_gpus(), *of_the_rest()])

    assert len(ABOUT_A_GPU) > 30
    assert len(whole.levels) > 350
    assert packing.size(whole) <= packing.LIMIT
    assert read(whole) == whole


def test_a_gpu_that_is_well_since_another_time_than_the_others_still_fits() -> None:
    whole = report([*of_gpus(lambda gpu, _: int(gpu == 3)), *of_the_rest()])

    assert packing.size(whole) <= packing.LIMIT
    assert read(whole) == whole


@pytest.mark.parametrize(("every", "share"), [(1, 0.25), (4, 0.5), (16, 1.0)])
def test_of_gpus_that_differ_much_still_fits_and_what_is_bad_always_does(
    every: int, share: float
) -> None:
    """One in so many levels is what it is since a time of its own; each GPU has a bad one."""
    levels = [
        msgspec.structs.replace(each, since=NOON + timedelta(seconds=at))
        if at % every == 0
        else each
        for at, each in enumerate(of_gpus())
    ]
    bad = [msgspec.structs.replace(each, value=1.0) for each in levels if each.name == "gpu.lost"]
    good = [each for each in levels if each.name != "gpu.lost"]

    fitted = fitting.fit(report([*bad, *good]), NOON).status

    assert packing.size(fitted) <= packing.LIMIT
    assert set(_known(bad)) <= set(_known(fitted.levels))
    assert len(fitted.levels) >= share * len(levels)


def _known(levels: Iterable[Level]) -> list[tuple[str, str, float | None]]:
    return [(each.name, each.subject, each.value) for each in levels]


def test_what_is_true_of_one_gpu_alone_can_be_read_by_a_person() -> None:
    lost = msgspec.structs.replace(of_gpus()[0], name="gpu.lost", value=1.0, since=NOON)
    status = report([*(each for each in of_gpus() if each.name != "gpu.lost"), lost])

    first = msgspec.json.decode(sent(status))["levels"][0]

    assert (first["name"], first["subject"], first["value"]) == ("gpu.lost", lost.subject, 1)


def test_one_level_that_changes_parts_no_others() -> None:
    before = report(of_gpus())
    changed = [
        msgspec.structs.replace(each, value=1.0, since=NOON + timedelta(seconds=9))
        if (each.name, each.subject) == ("gpu.remap_pending", GPUS[3])
        else each
        for each in of_gpus()
    ]
    after = report(changed)

    assert read(after) == after
    assert packing.size(after) - packing.size(before) < 150


def test_events_of_a_storm_take_little_room_each() -> None:
    past = history.History()
    for second in range(100):
        past = history.record(past, NOON + timedelta(seconds=second))
    events = tuple(
        Event(
            name="gpu.xid",
            boot_id=str(UUID(int=2)),
            subject=uuid,
            fields={"code": code, "pci": "0000:1b:00.0"},
            count=100,
            history=past,
        )
        for uuid in GPUS
        for code in (13, 31, 48, 79)
    )
    whole = report(of_gpus(), events)

    fitted = fitting.fit(whole, NOON + timedelta(seconds=100)).status

    assert read(whole) == whole
    assert [each.count for each in fitted.events] == [100] * 32


def test_what_points_nowhere_is_not_read() -> None:
    known = {"name": "net.errors", "since": "2026-01-01T12:00:00Z", "value": 0}
    wire = {
        "subjects": ["eth0"],
        "fieldSets": [{}],
        "levels": [
            {**known, "of": [0, 7]},
            {**known, "name": "net.drops", "of": [0], "fieldSets": [3]},
        ],
        "events": [{"name": "net.flaps", "of": [5]}, {"name": "net.flaps", "of": [0]}],
        "bootID": "b",
    }

    status = msgspec.json.decode(msgspec.json.encode(wire), type=NodeHealthStatus)

    assert [(each.name, each.subject) for each in status.levels] == [("net.errors", "eth0")]
    assert [(each.subject, each.boot_id) for each in status.events] == [("eth0", "b")]


def test_a_small_report_never_becomes_a_huge_one() -> None:
    subjects = [f"s{n}" for n in range(1000)]
    one = {"since": "2026-01-01T12:00:00Z", "of": list(range(1000))}
    wire = {"subjects": subjects, "levels": [{**one, "name": f"n{n}"} for n in range(200)]}

    status = msgspec.json.decode(msgspec.json.encode(wire), type=NodeHealthStatus)

    assert len(status.levels) <= 2 * MOST_LEVELS


FIRST, LAST_OF_ALL = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"
NOWHERE = "2026-01-01T12:00:00"


@pytest.mark.parametrize(
    "wire",
    [
        {"events": [{"name": "gpu.xid", "history": {"until": FIRST, "ago": [9]}}]},
        {"events": [{"name": "gpu.xid", "history": {"last": [LAST_OF_ALL]}}]},
        {"events": [{"name": "gpu.xid", "history": {"last": [NOWHERE]}}]},
        {"events": [{"name": "gpu.xid", "history": {"until": NOWHERE}}]},
        {"levels": [{"name": "gpu.lost", "since": NOWHERE}]},
        {"probes": [{"name": "gpus", "state": "OK", "since": NOWHERE}]},
        {"reportedAt": FIRST},
        {"reportedAt": LAST_OF_ALL},
        {"reportedAt": NOWHERE},
    ],
)
def test_a_report_that_tells_of_times_nobody_can_reckon_with_is_none(wire: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(wire), type=NodeHealthStatus)


def test_a_report_as_agents_wrote_it_before_is_still_read() -> None:
    wire = {
        "levels": [
            {
                "name": "net.errors",
                "since": "2026-01-01T12:00:00Z",
                "subject": "eth0",
                "value": 0.0,
                "moreSubjects": ["eth1"],
            }
        ],
        "events": [
            {"name": "net.flaps", "bootID": "a", "history": {"last": ["2026-01-01T12:00:00Z"]}}
        ],
        "bootID": "b",
    }

    status = msgspec.json.decode(msgspec.json.encode(wire), type=NodeHealthStatus)

    assert [each.subject for each in status.levels] == ["eth0", "eth1"]
    assert (status.events[0].boot_id, status.events[0].history.last) == ("a", (NOON,))


ANY_EVENT = st.builds(
    Event,
    name=st.just("gpu.xid"),
    boot_id=st.sampled_from(["b", "c"]),
    subject=st.sampled_from(["", "eth0", "GPU-1"]),
    fields=st.fixed_dictionaries({"code": st.integers(1, 200)}),
    count=st.integers(1, 9),
    history=st.lists(st.integers(0, 10**6), max_size=20).map(
        lambda seconds: functools.reduce(
            lambda past, second: history.record(past, NOON + timedelta(seconds=second)),
            seconds,
            history.History(),
        )
    ),
)


ANY_PAST = st.lists(st.integers(0, 10**6), max_size=3).map(
    lambda seconds: functools.reduce(
        lambda past, second: history.record(past, NOON + timedelta(seconds=second)),
        seconds,
        history.History(),
    )
)
ANY_GPU_LEVEL = st.builds(
    Level,
    name=st.sampled_from(["gpu.a", "gpu.b", "gpu.c", "gpu.d"]),
    subject=st.sampled_from(["", *(f"GPU-{n}" for n in range(5))]),
    since=st.integers(0, 1).map(lambda second: NOON + timedelta(seconds=second)),
    value=st.sampled_from([None, 0.0, 1.0, 0.25, -1.5]),
    knowledge=st.sampled_from(Knowledge),
    fields=st.sampled_from([{}, {"pci": "0"}, {"pci": "1"}, {"pci": "1", "links": 3}]),
    flips=ANY_PAST,
)


@given(
    st.lists(ANY_GPU_LEVEL, max_size=24, unique_by=lambda each: (each.name, each.subject)),
    st.lists(ANY_EVENT, max_size=3),
    st.sampled_from([0, 90]),
)
def test_whatever_is_known_of_gpus_is_read_as_it_was_sent(
    levels: list[Level], events: list[Event], others: int
) -> None:
    ordered = sorted(levels, key=lambda each: (each.name, each.subject))
    filling = [level(f"eth{n:03}", at=n) for n in range(others)]
    status = NodeHealthStatus(boot_id="b", levels=(*ordered, *filling), events=tuple(events))

    assert read(status) == status


@given(st.lists(ANY_EVENT, max_size=6), st.lists(ANY_LEVEL, max_size=6))
def test_events_are_read_as_they_were_sent(events: list[Event], levels: list[Level]) -> None:
    known = {(each.name, each.subject): each for each in levels}
    status = NodeHealthStatus(
        boot_id="b", levels=tuple(known[key] for key in sorted(known)), events=tuple(events)
    )

    assert read(status) == status
