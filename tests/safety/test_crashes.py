"""A remediator that dies at any of its writes leaves nothing that the next one cannot finish."""

from collections.abc import Iterable

from nodehealth import keys
from nodehealth.repair import Phase
from tests.safety import stage, trials
from tests.safety.peril import Crash
from tests.safety.stage import SICK, Ending

PAIR = ("w-1", "w-2")
"""One that is repaired while another waits: whoever comes third only waits longer."""
MOST_WRITES = 90
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
    assert_all_is_well(stage.play(0))


def test_without_a_crash_the_one_that_waits_is_repaired_next() -> None:
    ending = stage.play(0, sick=PAIR)

    assert_all_is_well(ending, PAIR)
    assert ending.writes < MOST_WRITES


@trials.at_any_write(MOST_WRITES)
def test_a_crash_at_any_write_is_made_good(crashes: Iterable[Crash]) -> None:
    for crash in crashes:
        assert_all_is_well(stage.play(0, sick=PAIR, crash=crash), PAIR)


def test_without_a_crash_a_dead_node_is_proven_off_and_replaced() -> None:
    ending = stage.play(0, sick=("w-1",), dead=True)

    assert_all_is_well(ending, ("w-1",))
    assert ending.writes < MOST_WRITES_OF_ONE_DEAD


@trials.at_any_write(MOST_WRITES_OF_ONE_DEAD)
def test_a_crash_at_any_write_about_a_dead_node_is_made_good(crashes: Iterable[Crash]) -> None:
    for crash in crashes:
        ending = stage.play(0, sick=("w-1",), dead=True, crash=crash)

        assert_all_is_well(ending, ("w-1",))
