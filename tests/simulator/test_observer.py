"""The observer finds each kind of broken promise, and none where all was kept."""

from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from simulator.observer import CLUSTER, Broken, Limits, Observer
from simulator.witnessed import (
    Asked,
    LedgerChanged,
    MachineChanged,
    NodeChanged,
    NodeSeen,
    PodBound,
    Seen,
    Sent,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MACHINES = "machines.simulator.nodemend.dev"


def node(name: str = "a", **facts: object) -> NodeChanged:
    """Show a Node; it is healthy unless something else is said."""
    seen = {"uid": f"{name}-1", "boot_id": "boot-1", "pool": "general", **facts}
    face = NodeSeen(name=name, **seen)  # type: ignore[arg-type] # the test's own facts
    return NodeChanged(at=NOON, name=name, node=face)


def cordoned(name: str = "a", **facts: object) -> NodeChanged:
    return node(name, **{"unschedulable": True, "tainted": True, "slot": "1:cordoned", **facts})


def disrupted(name: str = "a", **facts: object) -> NodeChanged:
    return cordoned(name, **{"slot": "2:disrupted", **facts})


def released(name: str = "a", **facts: object) -> NodeChanged:
    return node(name, **{"slot": "2:released", **facts})


def asked(verb: str, resource: str, name: str, **facts: object) -> Asked:
    given = {"ours": True, "tested": True, **facts}
    return Asked(at=NOON, verb=verb, resource=resource, name=name, **given)  # type: ignore[arg-type] # the test's own facts


def wrote(name: str = "a", **facts: object) -> Asked:
    return asked("patch", "nodes", name, **facts)


def evicted(pod: str = "p") -> Asked:
    return asked("create", "pods", pod, namespace="default", subresource="eviction")


def pod(on: str = "a") -> PodBound:
    return PodBound(at=NOON, key="default/p", node=on)


def machine(name: str = "a", uid: str = "m-1", **facts: object) -> MachineChanged:
    return MachineChanged(at=NOON, name=name, uid=uid, **facts)  # type: ignore[arg-type] # the test's own facts


def history(*facts: Seen, limits: Limits | None = None) -> Observer:
    observer = Observer(limits or Limits(cluster=1))
    for fact in facts:
        observer.see(fact)
    return observer


def broken(observer: Observer) -> Sequence[Broken]:
    return [each.broken for each in observer.violations]


REPLACEMENT: Sequence[Seen] = (
    node(),
    pod(),
    machine(),
    cordoned(),
    wrote(),
    disrupted(),
    wrote(),
    evicted(),
    asked("delete", MACHINES, "a"),
    NodeChanged(at=NOON, name="a", node=None),
    machine(uid="m-2"),
    node(uid="a-2", boot_id="boot-2"),
)


def test_a_clean_replacement_breaks_nothing_and_ends() -> None:
    observer = history(*REPLACEMENT)

    assert observer.violations == []
    assert observer.count() == 0
    assert observer.most == {CLUSTER: 1, "pool general": 1}


def test_a_clean_repair_in_place_breaks_nothing_and_ends() -> None:
    observer = history(node(), cordoned(), wrote(), disrupted(), wrote(), released(), wrote())

    assert observer.violations == []
    assert observer.count() == 0


def test_a_replaced_node_counts_until_the_new_one_is_there() -> None:
    observer = history(*REPLACEMENT[:-2])

    assert observer.within(CLUSTER) == ("a",)


def test_a_replaced_node_counts_until_the_new_one_is_ready() -> None:
    observer = history(*REPLACEMENT[:-1], node(uid="a-2", boot_id="boot-2", ready=False))

    assert observer.within(CLUSTER) == ("a",)


def test_a_lower_limit_holds_for_who_begins_and_not_for_a_successor_of_who_had_begun() -> None:
    others = disrupted("b", slot="3:disrupted"), wrote("b")
    observer = history(*REPLACEMENT[:-1], *others, limits=Limits(cluster=2))
    observer.limits = Limits(cluster=1)
    for fact in (node(uid="a-2"), disrupted(uid="a-2"), wrote()):
        observer.see(fact)
    successor = broken(observer)
    for fact in (released(uid="a-2"), wrote(), disrupted(uid="a-2", slot="4:disrupted"), wrote()):
        observer.see(fact)

    assert successor == []
    assert broken(observer) == [Broken.LIMIT]


def test_a_deleted_machine_counts_while_the_old_node_looks_fine() -> None:
    observer = history(node(), machine(), asked("delete", MACHINES, "a"), node())

    assert observer.count() == 1


def test_a_rebooting_machine_counts_until_another_boot() -> None:
    reboot = (node(), machine(), disrupted(), machine(reboot="k"), asked("patch", MACHINES, "a"))
    before, after = history(*reboot, released()), history(*reboot, released(boot_id="boot-2"))

    assert (before.count(), after.count()) == (1, 0)
    assert after.violations == []


def test_one_node_too_many_is_a_violation_of_the_cluster() -> None:
    observer = history(node("a"), node("b", pool="gpu"), disrupted("a"), disrupted("b", pool="gpu"))

    (violation,) = observer.violations
    assert (violation.broken, violation.scope) == (Broken.LIMIT, CLUSTER)
    assert violation.nodes == ("a", "b")


def test_one_node_too_many_is_a_violation_of_the_pool() -> None:
    limits = Limits(cluster=5, pools={"general": 1})
    observer = history(disrupted("a"), disrupted("b"), disrupted("c", pool="gpu"), limits=limits)

    (violation,) = observer.violations
    assert (violation.broken, violation.scope) == (Broken.LIMIT, "pool general")


def test_one_node_too_many_is_a_violation_of_each_value_of_a_label() -> None:
    limits = Limits(cluster=5, labels={"rack": 1})
    here, there = {"rack": "r1", "zone": "z"}, {"rack": "r2", "zone": "z"}
    observer = history(
        disrupted("a", labels=here),
        disrupted("b", labels=there),
        disrupted("c", labels=here),
        limits=limits,
    )

    (violation,) = observer.violations
    assert (violation.scope, violation.nodes) == ("rack=r1", ("a", "c"))


def test_an_eviction_alone_disrupts() -> None:
    foreign = node("a", unschedulable=True)
    observer = history(foreign, pod(), evicted(), disrupted("b"))

    assert broken(observer) == [Broken.LIMIT]


def test_an_eviction_from_an_open_node_is_a_violation() -> None:
    assert broken(history(node(), pod(), evicted())) == [Broken.EVICTED_UNCORDONED]


def test_an_eviction_is_known_by_its_node_although_the_pod_is_gone_already() -> None:
    gone = PodBound(at=NOON, key="default/p", node="")

    assert history(cordoned(), pod(), gone, evicted()).within(CLUSTER) == ("a",)


def test_a_deleted_pod_is_a_violation() -> None:
    observer = history(disrupted(), pod(), asked("delete", "pods", "p", namespace="default"))

    assert broken(observer) == [Broken.DELETED_POD]
    assert observer.violations[0].nodes == ("a",)


def test_a_machine_deleted_twice_is_a_violation() -> None:
    deletion = asked("delete", MACHINES, "a")

    assert broken(history(disrupted(), machine(), deletion, deletion)) == [Broken.DELETED_TWICE]


def test_two_machines_of_one_name_may_be_deleted() -> None:
    deletion = asked("delete", MACHINES, "a")
    again = (machine(uid="m-2"), disrupted(uid="a-2"), deletion)

    assert broken(history(disrupted(), machine(), deletion, *again)) == []


def test_a_machine_deleted_without_a_fence_is_a_violation() -> None:
    observer = history(cordoned(), machine(), asked("delete", MACHINES, "a"))

    assert broken(observer) == [Broken.UNFENCED]


def test_a_reboot_without_a_fence_is_a_violation() -> None:
    observer = history(cordoned(), machine(reboot="k"), asked("patch", MACHINES, "a"))

    assert broken(observer) == [Broken.UNFENCED]


def test_a_foreign_cordon_that_we_undo_is_a_violation() -> None:
    foreign = node(unschedulable=True)
    observer = history(foreign, cordoned(), wrote(), released(), wrote())

    assert broken(observer) == [Broken.UNCORDONED_FOREIGN]


def test_a_foreign_cordon_that_we_leave_is_none_and_the_repair_is_over() -> None:
    foreign, left = node(unschedulable=True), released(unschedulable=True)
    observer = history(foreign, disrupted(), wrote(), left, wrote())

    assert observer.violations == []
    assert observer.count() == 0


def test_a_cordon_that_its_owner_undoes_is_none() -> None:
    observer = history(node(unschedulable=True), node(), wrote(ours=False), node(), wrote())

    assert observer.violations == []


def test_a_release_that_forgets_our_own_cordon_is_not_the_end() -> None:
    assert history(node(), disrupted(), released(unschedulable=True)).count() == 1


def test_an_epoch_that_falls_is_a_violation() -> None:
    ledger = [LedgerChanged(at=NOON, epoch=epoch) for epoch in (1, 3, 2)]

    assert broken(history(*ledger)) == [Broken.EPOCH_FELL]


def test_a_write_without_a_test_is_a_violation_unless_it_is_to_the_status() -> None:
    careless = wrote(tested=False)
    status = wrote(tested=False, subresource="status")

    assert broken(history(node(), careless, status)) == [Broken.UNTESTED]


def test_what_others_do_is_none_of_ours() -> None:
    facts = (
        wrote(ours=False, tested=False),
        asked("delete", MACHINES, "a", ours=False),
        asked("delete", "pods", "p", namespace="default", ours=False),
    )

    assert history(node(), pod(), machine(), *facts).violations == []


@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=12))
def test_it_counts_as_many_as_are_marked(order: list[str]) -> None:
    """Each name marks its node, or releases it if it is marked."""
    observer, held = history(limits=Limits(cluster=2)), set[str]()
    most = 0
    for name in order:
        held ^= {name}
        observer.see(disrupted(name) if name in held else released(name))
        most = max(most, len(held))

        assert observer.within(CLUSTER) == tuple(sorted(held))
    assert bool(observer.violations) == (most > 2)


