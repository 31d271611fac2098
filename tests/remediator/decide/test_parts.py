"""A part that fails again after repairs is condemned, whatever its node is called by then."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from nodehealth.kube.objects import Metadata
from nodehealth.repair import (
    Condemned,
    Failure,
    Joined,
    Mode,
    NodeRepair,
    NodeRepairStatus,
    Part,
    PartKind,
    Phase,
    PhaseTime,
)
from remediator.decide import keeping, parts
from remediator.rules.policy import Condemning, Policy
from tests.builders import NOON, at, repair

GPU_1 = Part(kind=PartKind.GPU, id="GPU-1")
GPU_2 = Part(kind=PartKind.GPU, id="GPU-2")
HOST = Part(kind=PartKind.HOST, id="4c4c4544")
MANNERS = Condemning()
DAY = timedelta(days=1)


def blamed(*on: Part, name: str = "n1") -> NodeRepair:
    """Make a repair that is about to be opened."""
    made = repair(name)
    gpus = tuple(each.id for each in on if each.kind is PartKind.GPU)
    host = "".join(each.id for each in on if each.kind is PartKind.HOST)
    target = structs.replace(made.spec.target, host=host)
    return structs.replace(made, spec=structs.replace(made.spec, parts=gpus, target=target))


def past(
    *on: Part,
    name: str = "n7",
    ago: timedelta = DAY,
    phase: Phase = Phase.RECOVERED,
    epoch: int = 5,
) -> NodeRepair:
    """Make a repair that ended some time ago."""
    status = NodeRepairStatus(
        phase=phase, disruption_epoch=epoch, timeline=(PhaseTime(phase=phase, at=NOON - ago),)
    )
    made = blamed(*on, name=name)
    return structs.replace(
        made, metadata=Metadata(name=f"{name}-{ago.days}", creation_timestamp=NOON), status=status
    )


def condemned(
    mine: NodeRepair,
    *before: NodeRepair,
    manners: Condemning = MANNERS,
    now: datetime = NOON,
    has_twin: bool = False,
    since: datetime | None = None,
) -> Condemned | None:
    found = parts.weighed(mine, before, manners, now, has_twin=has_twin, since=since)
    return found.spec.condemned


def test_the_gpus_of_the_evidence_and_the_host_are_blamed() -> None:
    made = blamed(GPU_1, HOST)
    named = structs.replace(made.spec, parts=("GPU-1", "0000:3b:00.0", "sda"))

    assert parts.blamed(structs.replace(made, spec=named)) == (GPU_1, HOST)


def test_a_host_that_has_no_name_is_blamed_by_what_its_owner_calls_it() -> None:
    unowned = blamed()
    target = structs.replace(unowned.spec.target, provider_id="")
    unowned = structs.replace(unowned, spec=structs.replace(unowned.spec, target=target))

    assert parts.blamed(blamed()) == (Part(kind=PartKind.MACHINE, id="sim://machine-n1"),)
    assert parts.blamed(unowned) == (Part(kind=PartKind.MACHINE, id="uid-n1"),)


def test_a_machine_without_a_name_of_its_own_is_condemned_as_a_host_is() -> None:
    once, twice = past(name="n1", ago=3 * DAY), past(name="n1", ago=2 * DAY)

    found = condemned(blamed(), once, twice)

    assert condemned(blamed(), once) is None
    assert found is not None
    assert parts.sentence(found).startswith("machine sim://machine-n1 is condemned")


def test_the_gpus_of_faults_that_joined_are_blamed_too() -> None:
    acts = Joined(rule="a", mode=Mode.ENFORCE, since=NOON, parts=("GPU-2",))
    watches = Joined(rule="w", mode=Mode.OBSERVE, since=NOON, parts=("GPU-3",))
    made = structs.replace(blamed(GPU_1, HOST), status=NodeRepairStatus(faults=(acts, watches)))

    assert parts.blamed(made) == (GPU_1, GPU_2, HOST)


def test_a_part_that_fails_for_the_first_time_is_repaired() -> None:
    assert condemned(blamed(GPU_1, HOST)) is None


def test_a_fault_that_was_there_before_another_was_repaired_is_no_new_failure() -> None:
    other = past(GPU_1, ago=timedelta(minutes=5))

    assert condemned(blamed(GPU_1), other, since=NOON - timedelta(minutes=6)) is None
    assert condemned(blamed(GPU_1), other, since=NOON - timedelta(minutes=4)) is not None


def test_a_gpu_that_fails_again_under_another_node_name_is_condemned() -> None:
    found = condemned(blamed(GPU_1, HOST), past(GPU_1, name="n7"))

    assert found == Condemned(
        part=GPU_1, failures=(Failure(node="n7", repair="n7-1", at=NOON - DAY),)
    )


def test_another_gpu_of_the_same_node_is_repaired() -> None:
    assert condemned(blamed(GPU_2), past(GPU_1, name="n1")) is None


def test_a_host_gets_one_repair_more_than_a_gpu() -> None:
    once, twice = past(GPU_1, HOST, ago=3 * DAY), past(HOST, name="n9", ago=2 * DAY)

    found = condemned(blamed(GPU_2, HOST), twice, once)

    assert condemned(blamed(GPU_2, HOST), once) is None
    assert found is not None
    assert found.part == HOST
    assert [each.node for each in found.failures] == ["n7", "n9"]


def test_of_several_condemned_parts_the_gpu_is_named() -> None:
    before = past(GPU_1, HOST, ago=2 * DAY), past(GPU_1, HOST)

    found = condemned(blamed(GPU_1, HOST), *before)

    assert found is not None
    assert found.part == GPU_1


@pytest.mark.parametrize(
    "before",
    [
        past(GPU_1, epoch=0),
        past(GPU_1, phase=Phase.PARKED),
        past(GPU_1, phase=Phase.NEEDS_HUMAN),
        past(GPU_1, phase=Phase.REPAIRING),
        past(GPU_1, ago=MANNERS.within),
    ],
    ids=["nothing was done", "parked", "not mended", "still under way", "too long ago"],
)
def test_what_was_not_repaired_lately_does_not_count(before: NodeRepair) -> None:
    assert condemned(blamed(GPU_1), before) is None


def test_a_host_that_has_a_twin_is_no_host_to_blame() -> None:
    before = [past(HOST, ago=n * DAY) for n in range(1, 5)]

    kept = parts.weighed(blamed(GPU_1, HOST), before, MANNERS, NOON, has_twin=True)

    assert kept.spec.condemned is None
    assert parts.blamed(kept) == (GPU_1, Part(kind=PartKind.MACHINE, id="sim://machine-n1"))


def test_nothing_is_condemned_where_the_policy_says_never() -> None:
    before = [past(GPU_1, HOST, ago=n * DAY) for n in range(1, 9)]

    assert condemned(blamed(GPU_1, HOST), *before, manners=Condemning(gpus=0, hosts=0)) is None


def test_a_history_that_was_lost_does_no_harm() -> None:
    unsaid = structs.replace(past(GPU_1), status=NodeRepairStatus(phase=Phase.RECOVERED))

    assert condemned(blamed(GPU_1), unsaid) is None


def test_the_sentence_names_part_nodes_repairs_and_times() -> None:
    found = condemned(blamed(GPU_1), past(GPU_1, name="n7"))

    assert found is not None
    assert parts.sentence(found) == (
        "GPU-1 is condemned: it fails again after repairs on n7 "
        f"(n7-1, {NOON - DAY:%Y-%m-%d %H:%M})"
    )


def test_what_counts_is_kept_besides_the_last_few_but_not_without_end() -> None:
    counting = [_named(past(GPU_1), n) for n in range(8)]
    others = [_named(past(epoch=0), n) for n in range(8, 8 + keeping.KEPT + 2)]

    gone = keeping.outdated([*counting, *others], Policy(), NOON)

    assert [each.metadata.name for each in gone] == ["r0", "r1", "r2", "r8", "r9"]


def test_what_counts_is_kept_as_long_as_it_does_when_its_node_is_gone() -> None:
    ended = past(GPU_1)

    assert keeping.kept_until(ended, Policy(), NOON) == NOON - DAY + MANNERS.within
    assert keeping.kept_until(ended, Policy(), NOON, crowded=True) == NOON - DAY + keeping.KEPT_FOR
    assert keeping.kept_until(past(epoch=0), Policy(), NOON) == NOON - DAY + keeping.KEPT_FOR


def _named(ended: NodeRepair, n: int) -> NodeRepair:
    return structs.replace(ended, metadata=Metadata(name=f"r{n}", creation_timestamp=at(n)))


ANY_PAST = st.lists(
    st.builds(
        past,
        st.sampled_from((GPU_1, GPU_2, HOST)),
        ago=st.integers(0, 60).map(lambda days: days * DAY),
        epoch=st.integers(0, 1),
        phase=st.sampled_from((Phase.RECOVERED, Phase.PARKED, Phase.NEEDS_HUMAN)),
    ),
    max_size=12,
)


@given(ANY_PAST, ANY_PAST)
def test_remembering_less_never_condemns_more(
    known: list[NodeRepair], more: list[NodeRepair]
) -> None:
    mine = blamed(GPU_1, HOST)

    if condemned(mine, *known) is not None:
        assert condemned(mine, *known, *more) is not None
