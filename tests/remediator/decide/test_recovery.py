"""A lost ledger is put together again from what Nodes and open repairs bear witness to."""

import msgspec
from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import Taint
from nodehealth.ledger import (
    GANGS_LENGTH,
    SLOTS_LENGTH,
    Breaker,
    BreakerState,
    Change,
    Rebuilt,
    RepairLedgerStatus,
    Slot,
)
from nodehealth.repair import Evicted, NodeRepairStatus, Phase
from remediator.decide import odds, recovery
from tests.builders import NOON, node, repair, slot


def test_where_nothing_was_ever_admitted_nothing_is_rebuilt() -> None:
    assert recovery.rebuilt([node()], [repair()], NOON) == RepairLedgerStatus(known_since=NOON)


def test_fences_and_open_repairs_are_put_back_under_a_new_epoch() -> None:
    nodes = [node("n1", fence="5:disrupted"), node("n2", fence="7:cordoned")]
    working = repair(
        "n1", status=NodeRepairStatus(phase=Phase.DRAINING, cordon_epoch=4, disruption_epoch=5)
    )

    found = recovery.rebuilt(nodes, [working], NOON)

    assert found == RepairLedgerStatus(
        epoch=8, cordons={"n1": 4, "n2": 7}, slots={"n1": slot(5, gangs=("*",))}, known_since=NOON
    )


def test_a_slot_that_is_put_back_claims_every_gang_where_nobody_knows_which_it_claimed() -> None:
    working = repair("n1", status=NodeRepairStatus(phase=Phase.DRAINING, disruption_epoch=5))
    nodes = [node("n1"), node("n2", fence="6:disrupted")]
    older = RepairLedgerStatus(epoch=4, slots={"n1": slot(4, gangs=("ml/lws/b/0",))})

    found = recovery.rebuilt(nodes, [working], NOON, older)

    assert {name: each.gangs for name, each in found.slots.items()} == {"n1": ("*",), "n2": ("*",)}


def test_a_slot_that_is_known_keeps_its_claims_and_adds_the_gangs_that_were_evicted() -> None:
    alone = Evicted(namespace="ml", name="p", uid="u", at=NOON)
    evictions = (alone, structs.replace(alone, gang="jobset/a"))
    status = NodeRepairStatus(phase=Phase.DRAINING, disruption_epoch=5, evictions=evictions)
    known = RepairLedgerStatus(epoch=5, slots={"n1": slot(5, gangs=("ml/lws/b/0",))})

    found = recovery.rebuilt([node("n1")], [repair("n1", status=status)], NOON, known)

    assert found.slots["n1"].gangs == ("ml/jobset/a", "ml/lws/b/0")


def test_a_slot_claims_every_gang_rather_than_too_many_or_too_long_a_name() -> None:
    many = tuple(f"ml/jobset/{number:03}" for number in range(GANGS_LENGTH))
    gone = Evicted(namespace="ml", name="p", uid="u", at=NOON, gang="jobset/a")
    long = structs.replace(gone, gang="volcano/" + "g" * 245)

    for gangs, pod in ((many, gone), ((), long)):
        evictions = NodeRepairStatus(phase=Phase.DRAINING, disruption_epoch=5, evictions=(pod,))
        known = RepairLedgerStatus(epoch=5, slots={"n1": slot(5, gangs=gangs)})

        found = recovery.rebuilt([node("n1")], [repair("n1", status=evictions)], NOON, known)

        assert msgspec.convert(msgspec.to_builtins(found.slots["n1"]), Slot).gangs == ("*",)


def test_nobody_believes_what_is_kept_of_a_lost_ledger_that_only_drains() -> None:
    drained = structs.replace(slot(5), only_drains=True)

    found = recovery.rebuilt(
        [node("n1")], [], NOON, RepairLedgerStatus(epoch=5, slots={"n1": drained}), ["lost"]
    )

    assert not found.slots["n1"].only_drains