def test_a_node_that_waits_for_a_person_is_not_worked_on_any_more() -> None:
    observer = Observer(Limits(cluster=1))

    for seen in (node(), disrupted(), cordoned(slot="2:cordoned"), node("b"), disrupted("b")):
        observer.see(seen)

    assert observer.violations == []
    assert observer.within(CLUSTER) == ("b",)


def test_a_node_whose_machine_is_away_counts_although_its_fence_was_traded() -> None:
    observer = Observer(Limits(cluster=1))
    away = (machine(), node(), disrupted(), asked("delete", MACHINES, "a"))

    for seen in (*away, cordoned(slot="2:cordoned")):
        observer.see(seen)

    assert observer.within(CLUSTER) == ("a",)


SWITCHED_OFF: Sequence[Seen] = (
    node(),
    pod(),
    machine(),
    disrupted(ready=False),
    wrote(),
    machine(switched_off=True),
    asked("patch", MACHINES, "a"),
)
OFF = machine(switched_off=True, off=True)
VOUCHED: Sequence[Seen] = (disrupted(ready=False, out_of_service=True), wrote())
LET_GO = PodBound(at=NOON, key="default/p", node="")


def test_a_node_put_out_of_service_whose_machine_is_off_breaks_nothing() -> None:
    observer = history(*SWITCHED_OFF, OFF, *VOUCHED, LET_GO)

    assert observer.violations == []
    assert observer.within(CLUSTER) == ("a",)


