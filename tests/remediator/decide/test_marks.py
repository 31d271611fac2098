"""Our marks come and go in fenced patches, and nobody else's mark is ever touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from nodehealth import keys
from nodehealth.fence import Fence, Hold
from nodehealth.kube.objects import Node, NodeSpec, Taint
from nodehealth.kube.patches import Operation
from remediator.decide import marks
from tests.builders import ledger, node, slot

CORDONED = Fence(epoch=7, hold=Hold.CORDONED)
DISRUPTED = Fence(epoch=8, hold=Hold.DISRUPTED)
FENCE_PATH = "/metadata/annotations/nodemend.dev~1slot"
VERSION_PATH = "/metadata/resourceVersion"


def held(fence: Fence = CORDONED, *, pre_cordoned: bool = False) -> Node:
    return node(
        fence=str(fence),
        taints=(keys.REPAIR_TAINT,),
        unschedulable=True,
        pre_cordoned=pre_cordoned,
    )


def pins(patch: list[Operation]) -> dict[str, object]:
    return {each.path: each.value for each in patch if each.op == "test"}


def changed(patch: list[Operation]) -> dict[str, str]:
    return {each.path: each.op for each in patch if each.op != "test"}


def test_the_first_cordon_is_bound_to_the_version_that_was_read() -> None:
    patch = marks.hold(node(), CORDONED, "r1")

    assert pins(patch) == {"/metadata/uid": "uid-n1", VERSION_PATH: "7"}
    assert changed(patch) == {
        "/metadata/annotations": "add",
        "/spec/unschedulable": "add",
        "/spec/taints": "add",
    }


def test_a_cordon_appends_its_taint_behind_foreign_ones() -> None:
    patch = marks.hold(node(taints=("other",), fence="3:released"), CORDONED, "r1")

    assert changed(patch)["/spec/taints/-"] == "add"
    assert changed(patch)[FENCE_PATH] == "add"
    assert pins(patch)[VERSION_PATH] == "7"


def test_a_foreign_cordon_is_remembered() -> None:
    patch = marks.hold(node(unschedulable=True), CORDONED, "r1")

    (annotations,) = (each.value for each in patch if each.path == "/metadata/annotations")
    assert annotations == {
        keys.FENCE_ANNOTATION: "7:cordoned",
        keys.PRE_CORDONED_ANNOTATION: "true",
        keys.SCALE_DOWN_ANNOTATION: "true",
        keys.SCALE_DOWN_DISABLED_ANNOTATION: "true",
    }


def test_moving_our_own_fence_on_tests_the_fence_and_nothing_that_kubelets_change() -> None:
    patch = marks.hold(held(), DISRUPTED, "r1")

    assert pins(patch) == {"/metadata/uid": "uid-n1", FENCE_PATH: "7:cordoned"}
    assert changed(patch) == {FENCE_PATH: "add"}


def test_a_release_undoes_our_cordon() -> None:
    patch = marks.release(held(DISRUPTED), 8)

    assert pins(patch)["/spec/taints/0/key"] == keys.REPAIR_TAINT
    assert changed(patch) == {
        FENCE_PATH: "add",
        "/spec/taints/0": "remove",
        "/spec/unschedulable": "remove",
    }


def test_a_release_is_bound_to_the_version_that_was_read_so_that_nothing_of_ours_stays() -> None:
    assert pins(marks.release(held(DISRUPTED), 8))[VERSION_PATH] == "7"


def test_whoever_was_moved_off_comes_back_with_every_way_in_which_a_repair_ends() -> None:
    note = {keys.GPU_CLIENTS_ANNOTATION: '{"a/b":{"became":"paused"}}'}
    moved = held(DISRUPTED)
    meta = structs.replace(
        moved.metadata, annotations={**moved.metadata.annotations, **note}, labels={"a/b": "paused"}
    )
    moved = structs.replace(moved, metadata=meta)
    released, traded = marks.release(moved, 8), marks.hold(moved, CORDONED, "r1")

    for patch in (released, traded, marks.let_back(moved)):
        assert changed(patch)["/metadata/labels/a~1b"] == "remove"
        assert changed(patch)["/metadata/annotations/nodemend.dev~1gpu-clients-were"] == "remove"


def test_moving_off_is_bound_to_the_version_that_was_read() -> None:
    patch = marks.move_off(held(DISRUPTED), {"a/b": "paused"})

    assert pins(patch) == {"/metadata/uid": "uid-n1", VERSION_PATH: "7"}
    assert changed(patch)["/metadata/labels"] == "add"


def noted(seen: Node, **annotations: str) -> Node:
    there = {**seen.metadata.annotations, **annotations}
    return structs.replace(seen, metadata=structs.replace(seen.metadata, annotations=there))


@pytest.mark.parametrize("said", ["true", "false"])
def test_what_others_tell_the_cluster_autoscaler_stays_theirs(said: str) -> None:
    theirs = {keys.SCALE_DOWN_DISABLED_ANNOTATION: said}
    taken = changed(marks.hold(noted(node(), **theirs), CORDONED, "r1"))
    released = changed(marks.release(noted(held(DISRUPTED), **theirs), 8))

    assert [path for path in (*taken, *released) if "scale-down" in path] == []


@pytest.mark.parametrize(("said", "gone"), [("true", 2), ("false", 1)])
def test_what_we_told_the_cluster_autoscaler_is_taken_back_unless_it_was_changed(
    said: str, gone: int
) -> None:
    ours = {keys.SCALE_DOWN_DISABLED_ANNOTATION: said, keys.SCALE_DOWN_ANNOTATION: "true"}
    released = changed(marks.release(noted(held(DISRUPTED), **ours), 8))

    assert len([path for path, op in released.items() if "scale-down" in path]) == gone


def test_a_release_leaves_a_foreign_cordon() -> None:
    patch = marks.release(held(pre_cordoned=True), 7)

    assert "/spec/unschedulable" not in changed(patch)
    assert changed(patch)["/metadata/annotations/nodemend.dev~1pre-cordoned"] == "remove"


def test_a_release_of_a_node_that_somebody_uncordoned_only_takes_our_marks() -> None:
    patch = marks.release(node(fence=str(CORDONED)), 7)

    assert changed(patch) == {FENCE_PATH: "add"}


def test_marks_are_ours_only_under_our_own_epochs_and_before_the_release() -> None:
    assert marks.is_ours(held(), frozenset({7}))
    assert not marks.is_ours(held(), frozenset({6}))
    assert not marks.is_ours(node(), frozenset({7}))
    assert not marks.is_ours(node(fence="7:released"), frozenset({7}))


def test_a_node_is_held_only_with_all_of_our_marks() -> None:
    assert marks.is_held_as(held(), CORDONED)
    assert not marks.is_held_as(held(), DISRUPTED)
    assert not marks.is_held_as(node(fence=str(CORDONED), unschedulable=True), CORDONED)
    assert not marks.is_held_as(node(fence=str(CORDONED), taints=(keys.REPAIR_TAINT,)), CORDONED)


def test_a_node_is_held_by_its_fence_or_by_the_ledger() -> None:
    full = ledger(cordons={"n1": 3}, slots={"n1": slot(4)})

    assert marks.held_epochs(held(), ledger(), "n1") == {7}
    assert marks.held_epochs(None, full, "n1") == {3, 4}
    assert marks.held_epochs(node(fence="7:released"), ledger(), "n1") == frozenset()
    assert marks.held_epochs(node(), full, "n2") == frozenset()


@pytest.mark.parametrize(
    ("seen", "wanted", "beyond"),
    [
        (node(), CORDONED, False),
        (node(fence="6:released"), CORDONED, False),
        (node(fence="7:cordoned"), CORDONED, False),
        (node(fence="7:released"), CORDONED, True),
        (node(fence="8:disrupted"), CORDONED, True),
        (node(fence="8:disrupted"), Fence(epoch=8, hold=Hold.CORDONED), False),
        (node(fence="8:cordoned"), DISRUPTED, True),
    ],
)
def test_a_fence_only_ever_goes_forward(seen: Node, wanted: Fence, beyond: bool) -> None:  # noqa: FBT001 - pytest
    assert marks.is_beyond(seen, wanted) is beyond


@given(
    st.lists(st.sampled_from(["a", "b", keys.REPAIR_TAINT]), unique=True),
    st.sets(st.sampled_from(["unschedulable", "pre-cordoned"])),
)
def test_only_our_own_taint_is_ever_removed(taints: list[str], state: set[str]) -> None:
    seen = node(
        taints=tuple(taints),
        fence=str(CORDONED),
        unschedulable="unschedulable" in state,
        pre_cordoned="pre-cordoned" in state,
    )

    patch = [*marks.hold(seen, DISRUPTED, "r"), *marks.release(seen, 8)]

    removed = [each.path for each in patch if each.op == "remove" and "taints" in each.path]
    assert all(taints[int(path.rsplit("/", 1)[1])] == keys.REPAIR_TAINT for path in removed)
    assert pins(patch)["/metadata/uid"] == "uid-n1"
    kept = "/spec/unschedulable" not in changed(marks.release(seen, 8))
    assert kept or "pre-cordoned" not in state


def service(value: str) -> Taint:
    return Taint(key=keys.OUT_OF_SERVICE_TAINT, value=value, effect="NoExecute")


def tainted(*taints: Taint) -> Node:
    return structs.replace(held(DISRUPTED), spec=NodeSpec(unschedulable=True, taints=taints))


OURS = service(keys.OUT_OF_SERVICE_VALUE)
FOREIGN = service("nodeshutdown")


def test_a_node_is_put_out_of_service_only_if_nothing_of_it_changed() -> None:
    patch = marks.out_of_service(held(DISRUPTED))

    assert pins(patch) == {"/metadata/uid": "uid-n1", "/metadata/resourceVersion": "7"}
    assert changed(patch) == {"/spec/taints/-": "add"}


def test_only_our_own_word_counts_as_ours_and_anybodys_as_a_mark() -> None:
    assert marks.is_out_of_service(tainted(FOREIGN))
    assert not marks.is_put_out_of_service(tainted(FOREIGN))
    assert marks.is_put_out_of_service(tainted(OURS))
    assert not marks.is_out_of_service(held())


def test_a_node_comes_into_service_by_our_own_mark_alone() -> None:
    patch = marks.into_service(tainted(Taint(key="a", effect="NoSchedule"), OURS))

    assert pins(patch)["/spec/taints/1/value"] == keys.OUT_OF_SERVICE_VALUE
    assert changed(patch) == {"/spec/taints/1": "remove"}


def test_a_release_leaves_nobody_out_of_service_by_our_word() -> None:
    ours = marks.release(tainted(OURS, Taint(key=keys.REPAIR_TAINT, effect="NoSchedule")), 8)
    foreign = marks.release(tainted(FOREIGN), 8)

    removed = [each.path for each in ours if each.op == "remove"]
    assert removed == ["/spec/taints/1", "/spec/taints/0", "/spec/unschedulable"]
    assert "/spec/taints/0" not in changed(foreign)


def test_a_slot_traded_for_a_cordon_takes_our_word_back_too() -> None:
    patch = marks.hold(tainted(OURS), CORDONED, "r1")

    assert changed(patch)["/spec/taints/0"] == "remove"


def test_a_long_name_of_a_repair_fits_into_our_taint_by_its_end() -> None:
    patch = marks.hold(node(), CORDONED, "ip-10-0-0-1." + "x" * 60 + "-1")

    (taints,) = [each.value for each in patch if each.path == "/spec/taints"]
    assert isinstance(taints, list)
    assert taints[0]["value"] == "x" * 60 + "-1"


def test_who_cordoned_first_is_known_before_our_cordon_and_after_it() -> None:
    assert marks.was_cordoned(node(unschedulable=True))
    assert marks.was_cordoned(held(pre_cordoned=True))
    assert not marks.was_cordoned(held())
    assert not marks.was_cordoned(node())


def test_a_node_that_gets_no_remedy_is_set_apart_with_its_cordon_and_let_in_again() -> None:
    bare, labelled = node(), node(labels={"gpu": "h100"})
    path = "/metadata/labels/nodemend.dev~1quarantine"

    first = {each.path: each.value for each in marks.hold(bare, CORDONED, "r1", apart="gpu")}
    second = {each.path: each.value for each in marks.hold(labelled, CORDONED, "r1", apart="host")}
    back = changed(marks.release(node(labels={keys.QUARANTINE_LABEL: "gpu"}), 8))

    assert first["/metadata/labels"] == {keys.QUARANTINE_LABEL: "gpu"}
    assert second[path] == "host"
    assert back[path] == "remove"


def test_a_node_that_is_held_is_set_apart_by_a_patch_that_pins_its_version() -> None:
    first = marks.hold(held(), DISRUPTED, "r1", apart="gpu")
    apart = node(
        fence=str(CORDONED),
        taints=(keys.REPAIR_TAINT,),
        unschedulable=True,
        labels={keys.QUARANTINE_LABEL: "gpu"},
    )
    again = changed(marks.hold(apart, DISRUPTED, "r1", apart="gpu"))

    assert pins(first)[VERSION_PATH] == "7"
    assert "/metadata/labels" in changed(first)
    assert not any(path.startswith("/metadata/labels") for path in again)


def test_a_node_that_was_never_marked_can_say_that_an_admission_is_over() -> None:
    bare, done = node(), node(fence="4:released")

    assert marks.is_open_to(bare, 5)
    assert marks.is_open_to(done, 5)
    assert not marks.is_open_to(done, 4)
    assert not marks.is_open_to(node(fence="4:cordoned"), 5)
    assert marks.shut(bare, 5)[-1].value is not None
