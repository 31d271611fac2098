"""What is told in two ways is counted once, in whatever order it comes."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from agent import state, twins
from agent.readings import Occurrence
from agent.state import State
from agent.twins import Single

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LOG, NVML = "kmsg", "nvml"


def told(via: str, seconds: float = 0, *, count: int = 1, same: str = "gpu0 79") -> Occurrence:
    at = NOON + timedelta(seconds=seconds)
    return Occurrence(name="gpu.xid", at=at, same=same, via=via, count=count)


def counted(*batches: Sequence[Occurrence]) -> int:
    singles, total = tuple[Single, ...](), 0
    for batch in batches:
        singles, new = twins.fold(singles, batch)
        total += sum(each.count for each in new)
    return total


def test_the_first_to_tell_is_believed_at_once() -> None:
    assert counted([told(NVML)]) == 1


def test_what_both_tell_is_counted_once_whoever_is_first() -> None:
    assert counted([told(NVML)], [told(LOG, 5)]) == 1
    assert counted([told(LOG)], [told(NVML, 5)]) == 1
    assert counted([told(LOG), told(NVML)]) == 1


def test_what_one_tells_twice_happened_twice() -> None:
    assert counted([told(LOG)], [told(LOG, 1)]) == 2


def test_what_lies_further_apart_are_two() -> None:
    assert counted([told(LOG)], [told(NVML, 6)]) == 2


def test_another_code_or_gpu_is_no_twin() -> None:
    assert counted([told(LOG), told(NVML, same="gpu0 31"), told(NVML, same="gpu1 79")]) == 3


def test_what_is_told_in_one_way_only_needs_no_twin() -> None:
    alone = Occurrence(name="gpu.sxid", at=NOON)

    assert counted([alone, alone], [alone]) == 3
    assert twins.fold((), [alone])[0] == ()


def test_of_many_at_once_only_what_is_more_is_counted() -> None:
    assert counted([told(LOG, count=7)], [told(NVML, count=3)], [told(NVML, 1, count=6)]) == 9


def test_a_twin_from_before_a_long_outage_is_still_known() -> None:
    singles, _ = twins.fold((), [told(NVML)])
    kept = msgspec.json.decode(msgspec.json.encode(singles), type=tuple[Single, ...])

    _, new = twins.fold(kept, [told(LOG, 1), told(NVML, 7200), told(LOG, 7200)])

    assert [each.via for each in new] == [NVML]


def test_what_waits_never_grows_without_bound() -> None:
    singles = tuple[Single, ...]()
    for second in range(0, 6000, 20):
        news = [told(LOG, second, same=f"gpu{n} 31") for n in range(8)]
        singles, _ = twins.fold(singles, [*news, told(LOG, second, same=f"gpu0 {second}")])

    assert len(singles) <= twins.MOST


@given(
    st.lists(
        st.tuples(st.sampled_from([LOG, NVML]), st.integers(1, 4), st.booleans()), max_size=40
    ),
    st.floats(0, 4.9),
)
def test_within_a_window_the_count_is_the_larger_of_both_in_any_order(
    steps: list[tuple[str, int, bool]], spread: float
) -> None:
    batches = [list[Occurrence]()]
    for number, (via, count, is_new_batch) in enumerate(steps):
        if is_new_batch:
            batches.append([])
        at = spread * number / max(1, len(steps))
        batches[-1].append(told(via, at, count=count))
    of = {via: sum(count for each, count, _ in steps if each == via) for via in (LOG, NVML)}

    assert counted(*batches) == max(of.values())


WAYS = st.sampled_from([LOG, NVML, "both", "both late"])
XIDS = st.lists(st.tuples(st.integers(0, 2), WAYS, st.integers(20, 60)), max_size=12)


@given(XIDS, st.integers(0, 40))
def test_xids_that_lie_apart_are_counted_each_once(
    xids: list[tuple[int, str, int]], crash: int
) -> None:
    news, at = list[Occurrence](), 0
    for gpu, ways, pause in xids:
        at += pause
        if ways != NVML:
            news.append(told(LOG, at, same=f"gpu{gpu} 31"))
        if ways != LOG:
            news.append(told(NVML, at + 4 * (ways == "both late"), same=f"gpu{gpu} 31"))
    head, tail = news[:crash], news[crash:]

    assert counted(head, tail) == len(xids)


STORM = st.lists(st.tuples(st.sampled_from([LOG, NVML]), st.booleans()), max_size=60)


@given(STORM, st.sets(st.integers(0, 60), max_size=4))
def test_no_restart_and_no_ring_read_anew_inflates_a_storm(
    steps: list[tuple[str, bool]], crashes: set[int]
) -> None:
    """Every line stays in the ring; a crash takes the agent back to what it saved last."""
    known = saved = fresh(None)
    ring, heard = list[Occurrence](), 0
    for number, (via, is_saved) in enumerate(steps):
        at = NOON + timedelta(milliseconds=50 * number)
        if via == LOG:
            ring.append(line(len(ring) + 1, at))
            known = state.answered(known, "xids", ring[-1:], at)
        else:
            heard += 1
            event = Occurrence(name="gpu.xid", at=at, fields={"code": 79}, same="g 79", via=NVML)
            known = state.answered(known, "xids", [event], at)
        saved = known if is_saved else saved
        if number in crashes:
            known = state.answered(fresh(reread(saved)), "xids", ring, at)

    total = sum(each.count for each in known.events)
    assert len(ring) <= total <= max(len(ring), heard)


def line(sequence: int, at: datetime) -> Occurrence:
    return Occurrence(
        name="gpu.xid",
        at=at,
        source="kmsg g",
        position=sequence,
        fields={"code": 79},
        same="g 79",
        via=LOG,
    )


def fresh(kept: State | None) -> State:
    return state.begin(kept, boot_id="b", node_uid="u", probes=["xids"], now=NOON)


def reread(known: State) -> State:
    return msgspec.json.decode(msgspec.json.encode(known), type=State)
