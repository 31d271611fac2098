"""A remediator that dies at any of its writes leaves nothing that the next one cannot finish."""

import pytest

from nodehealth import keys
from nodehealth.repair import Phase
from tests.safety import stage
from tests.safety.peril import Crash
from tests.safety.stage import SICK, Ending

MOST_WRITES = 120
MOST_WRITES_OF_ONE_DEAD = 50
OURS = frozenset({keys.REPAIR_TAINT, keys.OUT_OF_SERVICE_TAINT})


def assert_all_is_well(ending: Ending, sick: tuple[str, ...] = SICK) -> None:
    assert sorted(repair.spec.target.node for repair in ending.repairs) == list(sick)
    assert_nothing_is_left(ending)


def assert_nothing_is_left(ending: Ending) -> None:
    assert ending.mistakes == ()
    assert ending.breaches == ()
    assert ending.phases() == {Phase.RECOVERED}
    assert not any(node.spec.unschedulable for node in ending.nodes)
    assert not any(taint.key in OURS for node in ending.nodes for taint in node.spec.taints)
    assert ending.ledger.status.cordons == {}
    assert ending.ledger.status.slots == {}


def test_without_a_crash_all_three_are_repaired_one_after_the_other() -> None:
    ending = stage.play(0)

    assert_all_is_well(ending)
    assert ending.writes < MOST_WRITES


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("tens", range(MOST_WRITES // 10))
def test_a_crash_at_any_write_is_made_good(tens: int, after: bool) -> None:  # noqa: FBT001 - pytest
    for write in range(tens * 10 + 1, tens * 10 + 11):
        assert_all_is_well(stage.play(0, crash=Crash(at_write=write, after=after)))


def test_without_a_crash_a_dead_node_is_proven_off_and_replaced() -> None:
    ending = stage.play(0, sick=("w-1",), dead=True)

    assert_all_is_well(ending, ("w-1",))
    assert ending.writes < MOST_WRITES_OF_ONE_DEAD


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("tens", range(MOST_WRITES_OF_ONE_DEAD // 10))
def test_a_crash_at_any_write_about_a_dead_node_is_made_good(tens: int, after: bool) -> None:  # noqa: FBT001 - pytest
    for write in range(tens * 10 + 1, tens * 10 + 11):
        ending = stage.play(0, sick=("w-1",), dead=True, crash=Crash(at_write=write, after=after))

        assert_all_is_well(ending, ("w-1",))
