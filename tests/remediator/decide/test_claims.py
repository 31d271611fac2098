"""Of a gang only so many nodes are disrupted at once, whoever asks and in whatever order."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from nodehealth.kube.objects import Condition
from nodehealth.ledger import GANGS_LENGTH, RepairLedger
from remediator.decide import claims, limits
from remediator.decide.counting import Scope
from remediator.decide.limits import Admitted, Refused, Why
from remediator.rules.policy import CLUSTER, Limit, Policy
from tests.builders import NOON, at, ledger, node, pod, repair, slot

NODES: Final = ("n1", "n2", "n3", "n4", "n5")
GANGS: Final = ("a", "b", "c")
ROOM: Final = Limit(cordoned=(9,), disrupted=(9,))
WHOLE: Final = (Scope(name=CLUSTER, members=frozenset(NODES), out=frozenset()),)
ONE: Final = Policy(limit=ROOM)
TRAIN: Final = {"jobset.sigs.k8s.io/jobset-name": "train"}


def disrupt(
    known: RepairLedger, name: str, gangs: Iterable[str], policy: Policy = ONE
) -> Admitted | Refused:
    answer = limits.disrupt(known, repair(name), WHOLE, policy, NOON)
    return claims.admitted(answer, name, frozenset(gangs), policy)


def admitted(*given: tuple[str, Iterable[str]]) -> RepairLedger:
    known = ledger()
    for name, gangs in given:
        answer = disrupt(known, name, gangs)
        assert isinstance(answer, Admitted)
        known = answer.ledger
    return known


def refused(answer: Admitted | Refused) -> Refused:
    assert isinstance(answer, Refused)
    return answer


def test_a_slot_names_the_gangs_that_its_node_has_pods_of() -> None:
    assert admitted(("n1", ["b", "a"])).status.slots["n1"].gangs == ("a", "b")


def test_a_second_node_of_a_gang_waits_and_is_told_for_which_gang_and_which_node() -> None:
    known = admitted(("n1", ["ml/jobset/train"]))

    assert disrupt(known, "n2", ["ml/jobset/train", "other"]) == Refused(
        why=Why.GANG_LIMIT,
        message="n2 has pods of gang ml/jobset/train, and a gang may lose one node at once; "
        "under repair: n1",
    )


def test_a_node_of_another_gang_or_of_none_does_not_wait() -> None:
    known = admitted(("n1", ["a"]))

    assert isinstance(disrupt(known, "n2", ["b"]), Admitted)
    assert isinstance(disrupt(known, "n3", []), Admitted)


def test_as_many_nodes_of_a_gang_as_the_policy_says_are_disrupted_at_once() -> None:
    two = Policy(limit=ROOM, per_gang=2)
    known = ledger(slots={"n1": slot(1, name="n1", gangs=("a",))})

    second = disrupt(known, "n2", ["a"], two)

    assert isinstance(second, Admitted)
    message = refused(disrupt(second.ledger, "n3", ["a"], two)).message
    assert message.endswith("a gang may lose 2 nodes at once; under repair: n1, n2")


def test_without_a_limit_nothing_is_claimed() -> None:
    free = Policy(limit=ROOM, per_gang=None)

    answer = disrupt(admitted(("n1", ["a"])), "n2", ["a"], free)

    assert isinstance(answer, Admitted)
    assert answer.ledger.status.slots["n2"].gangs == ()
    assert claims.of([pod(labels=TRAIN)], node(), free, NOON) == frozenset()


def test_what_refuses_a_slot_is_told_rather_than_the_gang() -> None:
    full = Policy(limit=Limit(cordoned=(9,), disrupted=(1,)))

    assert refused(disrupt(admitted(("n1", ["a"])), "n2", ["a"], full)).why is (
        Why.DISRUPTION_LIMIT
    )


@pytest.mark.parametrize(("silent_for", "claimed"), [(119, {"jobs/jobset/train"}), (120, set())])
def test_a_node_whose_kubelet_was_given_up_claims_nothing(
    silent_for: int, claimed: set[str]
) -> None:
    dead = node()
    since = at(0) - timedelta(seconds=silent_for)
    gone = Condition(type="Ready", status="Unknown", last_transition_time=since)
    dead = structs.replace(dead, status=structs.replace(dead.status, conditions=(gone,)))

    assert claims.of([pod(labels=TRAIN)], dead, ONE, at(0)) == claimed


def test_pods_that_came_later_are_claimed_under_the_same_epoch() -> None:
    known = admitted(("n1", ["a"]), ("n2", ["b"]))

    answer = claims.extended(known, "n1", "n1-repair", frozenset("ac"), ONE)

    assert isinstance(answer, Admitted)
    assert answer.ledger.status.slots["n1"] == structs.replace(
        known.status.slots["n1"], gangs=("a", "c")
    )
    assert refused(claims.extended(known, "n1", "n1-repair", frozenset("b"), ONE)).why is (
        Why.GANG_LIMIT
    )


def test_what_is_claimed_already_changes_nothing() -> None:
    known = admitted(("n1", ["a"]))

    assert claims.extended(known, "n1", "n1-repair", frozenset("a"), ONE) == Admitted(
        ledger=known, epoch=1
    )


def test_without_a_slot_of_its_own_a_repair_claims_nothing() -> None:
    known = admitted(("n1", []))

    strangers = (
        claims.extended(known, "n1", "n1-older", frozenset("a"), ONE),
        claims.extended(known, "n2", "n2-repair", frozenset("a"), ONE),
    )

    assert {refused(each).why for each in strangers} == {Why.LEDGER_AT_ODDS}


MANY: Final = tuple(f"many-{n}" for n in range(GANGS_LENGTH + 1))


def test_a_node_with_more_gangs_than_a_slot_can_name_waits_for_all_gangs() -> None:
    alone, beside = admitted(("n1", MANY)), admitted(("n1", ["a"]))

    assert alone.status.slots["n1"].gangs == (claims.ANY,)
    assert refused(disrupt(beside, "n2", MANY)).message == (
        "n2 has pods of more than 256 gangs, and a gang may lose one node at once; under repair: n1"
    )
    assert isinstance(disrupt(admitted(("n1", [])), "n2", MANY), Admitted)


def test_all_gangs_wait_for_a_node_with_more_than_a_slot_can_name() -> None:
    known = admitted(("n1", MANY))

    assert refused(disrupt(known, "n2", ["a"])).why is Why.GANG_LIMIT
    assert isinstance(disrupt(known, "n2", []), Admitted)
    assert claims.extended(known, "n1", "n1-repair", frozenset("a"), ONE) == Admitted(
        ledger=known, epoch=1
    )


def test_all_slots_together_name_no_more_gangs_than_a_ledger_can_hold() -> None:
    each = [tuple(f"{n}-{k}" for k in range(GANGS_LENGTH)) for n in range(8)]
    slots = {f"x{n}": slot(1, name=f"x{n}", gangs=gangs) for n, gangs in enumerate(each[:-1])}
    room = claims.MOST - len(slots) * GANGS_LENGTH

    most = disrupt(ledger(slots=slots), "n1", each[-1][:room], Policy(limit=ROOM_FOR_MANY))
    more = disrupt(ledger(slots=slots), "n1", each[-1][: room + 1], Policy(limit=ROOM_FOR_MANY))

    assert isinstance(most, Admitted)
    assert refused(more) == Refused(
        why=Why.GANG_LIMIT,
        message="the nodes under repair have pods of 2000 gangs; waits until some are back",
    )


ROOM_FOR_MANY: Final = Limit(cordoned=(99,), disrupted=(99,))
Moves: TypeAlias = list[tuple[str, str, set[str]]]
MOVES: Final = st.lists(
    st.tuples(
        st.sampled_from(("disrupt", "claim", "release")),
        st.sampled_from(NODES),
        st.sets(st.sampled_from(GANGS)),
    )
)


@given(moves=MOVES, most=st.integers(1, 2))
def test_in_no_order_of_admissions_claims_and_releases_a_gang_loses_more_nodes(
    moves: Moves, most: int
) -> None:
    policy, known = Policy(limit=ROOM, per_gang=most), ledger()
    losing: dict[str, set[str]] = {}
    for move, name, gangs in moves:
        slots = known.status.slots
        if move == "release":
            slots = {each: held for each, held in slots.items() if each != name}
            known = structs.replace(known, status=structs.replace(known.status, slots=slots))
            losing.pop(name, None)
            continue
        if (move == "claim") is not (name in slots):
            continue
        answer = (
            disrupt(known, name, gangs, policy)
            if move == "disrupt"
            else claims.extended(known, name, f"{name}-repair", frozenset(gangs), policy)
        )
        if isinstance(answer, Admitted):
            known = answer.ledger
            losing[name] = losing.get(name, set()) | gangs

        assert all(sum(gang in each for each in losing.values()) <= most for gang in GANGS)


@given(moves=MOVES)
def test_a_node_whose_gangs_nobody_else_takes_is_never_refused_for_them(moves: Moves) -> None:
    known = ledger()
    for _, name, gangs in moves:
        if name in known.status.slots:
            continue
        answer = disrupt(known, name, gangs)
        taken = {gang for each in known.status.slots.values() for gang in each.gangs}

        assert isinstance(answer, Refused) is bool(taken & gangs)
        known = answer.ledger if isinstance(answer, Admitted) else known