def test_a_node_put_out_of_service_while_its_machine_is_on_is_a_violation() -> None:
    assert broken(history(*SWITCHED_OFF, *VOUCHED)) == [Broken.OUT_OF_SERVICE_ON]


def test_what_others_put_out_of_service_is_their_affair_but_not_the_pods_it_costs() -> None:
    vouched = disrupted(ready=False, out_of_service=True)
    observer = history(*SWITCHED_OFF, vouched, wrote(ours=False), wrote(), LET_GO)

    assert broken(observer) == [Broken.LET_GO_ON]


def test_a_machine_switched_off_without_a_fence_is_a_violation() -> None:
    observer = history(cordoned(), machine(switched_off=True), asked("patch", MACHINES, "a"))

    assert broken(observer) == [Broken.UNFENCED]


def test_a_machine_switched_off_counts_until_it_boots_anew() -> None:
    observer = history(*SWITCHED_OFF, OFF, released())

    assert observer.within(CLUSTER) == ("a",)


def test_a_node_that_died_by_itself_may_be_left_to_a_person_as_it_is() -> None:
    left = cordoned(slot="2:cordoned", ready=False)
    felled = (machine(), disrupted(), machine(switched_off=True), asked("patch", MACHINES, "a"))

    assert history(node(), disrupted(), left).count() == 0
    assert history(*SWITCHED_OFF, OFF, left).count() == 0
    assert history(node(), *felled, left).count() == 1


def test_a_machine_that_a_program_of_ours_brought_down_counts_until_it_is_up_again() -> None:
    observer = Observer()
    program = Sent(uid="p-1", program="reboot", repair="r", runs=True)
    down: list[Seen] = [
        LedgerChanged(at=NOON, epoch=2, slots={"a": "r"}),
        disrupted(),
        machine(boot_id="boot-1"),
        PodBound(at=NOON, key="nodemend-repair/reboot-1", node="a", sent=program),
        machine(boot_id="boot-1", off=True),
        cordoned(ready=False),
    ]
    for each in down:
        observer.see(each)

    assert observer.count() == 1
    observer.see(machine(boot_id="boot-2"))
    observer.see(cordoned(boot_id="boot-2"))
    assert observer.count() == 0


def test_a_machine_that_goes_down_by_itself_is_not_our_doing() -> None:
    observer = Observer()
    for each in (cordoned(), machine(boot_id="boot-1"), machine(boot_id="boot-1", off=True)):
        observer.see(each)

    assert observer.count() == 0


def test_a_machine_that_goes_down_is_not_felled_by_what_was_sent_to_the_one_before_it() -> None:
    observer = Observer()
    program = Sent(uid="p-1", program="reboot", repair="r", runs=True)
    for each in (
        LedgerChanged(at=NOON, epoch=2, slots={"a": "r"}),
        cordoned(),
        machine(boot_id="boot-1"),
        PodBound(at=NOON, key="nodemend-repair/reboot-1", node="a", sent=program),
        machine(uid="m-2", boot_id="boot-2"),
        machine(uid="m-2", boot_id="boot-2", off=True),
    ):
        observer.see(each)

    assert observer.count() == 0
