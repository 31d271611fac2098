"""What is kept packed is told as if it had been unpacked at once."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import packing
from bench.gpunode import GpuNode
from nodehealth.health import MOST_SAID, Event, Fields, Level, NodeHealth, NodeHealthStatus
from nodehealth.kept import KEPT_HEALTHS, KeptHealth, KeptStatus
from nodehealth.signals import Knowledge

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SUBJECTS = [f"eth{n}" for n in range(5)]
NAMES = ["net.drops", "net.errors", "net.missing"]


def told(status: NodeHealthStatus) -> list[Level]:
    """Give each subject a level of its own."""
    return [
        msgspec.structs.replace(level, subject=subject, more_subjects=())
        for level in status.said()
        for subject in (level.subject, *level.more_subjects)
    ]


def both(wire: object) -> tuple[NodeHealth, KeptHealth]:
    body = msgspec.json.encode({"metadata": {"name": "n1"}, "status": wire})
    return msgspec.json.decode(body, type=NodeHealth), msgspec.json.decode(body, type=KeptHealth)


def is_told_alike(wire: object) -> bool:
    usual, kept = both(wire)
    ordered = sorted(told(kept.status), key=lambda each: (each.name, each.subject))
    assert kept.status.levels == ()
    return ordered == sorted(usual.status.levels, key=lambda each: (each.name, each.subject))


def level(
    name: str, subject: str, value: float | None, second: int, fields: Fields, known: Knowledge
) -> Level:
    since = NOON + timedelta(seconds=second)
    return Level(
        name=name, subject=subject, value=value, since=since, fields=fields, knowledge=known
    )


LEVELS = st.builds(
    level,
    st.sampled_from(NAMES),
    st.sampled_from(SUBJECTS),
    st.sampled_from([0.0, 1.0, 0.25, None]),
    st.integers(0, 1),
    st.sampled_from([{}, {"state": "up"}, {"state": "down"}]),
    st.sampled_from(Knowledge),
)


@given(st.lists(LEVELS, unique_by=lambda each: (each.name, each.subject)))
def test_what_was_sent_is_told(levels: list[Level]) -> None:
    assert is_told_alike(packing.packed(NodeHealthStatus(levels=tuple(levels))))


INDEX = st.integers(0, 6)
ANY_WIRE = st.fixed_dictionaries(
    {
        "subjects": st.lists(st.sampled_from(SUBJECTS), max_size=5),
        "fieldSets": st.lists(st.sampled_from([{}, {"a": 1}]), max_size=3),
        "levels": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(NAMES), "since": st.just("2026-01-01T12:00:00+01:00")},
                optional={
                    "subject": st.sampled_from(SUBJECTS),
                    "moreSubjects": st.lists(st.sampled_from(SUBJECTS), max_size=4),
                    "value": st.sampled_from([0, 1]),
                    "of": st.lists(INDEX, min_size=1, max_size=5),
                    "fieldSets": st.lists(INDEX, max_size=5),
                    "also": st.dictionaries(st.sampled_from(NAMES), st.sampled_from([0, 1])),
                },
            ),
            max_size=6,
        ).filter(lambda levels: any("of" in each for each in levels)),
    }
)


@given(ANY_WIRE)
def test_what_nobody_should_have_sent_is_told_as_everyone_reads_it(wire: object) -> None:
    assert is_told_alike(wire)


def test_of_a_small_report_that_would_be_a_huge_one_as_much_is_read() -> None:
    subjects = [f"s{n}" for n in range(1000)]
    one = {"since": "2026-01-01T12:00:00Z", "of": list(range(1000))}
    wire = {"subjects": subjects, "levels": [{**one, "name": f"n{n:02}"} for n in range(20)]}

    assert is_told_alike(wire)
    assert len(both(wire)[1].status.said()) <= MOST_SAID


def test_all_of_a_node_of_eight_gpus_is_kept_in_little_room() -> None:
    node = GpuNode()
    kept = msgspec.json.decode(node.body(node.status()), type=KeptHealth)

    assert told(kept.status) == list(node.status().levels)
    assert len(kept.status.packed) < 2048


def test_alike_subjects_share_a_level_and_others_do_not() -> None:
    levels = [
        level("net.errors", subject, value, 0, {}, Knowledge.KNOWN)
        for subject, value in (("eth0", 0.0), ("eth1", 1.0), ("eth2", 0.0))
    ]
    said = both(packing.packed(NodeHealthStatus(levels=tuple(levels))))[1].status.said()

    assert sorted((each.subject, each.more_subjects) for each in said) == [
        ("eth0", ("eth2",)),
        ("eth1", ()),
    ]


def test_a_refresh_says_the_same_and_a_change_does_not() -> None:
    node = GpuNode()
    before, again = (
        msgspec.json.decode(node.body(node.status(), timedelta(seconds=each)), type=KeptHealth)
        for each in (0, 300)
    )
    changed = msgspec.structs.replace(node.status(), levels=node.status().levels[1:])
    other = msgspec.json.decode(node.body(changed), type=KeptHealth)

    assert before.status.says_the_same(again.status)
    assert not before.status.says_the_same(other.status)
    assert not before.status.says_the_same(changed)
    assert changed.says_the_same(changed)


def test_events_and_what_else_is_said_need_no_unpacking() -> None:
    event = Event(name="gpu.xid", subject="GPU-1", fields={"code": 79})
    wire = packing.packed(NodeHealthStatus(boot_id="b", events=(event,), refresh_seconds=20))
    usual, kept = both(wire)

    assert kept.status.events == usual.status.events
    assert (kept.status.boot_id, kept.status.refresh_seconds, kept.status.said()) == ("b", 20, ())


@pytest.mark.parametrize("levels", [[], [{"name": "a", "since": "2026-01-01T12:00:00Z"}]])
def test_nobody_is_believed_to_have_packed_levels_already(levels: list[object]) -> None:
    wire = {"packed": "AAAA", "levels": levels}

    assert len(both(wire)[1].status.said()) == len(levels)


def test_it_is_kept_from_where_it_is_served() -> None:
    assert KEPT_HEALTHS.path(name="n1") == "/apis/nodemend.dev/v1alpha1/nodehealths/n1"
    assert isinstance(KEPT_HEALTHS.type().status, KeptStatus)
