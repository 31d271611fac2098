"""No crowd of events pushes out the one that matters: not among those kept, nor in a report."""

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from agent import fitting, state
from agent.mishaps import OF_APPLICATIONS
from agent.readings import Occurrence
from agent.state import State
from nodehealth.health import Fields, NodeHealthStatus

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
GPUS = tuple(f"GPU-{n:08x}-0000-0000-0000-000000000000" for n in range(8))
UNITS = ("RLW_REMAP", "RLW_RSVD", "NETIR", "MSE", "RLW_CTRL")
GRAVITIES = (("Nonfatal", "IGNORE"), ("Nonfatal", "XID_154_EVAL"), ("Fatal", "RESET_GPU"))


def fresh() -> State:
    return state.begin(None, boot_id="b", node_uid="u", probes=["xids"], now=NOON)


def xid(gpu: int, code: int, at: datetime = NOON, **more: int | str) -> Occurrence:
    fields: Fields = {"code": code, "pci": f"0000:{gpu:02x}:00.0", **more}
    return Occurrence(name="gpu.xid", subject=GPUS[gpu], at=at, fields=fields)


def lost(at: datetime = NOON) -> list[Occurrence]:
    return [xid(gpu, code, at) for gpu in range(8) for code in (79, 119)]


def of_links(at: datetime = LATER) -> list[Occurrence]:
    """What a fabric that breaks down tells: every unit of every link of every GPU."""
    every = itertools.product(range(8), (145, 149), range(18), UNITS, GRAVITIES)
    return [
        xid(gpu, code, at, link=link, unit=unit, severity=severity, action=action)
        for gpu, code, link, unit, (severity, action) in every
        if link % 3 == 0
    ]


def of_programs(at: datetime = LATER) -> list[Occurrence]:
    return [xid(gpu, code, at) for gpu in range(8) for code in sorted(OF_APPLICATIONS)]


def happened(*batches: list[Occurrence]) -> NodeHealthStatus:
    known = fresh()
    for batch in batches:
        known = state.answered(known, "xids", batch, LATER)
    return state.status(known, agent_version="1")


def codes(status: NodeHealthStatus) -> Counter[int | str]:
    return Counter(each.fields["code"] for each in status.events)


def test_the_xid_of_a_lost_gpu_outlives_a_storm_of_its_links_and_of_programs() -> None:
    status = happened(lost(), of_links(), of_programs())

    assert (codes(status)[79], codes(status)[119]) == (8, 8)


def test_of_a_report_that_is_too_large_the_crowd_goes_first() -> None:
    fitted = fitting.fit(happened(lost(), of_links(), of_programs()), LATER).status

    assert (codes(fitted)[79], codes(fitted)[119]) == (8, 8)
    assert any(each.fields.get("action") == "RESET_GPU" for each in fitted.events)


def test_of_many_links_of_one_gpu_a_few_are_told_and_all_are_counted() -> None:
    told = [xid(0, 145, link=link, unit="NETIR", severity="Fatal") for link in range(18)]

    status = happened(told, told)

    counts = {each.fields.get("link"): each.count for each in status.events}
    assert counts == {0: 2, 1: 2, 2: 2, None: 30}
    assert all(each.name != "events" for each in status.probes)


@given(st.lists(st.tuples(st.integers(0, 7), st.sampled_from([145, 149]), st.integers(0, 17))))
def test_no_occurrence_is_lost_to_a_place_that_is_not_told(
    happenings: list[tuple[int, int, int]],
) -> None:
    told = [xid(gpu, code, link=link) for gpu, code, link in happenings]

    status = happened(told)

    assert sum(each.count for each in status.events) == len(happenings)
    assert {(e.subject, e.fields["code"]) for e in status.events} == {
        (GPUS[gpu], code) for gpu, code, _ in happenings
    }
