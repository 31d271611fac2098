"""Whoever watches the agent sees how its probes fare, and whether it is heard."""

from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families

from agent import exposed, exposition, state
from agent.buckets import HOLDS, Teller
from agent.exposed import Numbers
from agent.host.kmsg import KernelLog
from agent.host.nvml.counts import Counts
from agent.readings import Occurrence
from agent.state import State
from agent.tally import Obstacle, Tally
from nodehealth.health import ProbeState

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PROBES = ("memory", "network")


def begun() -> State:
    return state.begin(None, boot_id="b", node_uid="u", probes=PROBES, now=NOON)


def asked(*names: str) -> State:
    known = begun()
    for name in names:
        known = state.answered(known, name, [], NOON)
    return known


def number(
    tally: Tally,
    name: str,
    known: State | None = None,
    log: KernelLog | None = None,
    **labels: str,
) -> float | None:
    """Return what a Prometheus finds under a name of ours and with some labels."""
    told = exposition.text(Numbers(tally, lambda: known or begun(), log).collect()).decode()
    found = {
        (each.name, tuple(sorted(each.labels.items()))): each.value
        for family in text_string_to_metric_families(told)
        for each in family.samples
    }
    return found.get((f"nodemend_agent_{name}", tuple(sorted(labels.items()))))


def test_a_probe_is_in_one_state_at_a_time() -> None:
    known = asked("memory")

    states = {
        each.value: number(Tally(), "probe_state", known, probe="memory", state=each.value)
        for each in ProbeState
    }
    assert states == {"OK": 1, "Starting": 0, "Overdue": 0, "Failed": 0}


def test_looks_and_how_long_they_take_are_counted_by_probe() -> None:
    tally = Tally()
    tally.looked("memory", ProbeState.OK, 0.25)
    tally.looked("memory", ProbeState.OVERDUE, 20.0)

    assert number(tally, "probe_looks_total", probe="memory", state="Overdue") == 1
    assert number(tally, "probe_duration_seconds_sum", probe="memory") == 20.25
    assert number(tally, "probe_duration_seconds_count", probe="memory") == 2


def test_the_kernels_log_is_counted_where_it_is_read() -> None:
    log = KernelLog()
    log.lines, log.losses.count, log.strange, log.reopens = 9, 4, 2, 1

    found = {
        each: number(Tally(), f"kmsg_{each}_total", log=log)
        for each in ("records", "lost", "strange", "reopens")
    }
    assert found == {"records": 9, "lost": 4, "strange": 2, "reopens": 1}
    assert number(Tally(), "kmsg_records_total") is None


def test_what_was_suppressed_of_a_pattern_is_counted_for_as_long_as_a_boot_lasts() -> None:
    known = begun()
    for probe in PROBES:
        teller = Teller({}, NOON)
        for n in range(1, HOLDS + 6):
            teller.tell("block-error", "kmsg", Occurrence(name="x", at=NOON, position=n))
        known = state.answered(known, probe, tuple(teller.memos()), NOON)
    again = state.begin(known, boot_id="b", node_uid="u", probes=PROBES, now=NOON)

    name, log = "kmsg_suppressed_total", KernelLog()
    assert number(Tally(), name, again, log, pattern="block-error") == 10


def test_reports_are_counted_with_their_size_and_what_they_lack() -> None:
    tally = Tally()
    tally.wrote(NOON, 7000, {"flips": 3, "levels": 0})

    assert number(tally, "report_writes_total") == 1
    assert number(tally, "report_bytes") == 7000
    assert number(tally, "report_left_out", part="flips") == 3
    assert number(tally, "report_written_timestamp_seconds") == NOON.timestamp()


def test_every_reason_for_failing_is_there_before_it_happens() -> None:
    tally = Tally()
    tally.failures[Obstacle.AWAY] += 2

    counts = {
        each.value: number(tally, "report_failures_total", reason=each.value) for each in Obstacle
    }
    assert counts == {**dict.fromkeys([each.value for each in Obstacle], 0), "away": 2}


def test_saves_of_the_state_are_counted() -> None:
    tally = Tally()
    tally.saves, tally.saves_failed = 3, 1

    assert number(tally, "state_saves_total") == 3
    assert number(tally, "state_save_failures_total") == 1


def test_before_anything_was_written_there_is_nothing_to_tell_of_it() -> None:
    assert number(Tally(), "report_written_timestamp_seconds") == 0


def test_an_agent_is_ready_once_it_has_asked_every_probe() -> None:
    assert exposed.unready(asked("memory")) == "not asked yet: network"
    assert exposed.unready(asked(*PROBES)) == ""


def test_an_agent_is_ready_though_a_probe_hangs() -> None:
    known = state.unanswered(asked("memory"), "network", ProbeState.OVERDUE, "late", NOON)

    assert exposed.unready(known) == ""


def test_what_becomes_of_the_nvml_worker_is_counted_where_there_may_be_one() -> None:
    counts = Counts()
    counts.starts, counts.abandoned, counts.slow = 3, 2, 5
    counts.sampled(("vitals", "links"), 0.5, 1500)
    counts.sampled(("vitals",), 0.25, 2000)
    tally = Tally(nvml=counts)

    assert number(tally, "nvml_worker_starts_total") == 3
    assert number(tally, "nvml_slow_batches_total") == 5
    failures = "nvml_worker_failures_total"
    assert [number(tally, failures, reason=each) for each in ("abandoned", "killed")] == [2, 0]
    assert number(tally, "nvml_batch_seconds_sum", tier="links") == 0.5
    assert number(tally, "nvml_field_latency_seconds") == 0.002
    assert number(Tally(), "nvml_worker_starts_total") is None
