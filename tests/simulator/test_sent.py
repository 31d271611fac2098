"""The observer finds what is sent to a node twice, or without a slot, and who is kept off it."""

from datetime import UTC, datetime

from simulator.observer import Broken, Observer
from simulator.witnessed import (
    LedgerChanged,
    MachineChanged,
    NodeChanged,
    NodeSeen,
    PodBound,
    Seen,
    Sent,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HELD = LedgerChanged(at=NOON, epoch=2, slots={"a": "r-1"})


def sent(uid: str = "p-1", *, runs: bool = True, program: str = "reboot") -> PodBound:
    what = Sent(uid=uid, program=program, repair="r-1", runs=runs)
    return PodBound(at=NOON, key="nodemend-repair/reboot-1", node="a", sent=what)


def machine(boot: str, uid: str = "m-1", *, reboot: str = "") -> MachineChanged:
    return MachineChanged(at=NOON, name="a", uid=uid, boot_id=boot, reboot=reboot)


def node(slot: str, *, moved_off: bool = True) -> NodeChanged:
    seen = NodeSeen(name="a", uid="a-1", slot=slot, moved_off=moved_off)
    return NodeChanged(at=NOON, name="a", node=seen)


def broken(*facts: Seen) -> list[Broken]:
    observer = Observer()
    for fact in facts:
        observer.see(fact)
    return [each.broken for each in observer.violations]


def test_one_program_under_the_slot_of_its_repair_breaks_nothing() -> None:
    assert broken(HELD, sent(runs=False), sent(), sent(), machine("b-1"), machine("b-2")) == []


def test_a_second_pod_for_the_same_step_is_found() -> None:
    assert broken(HELD, sent(), sent("p-2")) == [Broken.SENT_TWICE]


def test_a_program_that_runs_without_a_slot_is_found() -> None:
    other = LedgerChanged(at=NOON, epoch=2, slots={"a": "r-2"})

    assert broken(sent()) == [Broken.SENT_UNHELD]
    assert broken(other, sent()) == [Broken.SENT_UNHELD]
    assert broken(HELD, sent(), LedgerChanged(at=NOON, epoch=3), sent()) == []


def test_a_second_boot_by_one_program_is_found() -> None:
    boots = (machine("b-1"), machine("b-2"), machine("b-3"))

    assert broken(HELD, sent(), *boots) == [Broken.BOOTED_TWICE]
    assert broken(HELD, sent(program="reset-gpu"), *boots[:2]) == [Broken.BOOTED_TWICE]


def test_another_machine_or_an_order_from_outside_is_no_second_boot() -> None:
    assert broken(HELD, sent(), machine("b-1"), machine("b-2"), machine("b-3", "m-2")) == []
    assert broken(HELD, sent(), machine("b-1", reboot="k"), machine("b-2"), machine("b-3")) == []


def test_who_is_kept_off_a_node_that_nobody_holds_is_found() -> None:
    assert broken(node("2:disrupted"), node("2:cordoned")) == []
    assert broken(node("2:released")) == [Broken.LEFT_MOVED_OFF]
    assert broken(node("")) == [Broken.LEFT_MOVED_OFF]
    assert broken(node("2:released", moved_off=False)) == []