def test_of_two_repairs_of_one_node_the_newest_slot_is_put_back_and_nothing_is_at_odds() -> None:
    status = NodeRepairStatus(phase=Phase.DRAINING, disruption_epoch=9)
    newer = repair("n1", status=status)
    older = structs.replace(
        newer,
        metadata=structs.replace(newer.metadata, name="n1-older"),
        status=structs.replace(status, disruption_epoch=5),
    )

    for both in ((older, newer), (newer, older)):
        found = recovery.rebuilt([node("n1")], both, NOON)

        assert found.slots["n1"].epoch == 9
        assert odds.found(found, [node("n1")], both) == []


def test_what_a_ledger_still_says_is_kept_unless_it_is_over_for_certain() -> None:
    nodes = [
        node("n1", fence="6:cordoned"),
        node("n2", fence="2:released"),
        node("n3"),
        node("n5", fence="2:disrupted"),
    ]
    ended = repair("n4", status=NodeRepairStatus(phase=Phase.RECOVERED))
    held = {name: slot(2, name=name) for name in ("n1", "n2", "n3", "n4", "n5", "away")}
    known = RepairLedgerStatus(epoch=3, cordons={"n9": 3}, slots=held)

    found = recovery.rebuilt(nodes, [ended], NOON, known, ["it was old"])

    assert found.slots.keys() == {"n3", "n5", "away"}
    assert found.cordons == {"n1": 6, "n5": 2, "n9": 3}
    assert found.epoch == 7
    assert found.rebuilt == Rebuilt(at=NOON, found=("it was old",))


def test_of_more_than_a_ledger_holds_what_is_witnessed_is_kept() -> None:
    working = repair("n1", status=NodeRepairStatus(phase=Phase.DRAINING, disruption_epoch=5))
    held = {f"x{n}": slot(1, name=f"x{n}") for n in range(SLOTS_LENGTH)}

    found = recovery.rebuilt([], [working], NOON, RepairLedgerStatus(epoch=5, slots=held))

    assert len(found.slots) == SLOTS_LENGTH
    assert found.slots["n1"] == slot(5, gangs=("*",))


def test_a_slot_that_was_traded_for_a_cordon_stays_traded() -> None:
    hopeless = repair(
        "n1", status=NodeRepairStatus(phase=Phase.NEEDS_HUMAN, cordon_epoch=4, disruption_epoch=5)
    )

    found = recovery.rebuilt([node("n1", fence="5:cordoned")], [hopeless], NOON)

    assert (found.cordons, found.slots) == ({"n1": 5}, {})


def test_what_has_ended_only_counts_for_the_epoch() -> None:
    ended = repair("n1", status=NodeRepairStatus(phase=Phase.RECOVERED, disruption_epoch=9))

    found = recovery.rebuilt([node("n1", fence="3:released")], [ended], NOON)

    assert found == RepairLedgerStatus(epoch=10, known_since=NOON)


def test_what_is_open_in_a_ledger_that_is_set_right_stays_open() -> None:
    opened = Breaker(state=BreakerState.OPEN, opened_at=NOON, since=NOON, reason="much is amiss")
    known = RepairLedgerStatus(
        epoch=5, breakers={"burst/w": opened}, changes={"rules/d": Change(at=NOON, epoch=4)}
    )

    found = recovery.rebuilt([node()], [], NOON, known, ["it was edited"])

    assert (found.breakers, found.changes) == (known.breakers, known.changes)


def test_a_ledger_that_is_lost_without_a_trace_is_not_taken_for_a_first_one() -> None:
    found = recovery.rebuilt([node()], [], NOON, found=["it was gone"])

    assert found.epoch == 1
    assert found.rebuilt == Rebuilt(at=NOON, found=("it was gone",))


def test_a_disrupted_node_whose_repair_is_gone_gets_its_slot_back() -> None:
    ours = Taint(key=keys.REPAIR_TAINT, value="n1-repair", effect="NoSchedule")
    marked = node("n1", fence="5:disrupted")
    marked = structs.replace(marked, spec=structs.replace(marked.spec, taints=(ours,)))

    found = recovery.rebuilt([marked], [], NOON, found=["it was gone"])

    assert found.slots["n1"] == slot(5, pool="", gangs=("*",))
