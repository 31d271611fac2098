"""Which boots were ended by us is remembered, so that none of them is taken for a crash."""

import pytest

from nodehealth.errand import Program
from nodehealth.kube.objects import Node
from nodehealth.repair import BOOTS_LENGTH, Intent, NodeRepairStatus
from remediator.decide import boots, fencing, remedies
from tests.builders import NOON, repair
from tests.remediator.decide.test_cycles import booted


def claimed(action: str, boot_id: str = "") -> Intent:
    return Intent(action=action, key="k", issued_at=NOON, boot_id=boot_id)


@pytest.mark.parametrize("action", [Program.REBOOT, remedies.POWER_CYCLE])
def test_an_order_to_boot_anew_ends_the_boot_that_it_is_meant_for(action: str) -> None:
    assert boots.ended(repair(), claimed(action, "b1"), booted("b2")) == ("b1",)


def test_who_switches_a_machine_off_ends_the_boot_that_its_node_is_in() -> None:
    assert boots.ended(repair(), claimed(fencing.ORDER), booted("b1")) == ("b1",)


@pytest.mark.parametrize("node", [None, booted("")])
def test_a_boot_that_nobody_knows_is_not_remembered(node: Node | None) -> None:
    assert boots.ended(repair(), claimed(fencing.ORDER), node) == ()


def test_what_leaves_the_machine_up_ends_no_boot() -> None:
    assert boots.ended(repair(), claimed("reset-gpu", "b1"), booted("b1")) == ()


def test_of_many_boots_the_last_ones_are_remembered_once_each() -> None:
    made = repair(status=NodeRepairStatus(boots_ended=tuple("abcdefgh")))

    assert boots.ended(made, claimed("power-cycle", "a"), None) == tuple("bcdefgha")
    assert len(boots.ended(made, claimed("power-cycle", "i"), None)) == BOOTS_LENGTH


def test_all_repairs_of_a_node_tell_of_the_boots_that_they_ended() -> None:
    one, other = (
        repair(each, status=NodeRepairStatus(boots_ended=(f"boot-{each}",))) for each in "ab"
    )

    assert boots.by_us([one, other]) == {"boot-a": "a-repair", "boot-b": "b-repair"}
