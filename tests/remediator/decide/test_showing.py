"""What is written to a Node: little, seldom, and never what is somebody else's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from nodehealth.keys import REMEDIATOR_MANAGER
from nodehealth.kube.objects import Condition, Node, OwnedFields, OwnedMetadata, OwnedNode
from remediator.decide import showing
from remediator.decide.conditions import Claim
from tests.builders import NOON, at, node

TYPE = "nodemend.dev/StorageReady"
EARLIER = at(-600)
OURS = {TYPE: REMEDIATOR_MANAGER}
FAULT = Claim(type=TYPE, status="False", reason="DiskFull", message="nodemend: full.")
WELL = Claim(type=TYPE, status="True", reason="NoFault", message="nodemend: well.", begins=False)


def said(
    status: str = "False",
    *,
    type_: str = TYPE,
    reason: str = "DiskFull",
    message: str = "nodemend: full.",
    since: datetime | None = EARLIER,
    beat: datetime | None = EARLIER,
) -> Condition:
    return Condition(
        type=type_,
        status=status,
        reason=reason,
        message=message,
        last_transition_time=since,
        last_heartbeat_time=beat,
    )


def with_(*conditions: Condition) -> Node:
    seen = node()
    return structs.replace(seen, status=structs.replace(seen.status, conditions=conditions))


def owned(*conditions: Condition, **owners: tuple[str, ...]) -> OwnedNode:
    """Make a Node whose managers own conditions, by their types."""
    fields = tuple(
        OwnedFields(
            manager=manager.replace("_", "-"),
            subresource="status",
            fields_v1={
                "f:status": {
                    "f:conditions": {
                        ".": {},
                        **{f'k:{{"type":"{each}"}}': {"f:status": {}} for each in types},
                    }
                }
            },
        )
        for manager, types in owners.items()
    )
    seen = with_(*conditions)
    metadata = OwnedMetadata(name="n1", uid="u", managed_fields=fields)
    return OwnedNode(metadata=metadata, spec=seen.spec, status=seen.status)


def test_a_fault_is_written_at_once_with_the_time_at_which_it_began() -> None:
    change = showing.change(with_(), [FAULT], {}, NOON)

    assert change.entries == (
        {
            "type": TYPE,
            "status": "False",
            "reason": "DiskFull",
            "message": "nodemend: full.",
            "lastTransitionTime": "2026-01-01T12:00:00Z",
            "lastHeartbeatTime": "2026-01-01T12:00:00Z",
        },
    )


def test_a_node_that_is_well_gets_a_condition_only_if_it_had_one_or_the_policy_wants_it() -> None:
    wanted = replace(WELL, begins=True)

    assert showing.change(with_(), [WELL], {}, NOON).entries == ()
    assert len(showing.change(with_(), [wanted], {}, NOON).entries) == 1
    assert len(showing.change(with_(said()), [WELL], OURS, NOON).entries) == 1


def test_another_reason_or_message_moves_no_transition_time() -> None:
    changed = Claim(type=TYPE, status="False", reason="DiskGone", message="nodemend: gone.")

    (entry,) = showing.change(with_(said()), [changed], OURS, NOON).entries

    assert entry["reason"] == "DiskGone"
    assert "lastTransitionTime" not in entry


def test_what_is_said_already_is_not_said_again() -> None:
    assert showing.change(with_(said()), [FAULT], OURS, NOON) == showing.Change()
    assert not showing.is_due(with_(said()), [FAULT])


def test_another_message_waits_until_the_last_write_is_half_a_minute_old() -> None:
    changed = Claim(type=TYPE, status="False", reason="DiskFull", message="nodemend: fuller.")

    early = showing.change(with_(said(beat=at(-10))), [changed], OURS, NOON)

    assert (early.entries, early.again) == ((), at(20))
    assert showing.change(with_(said(beat=at(-30))), [changed], OURS, NOON).entries


def test_a_condition_that_flips_takes_along_what_else_is_to_be_said() -> None:
    other = Claim(type="nodemend.dev/Other", status="False", reason="R", message="nodemend: o.")
    before = with_(said(message="nodemend: old.", beat=at(-1)))

    change = showing.change(before, [FAULT, other], OURS, NOON)

    assert {entry["type"] for entry in change.entries} == {TYPE, "nodemend.dev/Other"}


def test_a_fault_stays_shown_for_half_a_minute() -> None:
    young = with_(said(since=at(-10)))

    early = showing.change(young, [WELL], OURS, NOON)

    assert (early.entries, early.again) == ((), at(20))
    assert showing.change(young, [WELL], OURS, at(20)).entries


def test_a_fault_of_which_nobody_knows_that_it_is_over_stays_shown() -> None:
    doubted = Claim(
        type=TYPE, status="True", reason="NoFault", message="m", doubts=frozenset({"DiskFull"})
    )

    assert not showing.is_due(with_(said()), [doubted])
    assert showing.is_due(with_(said(reason="Another")), [doubted])
    assert showing.is_due(with_(said("Unknown")), [doubted])


def test_where_nothing_is_decided_all_stays_as_it_is() -> None:
    undecided = Claim(type=TYPE, status="")

    assert not showing.is_due(with_(said()), [undecided])
    assert not showing.is_due(with_(), [undecided])


def test_a_condition_of_ours_that_is_not_claimed_any_more_is_removed() -> None:
    assert showing.is_due(with_(said()), [])

    change = showing.change(with_(said()), [], OURS, NOON)

    assert change.entries == ({"$patch": "delete", "type": TYPE},)


def test_a_condition_of_somebody_else_is_neither_written_nor_removed() -> None:
    seen, theirs = with_(said("True", message="fine")), {TYPE: "eks-node-monitoring-agent"}

    for claims in ([FAULT], []):
        change = showing.change(seen, claims, theirs, NOON)

        assert change.entries == ()
        assert change.foreign == theirs


def test_what_was_found_to_be_somebody_elses_is_not_due() -> None:
    assert showing.is_due(with_(said("True")), [FAULT])
    assert not showing.is_due(with_(said("True")), [FAULT], but=(TYPE,))
    assert not showing.is_due(with_(said("True")), [], but=(TYPE,))


@pytest.mark.parametrize(
    ("owners", "message", "writer"),
    [
        ({"nodemend_remediator": (TYPE,)}, "m", REMEDIATOR_MANAGER),
        ({"nodemend_remediator": (TYPE,), "npd": (TYPE,)}, "m", "npd"),
        ({"npd": (TYPE,), "nma": (TYPE,)}, "m", "nma, npd"),
        ({"npd": ("Other",)}, "nodemend: m", REMEDIATOR_MANAGER),
    ],
)
def test_the_managed_fields_say_whose_a_condition_is(
    owners: dict[str, tuple[str, ...]], message: str, writer: str
) -> None:
    assert showing.writers(owned(said(message=message), **owners)) == {TYPE: writer}


def test_a_condition_that_nobody_owns_and_that_does_not_speak_as_we_do_is_not_ours() -> None:
    seen = owned(said(type_="StorageReady", message="m"))

    assert showing.writers(seen) == {"StorageReady": showing.UNKNOWN_WRITER}


def test_managers_without_a_status_own_no_condition() -> None:
    seen = owned(said(message="nodemend: m"))
    fields = (OwnedFields(manager="x", fields_v1={"f:spec": {}}), OwnedFields(manager="y"))
    metadata = structs.replace(seen.metadata, managed_fields=fields)

    assert showing.writers(structs.replace(seen, metadata=metadata)) == {TYPE: REMEDIATOR_MANAGER}


def test_whom_somebody_else_writes_for_is_told_by_type() -> None:
    theirs = said(type_="StorageReady", message="fine")
    ours = said(type_="KernelReady")

    assert showing.taken([with_(theirs, ours), with_()], {"StorageReady", "KernelReady"}) == {
        "StorageReady": ("n1",)
    }


STATUSES = st.sampled_from(["True", "False", "Unknown"])
TYPES = st.sampled_from(["Ready", "StorageReady", TYPE, "nodemend.dev/Old", "DrainInProgress"])
MANAGERS = st.sampled_from([REMEDIATOR_MANAGER, "npd"])


@given(
    st.lists(st.tuples(TYPES, STATUSES, MANAGERS), unique_by=lambda each: each[0]),
    st.lists(st.tuples(TYPES, STATUSES), unique_by=lambda each: each[0]),
    st.integers(0, 60),
)
def test_no_write_ever_touches_what_is_somebody_elses_nor_names_a_type_twice(
    present: list[tuple[str, str, str]], wanted: list[tuple[str, str]], later: int
) -> None:
    seen = with_(
        *(
            said(status, type_=type_, message="nodemend: m" if who == REMEDIATOR_MANAGER else "m")
            for type_, status, who in present
        )
    )
    claims = [Claim(type=type_, status=status, reason="R") for type_, status in wanted]
    writer = {type_: who for type_, _, who in present}

    written = [entry["type"] for entry in showing.change(seen, claims, writer, at(later)).entries]

    assert len(written) == len(set(written))
    assert [each for each in written if writer.get(each, REMEDIATOR_MANAGER) == "npd"] == []


def written(seen: Node, entries: tuple[showing.Entry, ...]) -> Node:
    """Apply what is written to the one condition of a Node."""
    present = {each.type: each for each in seen.status.conditions}
    for entry in entries:
        before = present.get(entry["type"], Condition(type=entry["type"], status=""))
        since, beat = (
            datetime.fromisoformat(entry[key]).astimezone(UTC) if key in entry else None
            for key in ("lastTransitionTime", "lastHeartbeatTime")
        )
        present[entry["type"]] = Condition(
            type=entry["type"],
            status=entry["status"],
            reason=entry["reason"],
            message=entry["message"],
            last_transition_time=since or before.last_transition_time,
            last_heartbeat_time=beat,
        )
    return structs.replace(seen, status=structs.replace(seen.status, conditions=present.values()))


@given(st.lists(st.tuples(st.integers(0, 40), STATUSES, st.sampled_from("ab")), max_size=30))
def test_however_a_fault_comes_and_goes_a_node_is_written_at_most_three_times_in_half_a_minute(
    story: list[tuple[int, str, str]],
) -> None:
    seen, now, writes = with_(), NOON, list[datetime]()
    for pause, status, reason in story:
        now += timedelta(seconds=pause)
        claim = Claim(type=TYPE, status=status, reason=reason, message="nodemend: m")
        entries = showing.change(seen, [claim], OURS, now).entries
        seen = written(seen, entries)
        writes += [now] if entries else []

    for at_ in writes:
        within = [each for each in writes if at_ <= each < at_ + showing.AGAIN]
        assert len(within) <= 3
