"""A machine is told to go off and on once, and only another boot of a Ready node proves it."""

from datetime import timedelta

import pytest
from msgspec import structs

from nodehealth.kube.objects import Node, NodeInfo
from nodehealth.repair import Intent, NodeRepair, NodeRepairStatus, Phase, Rung
from remediator.decide import cycles
from remediator.decide.cycles import Look, Order, Step
from remediator.decide.envoys import GiveUp, Succeed, Wait
from tests.builders import NOON, at, node, repair

CLAIMED = Intent(action="power-cycle", key="k", issued_at=NOON, boot_id="boot-1")


def booted(boot: str, *, ready: bool = True, uid: str = "") -> Node:
    """Return the Node in a boot."""
    made = node("n1", ready=ready, uid=uid)
    return structs.replace(
        made, status=structs.replace(made.status, node_info=NodeInfo(boot_id=boot))
    )


def of(intent: Intent | None = None, *earlier: str) -> NodeRepair:
    """Return the repair, which began in boot-1 and tried something else before."""
    ladder = (*(Rung(action=each) for each in earlier), Rung(action="power-cycle"))
    status = NodeRepairStatus(
        phase=Phase.REPAIRING, intent=intent, rung=len(earlier), tried=tuple(range(len(ladder)))
    )
    made = repair("n1", status=status)
    target = structs.replace(made.spec.target, boot_id="boot-1")
    return structs.replace(made, spec=structs.replace(made.spec, ladder=ladder, target=target))


def step(
    seen: Node | None, intent: Intent | None = None, *, after: float = 0, earlier: str = ""
) -> Step:
    """Decide some seconds after noon."""
    look = Look(
        repair=of(intent, *filter(None, [earlier])),
        node=seen,
        since=NOON,
        patience=timedelta(minutes=20),
        now=at(after),
    )
    return cycles.next_step(look)


def test_a_machine_that_nobody_told_is_told_for_the_boot_that_it_is_in() -> None:
    assert step(booted("boot-1", ready=False)) == Order(boot_id="boot-1")


def test_what_was_claimed_is_ordered_by_nobody_else() -> None:
    assert isinstance(step(booted("boot-1", ready=False), CLAIMED, after=19 * 60), Wait)
    assert isinstance(step(booted("boot-1"), CLAIMED, after=8 * 60), Wait)


def test_a_node_that_is_up_in_its_old_boot_long_after_shows_that_nothing_came_of_it() -> None:
    assert step(booted("boot-1"), CLAIMED, after=9 * 60) == Order(boot_id="boot-1")


@pytest.mark.parametrize("ready", [True, False])
def test_only_a_ready_node_in_another_boot_is_done(ready: bool) -> None:  # noqa: FBT001 - pytest
    found = step(booted("boot-2", ready=ready), CLAIMED, after=60)

    assert isinstance(found, Succeed if ready else Wait)


def test_a_boot_since_the_fault_was_found_does_as_well() -> None:
    assert isinstance(step(booted("boot-2")), Succeed)


def test_a_boot_that_an_earlier_rung_ordered_is_not_taken_for_this_ones() -> None:
    assert step(booted("boot-2"), earlier="reboot") == Order(boot_id="boot-2")


def test_another_machine_under_the_name_is_told_nothing() -> None:
    assert step(booted("boot-9", uid="uid-other")) == Succeed(
        message="the node is another machine now"
    )


def test_without_a_node_nobody_is_told_anything() -> None:
    assert isinstance(step(None), Wait)
    assert isinstance(step(None, CLAIMED), Wait)


def test_a_node_that_tells_no_boot_could_prove_nothing() -> None:
    found = step(booted(""), replaced_intent(), after=9 * 60)

    assert isinstance(found, GiveUp)
    assert "no boot id" in found.message


def replaced_intent() -> Intent:
    """Return a claim that was made when the node told no boot either."""
    return structs.replace(CLAIMED, boot_id="")


@pytest.mark.parametrize(
    ("boot", "said"),
    [("boot-1", "did not boot anew within 20m"), ("boot-2", "was not Ready within 20m")],
)
def test_it_has_failed_when_patience_is_over(boot: str, said: str) -> None:
    found = step(booted(boot, ready=False), CLAIMED, after=20 * 60)

    assert isinstance(found, GiveUp)
    assert said in found.message


def test_what_was_claimed_in_one_boot_is_not_meant_for_the_next() -> None:
    assert cycles.strays(of(CLAIMED), booted("boot-2"))
    assert not cycles.strays(of(CLAIMED), booted("boot-1"))


@pytest.mark.parametrize("intent", [None, Intent(action="replace", key="k", issued_at=NOON)])
def test_what_is_of_no_boot_strays_from_none(intent: Intent | None) -> None:
    assert cycles.strays(of(intent), booted("boot-2")) == ""


def test_a_claimed_pod_is_looked_after_elsewhere() -> None:
    pod = structs.replace(CLAIMED, action="reboot", pod="uid-pod")

    assert cycles.strays(of(pod), booted("boot-2")) == ""
