"""What changed lately, by a ledger that outlives every replica."""

from datetime import timedelta

from msgspec import structs

from nodehealth.health import NodeHealthStatus
from nodehealth.kube.objects import NodeInfo
from nodehealth.ledger import CHANGES_LENGTH, EVER, Change, RepairLedger
from nodehealth.repair import NodeRepair
from remediator.decide import novelties
from remediator.decide.novelties import ROLL_OUT
from tests.builders import NOON, at, ledger, node, repair

WITHIN = timedelta(minutes=15)
OLD = ("kernel/6.8", "agent/1")


def changes(of: RepairLedger) -> dict[str, Change]:
    return dict(of.status.changes)


def born(name: str, seconds: float, digest: str = "") -> NodeRepair:
    made = repair(name, created=at(seconds))
    return structs.replace(made, spec=structs.replace(made.spec, rules_digest=digest))


def test_what_was_there_first_is_old_but_for_the_rules() -> None:
    noted = novelties.noted(ledger(epoch=7), "d", OLD, NOON)

    assert changes(noted) == {
        "rules/d": Change(at=NOON, epoch=7),
        "kernel/6.8": Change(at=EVER),
        "agent/1": Change(at=EVER),
    }


def test_a_version_that_comes_later_is_new_and_nothing_is_written_twice() -> None:
    first = novelties.noted(ledger(), "d", OLD, NOON)
    second = novelties.noted(first, "d", (*OLD, "kernel/6.9"), at(60))

    assert changes(second)["kernel/6.9"] == Change(at=at(60))
    assert novelties.noted(second, "d", (*OLD, "kernel/6.9"), at(90)) is second


def test_what_is_gone_is_forgotten_after_a_day() -> None:
    first = novelties.noted(ledger(), "d", OLD, NOON)
    other = novelties.noted(first, "e", OLD, at(60))
    later = novelties.noted(other, "e", OLD, NOON + ROLL_OUT + timedelta(seconds=1))

    assert "rules/d" in changes(other)
    assert "rules/d" not in changes(later)


def test_no_more_is_remembered_than_the_ledger_holds() -> None:
    many = tuple(f"kernel/{n}" for n in range(CHANGES_LENGTH + 5))

    assert len(changes(novelties.noted(ledger(), "", many, NOON))) == CHANGES_LENGTH


def test_a_set_of_rules_is_noted_once_with_the_last_admission_before_it() -> None:
    noted = novelties.of_rules(ledger(epoch=3), "d", NOON)

    assert changes(noted) == {"rules/d": Change(at=NOON, epoch=3)}
    assert novelties.of_rules(noted, "d", at(5)) is noted
    assert novelties.of_rules(noted, "", at(5)) is noted


def test_what_runs_on_a_node_is_named_as_far_as_it_is_known() -> None:
    seen = node()
    info = NodeInfo(kernel_version="6.8", kubelet_version="v1.30")
    known = structs.replace(seen, status=structs.replace(seen.status, node_info=info))

    assert novelties.of_node(known, NodeHealthStatus()) == ("kernel/6.8", "kubelet/v1.30")


def test_agent_and_gpu_driver_are_named_as_the_report_says() -> None:
    report = NodeHealthStatus(agent_version="1.2", driver_version="570.86.15")

    assert novelties.of_node(node(), report) == ("agent/1.2", "driver/570.86.15")


def test_drivers_that_no_agent_told_of_before_are_old_and_the_next_ones_are_new() -> None:
    silent = novelties.noted(ledger(), "", OLD, NOON)
    told = novelties.noted(silent, "", (*OLD, "driver/570", "driver/575"), at(60))
    exchanged = novelties.noted(told, "", (*OLD, "driver/570", "driver/580"), at(120))

    assert set(novelties.lately(told.status.changes, at(60))) == set()
    assert set(novelties.lately(exchanged.status.changes, at(120))) == {"driver/580"}


def test_nodes_are_counted_that_fell_sick_after_what_they_run_came_anew() -> None:
    known = {"kernel/6.9": Change(at=at(100)), "kernel/6.8": Change(at=EVER)}
    runs = {"n1": ("kernel/6.9",), "n2": ("kernel/6.9",), "n3": ("kernel/6.8",)}
    repairs = [born("n1", 5000), born("n2", 0), born("n3", 5000)]

    blamed = novelties.blamed(repairs, known, lambda name: runs[name], WITHIN, at(6000))

    assert blamed == {("default", "disk-full", "kernel/6.9"): 1}


def test_a_repair_that_has_not_said_when_it_was_made_blames_nothing() -> None:
    made = repair()
    unborn = structs.replace(made, metadata=structs.replace(made.metadata, creation_timestamp=None))
    known = {"rules/": Change(at=NOON)}

    assert novelties.blamed([unborn], known, lambda _: (), WITHIN, NOON) == {}
    assert novelties.blamed([made], {}, lambda _: (), WITHIN, NOON) == {}


def test_the_ledger_alone_tells_who_was_cordoned_since_the_rules_changed() -> None:
    noted = novelties.of_rules(ledger(epoch=3, cordons={"n1": 3}), "d", NOON)
    later = structs.replace(noted, status=structs.replace(noted.status, cordons={"n1": 3, "n2": 4}))

    assert novelties.cordoned_since(later, "d", WITHIN, at(60)) == {"n2"}
    assert novelties.cordoned_since(later, "d", WITHIN, at(1000)) == frozenset()
    assert novelties.cordoned_since(later, "other", WITHIN, at(60)) == frozenset()
