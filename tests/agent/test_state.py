"""Answers become a report that claims no more than was seen, and forgets no less."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import state
from agent.readings import Counter, Gap, Memo, Occurrence, Reading, ReadingError
from agent.state import State
from nodehealth import history
from nodehealth.catalogue import CATALOGUE
from nodehealth.health import Level, ProbeState
from nodehealth.signals import Knowledge

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SPACE = "disk.free_ratio"
UNKNOWN, ABSENT = Knowledge.UNKNOWN, Knowledge.NOT_APPLICABLE


def minute(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


def fresh(kept: State | None = None, *, boot_id: str = "b1", node_uid: str = "u1") -> State:
    return state.begin(kept, boot_id=boot_id, node_uid=node_uid, probes=["disk", "gpu"], now=NOON)


def free(ratio: float, mount: str = "/") -> Reading:
    return Reading(name=SPACE, subject=mount, value=ratio)


def hidden(mount: str = "/", knowledge: Knowledge = UNKNOWN) -> Reading:
    return Reading(name=SPACE, subject=mount, knowledge=knowledge, why="it hangs")


def xid(position: int, code: int = 79) -> Occurrence:
    at = NOON + timedelta(seconds=position)
    fields = {"code": code}
    return Occurrence(
        name="gpu.xid", subject="GPU-1", at=at, source="kmsg", position=position, fields=fields
    )


def after(*answers: tuple[float, Reading]) -> Level:
    """Fold readings of one level, each at its minute."""
    known = fresh()
    for at, reading in answers:
        known = state.answered(known, "disk", [reading], minute(at))
    (level,) = state.status(known, agent_version="1").levels
    return level


def test_a_level_is_told_on_its_grid() -> None:
    assert after((1, free(0.2319))).value == 0.23


def test_a_level_holds_since_it_took_its_value() -> None:
    level = after((1, free(0.5)), (2, free(0.502)), (3, free(0.3)), (4, free(0.3)))

    assert level.since == minute(3)
    assert level.flips.last == (minute(3),)


def test_the_first_reading_is_no_flip() -> None:
    assert after((1, free(0.5))).flips == history.History()


def test_what_is_unknown_keeps_its_last_value_and_its_time() -> None:
    level = after((1, free(0.5)), (2, hidden()))

    assert (level.value, level.since, level.knowledge) == (0.5, minute(1), UNKNOWN)


def test_what_is_known_again_unchanged_has_held_all_the_time() -> None:
    level = after((1, free(0.5)), (2, hidden()), (3, free(0.5)))

    assert (level.since, level.knowledge) == (minute(1), Knowledge.KNOWN)


def test_what_is_known_again_and_changed_flipped_when_it_was_seen() -> None:
    level = after((1, free(0.5)), (2, hidden()), (3, free(0.2)))

    assert (level.since, level.flips.last) == (minute(3), (minute(3),))


def test_what_was_never_known_holds_since_it_is() -> None:
    level = after((1, hidden()), (2, free(0.5)))

    assert (level.since, level.flips.last) == (minute(2), ())


def test_what_does_not_apply_has_no_value() -> None:
    level = after((1, free(0.5)), (2, hidden(knowledge=ABSENT)), (3, hidden(knowledge=ABSENT)))

    assert (level.value, level.since, level.knowledge) == (None, minute(2), ABSENT)


def test_a_level_that_is_said_no_more_is_gone() -> None:
    both = state.answered(fresh(), "disk", [free(0.5), free(0.4, "/data")], NOON)

    one = state.answered(both, "disk", [free(0.5)], NOON)

    assert [each.subject for each in state.status(one, agent_version="").levels] == ["/"]


def test_a_probe_that_is_overdue_makes_only_its_own_levels_unknown() -> None:
    known = state.answered(fresh(), "disk", [free(0.5)], NOON)
    known = state.answered(known, "gpu", [free(0.4, "/other")], NOON)

    known = state.unanswered(known, "disk", ProbeState.OVERDUE, "no answer within 5s", minute(1))

    told = state.status(known, agent_version="")
    assert [each.knowledge for each in told.levels] == [UNKNOWN, Knowledge.KNOWN]
    assert [(each.name, each.state) for each in told.probes] == [
        ("disk", ProbeState.OVERDUE),
        ("gpu", ProbeState.OK),
    ]


def test_a_report_keeps_the_time_since_which_a_probe_fares_so() -> None:
    known = fresh()
    for at in (1, 2, 3):
        known = state.unanswered(known, "disk", ProbeState.FAILED, f"error {at}", minute(at))

    report = known.reports["disk"]

    assert (report.since, report.message) == (minute(1), "error 3")


def test_a_probe_that_could_not_read_everything_says_what_and_why() -> None:
    known = state.answered(fresh(), "disk", [free(0.5), hidden("/nfs")], NOON)

    report = known.reports["disk"]

    assert (report.state, report.message) == (ProbeState.FAILED, "/nfs: it hangs")


def test_a_version_is_told_as_far_as_a_report_holds_it() -> None:
    told = state.status(fresh(), agent_version="1.2", driver_version="5" * 99)

    assert told.driver_version == "5" * 63


def test_before_it_has_answered_a_probe_is_starting() -> None:
    told = state.status(fresh(), agent_version="1.2")

    assert {each.state for each in told.probes} == {ProbeState.STARTING}
    assert (told.node_uid, told.boot_id, told.agent_version) == ("u1", "b1", "1.2")


def test_an_event_is_counted_by_subject_and_fields() -> None:
    known = state.answered(fresh(), "gpu", [xid(1), xid(2), xid(3, code=13)], NOON)

    counts = {each.fields["code"]: each.count for each in known.events}
    assert counts == {79: 2, 13: 1}


def test_two_events_of_one_record_are_both_counted() -> None:
    known = state.answered(fresh(), "gpu", [xid(1), xid(1, code=13)], NOON)

    assert [each.count for each in known.events] == [1, 1]


@given(batches=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), min_size=1, max_size=12))
def test_reading_a_source_again_never_inflates_a_count(batches: list[tuple[int, int]]) -> None:
    known, seen = fresh(), -1
    for start, length in batches:
        positions = range(min(start, seen + 1), min(start, seen + 1) + length)
        known = state.answered(known, "gpu", [xid(each) for each in positions], NOON)
        seen = max([seen, *positions])
        assert sum(each.count for each in known.events) == seen + 1


def test_when_there_are_too_many_events_those_that_are_quiet_longest_go_first() -> None:
    known = state.answered(fresh(), "gpu", [xid(n, code=n) for n in range(1000, 1150)], NOON)

    assert [each.fields["code"] for each in known.events] == list(range(1022, 1150))


@pytest.mark.parametrize(("events", "told"), [(128, []), (129, ["events"])])
def test_that_events_were_dropped_is_said_for_the_rest_of_the_boot(
    events: int, told: list[str]
) -> None:
    full = state.answered(fresh(), "gpu", [xid(n, code=n) for n in range(events)], NOON)
    later = state.answered(fresh(full), "gpu", [], minute(1))
    probes = {each.name: each for each in state.status(later, agent_version="").probes}

    assert sorted(probes.keys() - {"disk", "gpu"}) == told
    assert all(
        (probes[each].state, probes[each].since) == (ProbeState.FAILED, NOON) for each in told
    )


def test_after_a_reboot_all_events_are_counted_again() -> None:
    full = state.answered(fresh(), "gpu", [xid(n, code=n) for n in range(129)], NOON)

    assert fresh(full, boot_id="b2").uncounted is None


def test_what_happened_in_another_boot_is_told_no_more() -> None:
    earlier = state.answered(fresh(), "gpu", [xid(1)], NOON)

    assert fresh(earlier, boot_id="b2").events == ()


@pytest.mark.parametrize(("hours", "times"), [(23.9, 1), (24.1, 0)])
def test_what_is_quiet_for_a_day_counts_on_and_only_its_times_are_forgotten(
    hours: float, times: int
) -> None:
    known = state.answered(fresh(), "gpu", [xid(1)], NOON)

    known = state.answered(known, "disk", [free(0.5)], minute(hours * 60))

    (told,) = known.events
    assert told.count == 1
    assert len(told.history.last) == times
    assert history.count_since(told.history, minute(hours * 60 - 60)) == 0


def test_what_happens_again_after_quiet_days_is_counted_on() -> None:
    known = state.answered(fresh(), "gpu", [xid(1)], NOON)
    known = state.answered(known, "gpu", [], minute(3 * 1440))

    known = state.answered(known, "gpu", [xid(3 * 86400 + 5)], minute(3 * 1440 + 1))

    (told,) = known.events
    assert told.count == 2
    assert history.count_since(told.history, minute(3 * 1440)) == 1


def test_what_does_not_apply_for_a_while_is_remembered_and_not_told() -> None:
    known = state.answered(fresh(), "disk", [free(0.5)], minute(1))
    known = state.answered(known, "disk", [hidden(knowledge=ABSENT)], minute(2))

    (told,) = state.status(known, agent_version="").levels
    assert (told.value, told.fields) == (None, {})
    assert state.past(known, "disk")[SPACE, "/"].value == 0.5


def test_what_applies_again_holds_since_it_does() -> None:
    level = after((1, free(0.5)), (2, hidden(knowledge=ABSENT)), (3, free(0.5)))

    assert (level.value, level.since, level.flips) == (0.5, minute(3), history.History())


def test_what_changed_while_it_did_not_apply_flipped() -> None:
    level = after((1, free(0.5)), (2, hidden(knowledge=ABSENT)), (3, free(0.2)))

    assert (level.since, level.flips.last) == (minute(3), (minute(3),))


def test_what_does_not_apply_to_another_thing_in_its_place_remembers_nothing() -> None:
    old = Reading(name=SPACE, value=0.5, fields={"device": "/dev/sda"})
    new = Reading(name=SPACE, knowledge=ABSENT, fields={"device": "/dev/sdb"})
    known = state.answered(fresh(), "disk", [old], minute(1))

    known = state.answered(known, "disk", [new], minute(2))

    assert state.past(known, "disk")[SPACE, ""].value is None


def test_time_that_passes_is_nothing_to_keep() -> None:
    kills = [Counter(name="memory.oom_kills", total=3, uptime=100)]
    rates = [Counter(name="net.errors", subject="eth0", total=3, uptime=100)]
    known = state.answered(fresh(), "disk", [*kills, *rates], NOON)

    later = [replace(each, uptime=130.0) for each in (*kills, *rates)]
    again = state.answered(known, "disk", later, NOON)
    more = state.answered(again, "disk", [replace(kills[0], total=4)], NOON)

    assert again != known
    assert state.lasting(msgspec.structs.replace(again, levels={})) == state.lasting(
        msgspec.structs.replace(known, levels={})
    )
    assert state.lasting(more) != state.lasting(again)


def test_a_restart_keeps_counts_and_times_and_knows_no_level_for_sure() -> None:
    before = state.answered(fresh(), "disk", [free(0.5)], minute(1))
    before = state.answered(before, "gpu", [xid(1)], minute(1))

    begun = fresh(before)
    assert begun.levels["disk"][0].knowledge is UNKNOWN
    again = state.answered(begun, "disk", [free(0.5)], minute(9))
    again = state.answered(again, "gpu", [xid(1), xid(2)], minute(9))

    assert again.levels["disk"][0].since == minute(1)
    assert [each.count for each in again.events] == [2]


def test_a_reboot_forgets_levels_and_reads_sources_anew() -> None:
    before = state.answered(fresh(), "disk", [free(0.5)], minute(1))
    before = state.answered(before, "gpu", [xid(7)], minute(1))

    begun = fresh(before, boot_id="b2")
    after_boot = state.answered(begun, "gpu", [xid(3)], minute(9))

    assert begun.levels == {}
    assert [(each.count, each.boot_id) for each in after_boot.events] == [(1, "b2")]


def test_what_another_machine_kept_is_forgotten() -> None:
    before = state.answered(fresh(), "gpu", [xid(1)], NOON)

    assert fresh(before, node_uid="u2").events == ()


def test_levels_of_a_probe_that_is_put_off_are_forgotten() -> None:
    before = state.answered(fresh(), "disk", [free(0.5)], NOON)

    begun = state.begin(before, boot_id="b1", node_uid="u1", probes=["gpu"], now=NOON)

    assert begun.levels == {}


def test_the_report_does_not_depend_on_the_order_of_answers() -> None:
    one = state.answered(fresh(), "disk", [free(0.5), free(0.4, "/data")], NOON)
    other = state.answered(fresh(), "disk", [free(0.4, "/data"), free(0.5)], NOON)

    assert state.status(one, agent_version="") == state.status(other, agent_version="")


@given(st.lists(st.floats(min_value=0, max_value=1), min_size=1, max_size=30))
def test_every_level_lies_on_its_grid_and_flips_once_a_change(ratios: list[float]) -> None:
    known, told = fresh(), []
    for index, ratio in enumerate(ratios):
        known = state.answered(known, "disk", [free(ratio)], minute(index))
        told.append(known.levels["disk"][0].value or 0.0)

    changes = sum(one != two for one, two in itertools.pairwise(told))
    assert all(CATALOGUE[SPACE].grid.holds(value) for value in told)
    assert sum(known.levels["disk"][0].flips.hours) == changes


def test_a_state_survives_its_file() -> None:
    known = state.answered(fresh(), "gpu", [xid(1)], NOON)

    assert msgspec.json.decode(msgspec.json.encode(known), type=State) == known


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (
            [Reading(name="disk.fre_ratio", value=1)],
            "disk.fre_ratio: unknown signal; known are ",
        ),
        ([Reading(name="node.ready", value=1)], "node.ready: unknown signal; known are "),
        ([Reading(name="gpu.xid", value=1)], "gpu.xid: expected an occurrence of an event"),
        ([Reading(name=SPACE)], "disk.free_ratio: expected a finite number, got None"),
        ([Reading(name=SPACE, value=float("nan"))], "expected a finite number, got nan"),
        ([Reading(name=SPACE, value=1, knowledge=UNKNOWN)], "no value while it is unknown, got 1"),
        ([Reading(name=SPACE, value=1, fields={"dev": "a"})], "known are device, fstype"),
        ([Reading(name=SPACE, value=1, fields={"device": 3})], "device: expected string, got 3"),
        ([Reading(name=SPACE, value=1, subject="/" * 254)], "at most 253 characters, got 254"),
        ([free(1), free(0.5)], "disk: expected one reading a level"),
        ([free(1, str(n)) for n in range(1025)], "at most 1024 levels on a node, got 1025"),
    ],
)
def test_what_the_catalogue_does_not_know_is_refused(
    answers: Sequence[Reading], message: str
) -> None:
    with pytest.raises(ReadingError) as refused:
        state.answered(fresh(), "disk", answers, NOON)

    assert message in str(refused.value)


def test_a_time_that_could_be_anywhere_is_refused() -> None:
    naive = Occurrence(name="gpu.xid", at=datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake

    with pytest.raises(ReadingError, match="expected a time with its time zone"):
        state.answered(fresh(), "gpu", [naive], NOON)


def test_a_counter_that_is_told_twice_is_refused() -> None:
    counter = Counter(name="memory.oom_kills", total=1, uptime=1)

    with pytest.raises(ReadingError, match="one total a counter, got one of them twice"):
        state.answered(fresh(), "disk", [counter, counter], NOON)


def test_an_occurrence_of_a_level_is_refused() -> None:
    wrong = Occurrence(name=SPACE, at=NOON, source="kmsg", position=1)

    with pytest.raises(ReadingError, match="expected a reading of a level"):
        state.answered(fresh(), "disk", [wrong], NOON)


def test_a_counter_of_what_is_no_rate_is_refused() -> None:
    wrong = Counter(name="block.missing", total=1, uptime=1)

    with pytest.raises(ReadingError, match="expected a reading of a level, got a counter"):
        state.answered(fresh(), "disk", [wrong], NOON)


def test_a_counter_below_nothing_is_refused() -> None:
    wrong = Counter(name="memory.oom_kills", total=-1, uptime=1)

    with pytest.raises(ReadingError, match="expected a total >= 0, got -1"):
        state.answered(fresh(), "disk", [wrong], NOON)


def test_an_event_that_happened_no_times_is_refused() -> None:
    wrong = Occurrence(name="gpu.xid", at=NOON, source="kmsg", position=1, count=0)

    with pytest.raises(ReadingError, match="expected a count >= 1, got 0"):
        state.answered(fresh(), "gpu", [wrong], NOON)


def test_a_level_that_another_probe_reports_is_refused() -> None:
    known = state.answered(fresh(), "disk", [free(0.5)], NOON)

    with pytest.raises(ReadingError, match="probe disk reports it already"):
        state.answered(known, "gpu", [free(0.5)], NOON)


def test_what_a_probe_wants_to_remember_is_found_again_and_told_to_nobody() -> None:
    memo = Memo(subject="uuids", fields={"0000:3b:00.0": "GPU-1"})
    known = state.answered(fresh(), "gpu", [memo], NOON)

    kept = msgspec.json.decode(msgspec.json.encode(known), type=State)
    again = fresh(kept)

    assert state.past(again, "gpu")["", "uuids"].fields == memo.fields
    assert state.past(again, "disk") == {}
    assert state.status(again, agent_version="1").levels == ()


def test_a_memo_that_stays_the_same_is_no_reason_to_write_the_file_anew() -> None:
    memo = Memo(subject="uuids", fields={"0000:3b:00.0": "GPU-1"})
    known = state.answered(fresh(), "gpu", [memo], NOON)

    again = state.answered(known, "gpu", [memo], NOON + timedelta(hours=1))

    assert state.lasting(again) == state.lasting(known)


def test_a_memo_is_forgotten_when_it_is_not_said_again_and_after_a_reboot() -> None:
    known = state.answered(fresh(), "gpu", [Memo(subject="uuids", fields={})], NOON)

    rebooted = state.begin(known, boot_id="b2", node_uid="u1", probes=["gpu"], now=NOON)

    assert state.past(state.answered(known, "gpu", [], NOON), "gpu") == {}
    assert state.past(rebooted, "gpu") == {}


def test_what_could_not_be_watched_is_reported_and_what_was_seen_still_counts() -> None:
    seen = Occurrence(name="gpu.xid", at=NOON, fields={"code": 79})

    known = state.answered(fresh(), "gpu", [seen, Gap(why="the log is gone")], NOON)

    report = known.reports["gpu"]
    assert (report.state, report.message) == (ProbeState.FAILED, "the log is gone")
    assert [each.count for each in known.events] == [1]


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(ReadingError, match=r"disk\.free_ratio: expected text"):
        state.answered(fresh(), "disk", [free(0.5, "/\udcff")], NOON)


def test_a_message_that_is_no_text_can_be_written_down_all_the_same() -> None:
    failed = state.unanswered(fresh(), "disk", ProbeState.FAILED, "no such file: '/\udcff'", NOON)

    assert failed.reports["disk"].message == "no such file: '/?'"
