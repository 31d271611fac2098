"""The arithmetic of admissions: cheap cordons, dear disruptions, never above a limit."""

from datetime import datetime, timedelta
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from nodehealth.ledger import CORDONS_LENGTH, SLOTS_LENGTH, RepairLedger
from remediator.decide import counting, limits, returning
from remediator.decide.counting import Scope
from remediator.decide.limits import Admitted, Refused, Why
from remediator.rules.policy import CLUSTER, Limit, Policy, Pool, Rate
from tests.builders import NOON, ledger, repair, slot

Share = str | int
NAMES = [f"n{n}" for n in range(1, 11)]


def scope(name: str = CLUSTER, members: list[str] = NAMES, out: tuple[str, ...] = ()) -> Scope:
    return Scope(name=name, members=frozenset(members), out=frozenset(out))


def policy(*, cordoned: str | int = 3, disrupted: str | int = 1, pools: int = 0) -> Policy:
    limit = Limit(cordoned=(cordoned,), disrupted=(disrupted,))
    made = tuple(Pool(name=f"pool{n}", labels={}, limit=limit) for n in range(pools))
    return Policy(limit=limit, pools=made)


def cordon(
    before: RepairLedger, name: str, rules: Policy, *scopes: Scope, now: datetime = NOON
) -> Admitted | Refused:
    return limits.cordon(before, repair(name), scopes or (scope(),), rules, now)


def disrupt(
    before: RepairLedger, name: str, rules: Policy, *scopes: Scope, now: datetime = NOON
) -> Admitted | Refused:
    return limits.disrupt(before, repair(name), scopes or (scope(),), rules, now)


def per_minute(most: int, *, burst: int = 1) -> Rate:
    return Rate(most=most, per=timedelta(minutes=1), burst=burst)


def why(answer: Admitted | Refused) -> Why | None:
    return answer.why if isinstance(answer, Refused) else None


def test_a_cordon_takes_the_next_epoch() -> None:
    answer = cordon(ledger(epoch=6), "n1", policy())

    assert isinstance(answer, Admitted)
    assert answer.epoch == 7
    assert answer.ledger.status.cordons == {"n1": 7}


def test_a_cordon_is_refused_when_too_many_nodes_are_out() -> None:
    out = scope(out=("n2", "n3", "n4"))

    answer = cordon(ledger(), "n1", policy(cordoned=3), out)

    assert isinstance(answer, Refused)
    assert answer.why is Why.CORDON_LIMIT
    assert answer.message == "3 nodes of the cluster are unavailable and the limit is 3"


def wanting(desired: int, *, cordoned: str | int = 3) -> Policy:
    limit = Limit(cordoned=(cordoned,), disrupted=("50%",), small_pool=1)
    return Policy(limit=limit, pools=(Pool(name="w", labels={}, limit=limit, desired=desired),))


def test_nodes_that_a_pool_lacks_are_out() -> None:
    pool = scope("w", out=("n2",))

    answer = cordon(ledger(), "n1", wanting(12), pool)

    assert isinstance(answer, Refused)
    assert answer.message == (
        "3 nodes of pool w are unavailable (2 of them missing) and the limit is 3"
    )
    assert isinstance(cordon(ledger(), "n1", wanting(11), pool), Admitted)


def test_nodes_that_a_pool_lacks_are_out_of_the_cluster_too_also_where_none_came() -> None:
    pool = scope("w")
    whole = Scope(name=CLUSTER, members=pool.members, out=frozenset(), parts={"w": pool})
    empty = Scope(name=CLUSTER, members=frozenset(), out=frozenset())

    assert why(cordon(ledger(), "n1", wanting(13), whole)) is Why.CORDON_LIMIT
    assert counting.usage(ledger(), whole, wanting(13)).out == 3
    assert counting.usage(ledger(), empty, wanting(13)).out == 13


def test_a_share_is_one_of_the_nodes_that_there_ought_to_be() -> None:
    used = counting.usage(ledger(), scope("w"), wanting(14))

    assert used.disrupted_limit == 7


def test_a_node_that_is_away_to_be_replaced_is_not_missing_too() -> None:
    here = scope("w", members=NAMES[1:])
    away = ledger(slots={"n1": slot(1, name="n1", pool="w")})

    assert counting.missing(away, here, wanting(10)) == 0
    assert counting.usage(away, here, wanting(10)).out == 1
    assert counting.missing(ledger(), here, wanting(10)) == 1


def test_a_pool_with_more_nodes_than_it_ought_to_have_lacks_none() -> None:
    assert counting.missing(ledger(), scope("w"), wanting(5)) == 0
    assert counting.missing(ledger(), scope("w"), wanting(0)) == 0


def test_a_node_that_is_out_anyway_may_always_be_cordoned() -> None:
    out = scope(out=("n1", "n2", "n3", "n4"))

    answer = cordon(ledger(), "n1", policy(cordoned=1), out)

    assert why(answer) is None


def test_admitted_cordons_count_before_the_cache_shows_them() -> None:
    known = ledger(epoch=2, cordons={"n2": 1, "n3": 2, "elsewhere": 2})
    pool = scope("pool0")
    rules = (policy(cordoned=2, pools=1), policy(cordoned=3, pools=1))

    two, three = (cordon(known, "n1", each, pool) for each in rules)

    assert why(two) is Why.CORDON_LIMIT
    assert why(three) is None


def test_a_node_that_is_away_to_be_replaced_counts_as_out() -> None:
    away = ledger(epoch=2, cordons={"gone": 1}, slots={"gone": slot(2, name="gone")})

    assert why(cordon(away, "n1", policy(cordoned=1)))
    pooled = ledger(slots={"gone": slot(2, name="gone", pool="pool0")})
    here, one = scope("pool0"), policy(cordoned=1, pools=1)
    assert why(cordon(pooled, "n1", one, here))


def test_a_full_ledger_takes_no_cordon() -> None:
    full = ledger(cordons={f"c{n}": 1 for n in range(CORDONS_LENGTH)})

    answer = cordon(full, "n1", policy(pools=1), scope("pool0"))

    assert why(answer) is Why.LEDGER_FULL


def test_a_slot_names_its_node_and_repair() -> None:
    answer = disrupt(ledger(epoch=3), "n1", policy())

    assert isinstance(answer, Admitted)
    assert answer.ledger.status.slots["n1"] == structs.replace(slot(4), only_drains=True)


def test_a_slot_in_the_place_of_another_one_keeps_what_was_claimed_and_ordered_under_that() -> None:
    before = slot(3, gangs=("ml/jobset/a",))

    answer = disrupt(ledger(epoch=3, slots={"n1": before}), "n1", policy())

    assert isinstance(answer, Admitted)
    assert answer.ledger.status.slots["n1"] == slot(4, gangs=("ml/jobset/a",))


def test_a_spent_limit_says_who_holds_the_slots() -> None:
    taken = ledger(epoch=1, slots={"n2": slot(1, name="n2")})

    answer = disrupt(taken, "n1", policy(disrupted=1))

    assert isinstance(answer, Refused)
    assert answer.why is Why.DISRUPTION_LIMIT
    assert answer.message == "1 of 1 disruption slots of the cluster are taken by n2"


def test_many_holders_are_not_all_named() -> None:
    taken = ledger(slots={name: slot(1, name=name) for name in NAMES[1:6]})

    answer = disrupt(taken, "n1", policy(disrupted=5))

    assert isinstance(answer, Refused)
    assert answer.message.endswith("are taken by n2, n3, n4 and others")


def test_a_share_of_a_small_scope_rounds_down_to_nothing_and_says_so() -> None:
    answer = disrupt(ledger(), "n1", policy(disrupted="20%"), scope(members=NAMES[:4]))

    assert isinstance(answer, Refused)
    assert answer.message == (
        "no node of the cluster may be disrupted: the limit of its 4 nodes rounds down to 0; "
        "smallPool: 1 would allow one"
    )


def test_a_limit_that_is_meant_to_be_nothing_is_said_as_it_is() -> None:
    answer = disrupt(ledger(), "n1", policy(cordoned="10%", disrupted=0))

    assert isinstance(answer, Refused)
    assert answer.message == "no node of the cluster may be disrupted: the limit is 0"


@pytest.mark.parametrize(
    ("share", "small", "most"),
    [
        ("10%", 0, 0),
        ("10%", 1, 1),
        (("10%", 50), 1, 1),
        (("10%", 0), 1, 0),
        ("0%", 1, 0),
        (0, 1, 0),
        ("50%", 1, 2),
        (("50%", 1), 0, 1),
    ],
)
def test_a_small_pool_may_say_what_holds_where_its_share_is_nothing(
    share: Share | tuple[Share, ...], small: int, most: int
) -> None:
    shares = share if isinstance(share, tuple) else (share,)
    rules = Policy(limit=Limit(cordoned=shares, disrupted=shares, small_pool=small))
    small_one, state, given = scope(members=NAMES[:4]), ledger(), 0
    for name in NAMES[:4]:
        cordoned = cordon(state, name, rules, small_one)
        answer = disrupt(state, name, rules, small_one)
        if isinstance(answer, Admitted):
            assert isinstance(cordoned, Admitted)
            state, given = answer.ledger, given + 1

    assert given == counting.free_slots(ledger(), small_one, rules) == most


def test_cordons_spend_the_rate_of_every_scope_and_say_when_the_next_one_may_begin() -> None:
    rules = Policy(
        limit=Limit(cordoned=(9,), disrupted=(9,), cordons=per_minute(6)),
        pools=(Pool(name="p", labels={}, limit=Limit(cordoned=(9,), disrupted=(9,))),),
    )
    first = cordon(ledger(), "n1", rules, scope("p"), scope())
    assert isinstance(first, Admitted)

    answer = cordon(first.ledger, "n2", rules, scope("p"), scope())

    assert answer == Refused(
        why=Why.CORDON_RATE,
        message="the rate of the cluster is 6 cordons in 1m, at most 1 at once; "
        "the next one may begin at 12:00:11",
        after=timedelta(seconds=11),
        every=timedelta(seconds=10),
    )


def test_disruptions_spend_a_rate_of_their_own() -> None:
    limit = Limit(cordoned=(9,), disrupted=(9,), cordons=per_minute(6), disruptions=per_minute(1))
    first = cordon(ledger(), "n1", Policy(limit=limit))
    assert isinstance(first, Admitted)
    second = disrupt(first.ledger, "n1", Policy(limit=limit))
    assert isinstance(second, Admitted)

    answer = disrupt(second.ledger, "n2", Policy(limit=limit))

    assert isinstance(answer, Refused)
    assert answer.why is Why.DISRUPTION_RATE
    assert answer.message.startswith("the rate of the cluster is 1 disruptions in 1m")


def test_nodes_that_are_out_anyway_do_not_hold_up_those_that_serve() -> None:
    rules = Policy(limit=Limit(cordoned=(9,), disrupted=(9,), cordons=per_minute(6)))
    dead = scope(out=("n1", "n2"))
    first = cordon(ledger(), "n1", rules, dead)
    assert isinstance(first, Admitted)

    another, serving = (cordon(first.ledger, name, rules, dead) for name in ("n2", "n3"))

    assert why(another) is Why.CORDON_RATE
    assert why(serving) is None


def test_who_is_refused_by_a_limit_spends_nothing() -> None:
    rules = Policy(limit=Limit(cordoned=(1,), disrupted=(9,), cordons=per_minute(1, burst=5)))

    answer = cordon(ledger(cordons={"n2": 1}), "n1", rules)

    assert why(answer) is Why.CORDON_LIMIT


def test_a_limit_that_is_lowered_stops_new_ones_and_undoes_nothing() -> None:
    taken = ledger(
        epoch=3, cordons={"n2": 1}, slots={name: slot(3, name=name) for name in ("n2", "n3")}
    )

    answers = [
        disrupt(taken, "n1", policy(disrupted=1)),
        cordon(taken, "n1", policy(cordoned=0)),
        returning.release(taken, "n3", frozenset({3})),
    ]

    assert [type(each) for each in answers] == [Refused, Refused, RepairLedger]
    assert returning.release(taken, "n3", frozenset({3})).status.slots.keys() == {"n2"}


def theirs(**foreign: str) -> Scope:
    return Scope(name=CLUSTER, members=frozenset(NAMES), out=frozenset(), foreign=foreign)


def test_nodes_that_others_work_on_take_room_and_are_named() -> None:
    busy = theirs(n2="Karpenter")

    one, two = (disrupt(ledger(), "n1", policy(disrupted=most), busy) for most in (1, 2))

    assert one == Refused(
        why=Why.FOREIGN_MAINTENANCE,
        message="1 of 1 disruption slots of the cluster are taken by n2 (Karpenter)",
    )
    assert why(two) is None


def test_a_node_that_we_and_others_work_on_takes_room_once() -> None:
    both = theirs(n2="Karpenter")
    taken = ledger(slots={"n2": slot(1, name="n2")})

    assert why(disrupt(taken, "n1", policy(disrupted=2), both)) is None


def test_our_own_slots_are_said_first_to_be_what_is_in_the_way() -> None:
    taken = ledger(slots={"n3": slot(1, name="n3")})

    answer = disrupt(taken, "n1", policy(disrupted=1), theirs(n2="Karpenter"))

    assert why(answer) is Why.DISRUPTION_LIMIT


def test_a_node_that_others_work_on_is_left_to_them() -> None:
    answer = disrupt(ledger(), "n1", policy(disrupted=5), theirs(n1="kured"))

    assert answer == Refused(
        why=Why.FOREIGN_MAINTENANCE,
        message="kured is at work on n1; waits until that is over",
    )


def test_what_others_work_on_never_holds_up_a_cordon() -> None:
    assert why(cordon(ledger(), "n1", policy(cordoned=1), theirs(n2="kured", n1="kured"))) is None


def test_a_pool_counts_only_its_own_slots() -> None:
    taken = ledger(slots={"n2": slot(1, name="n2", pool="pool1")})
    mine, other = scope("pool0", NAMES[:1]), scope("pool1", NAMES[1:])
    rules = policy(disrupted=1, pools=2)

    assert why(disrupt(taken, "n1", rules, mine)) is None
    refused = disrupt(taken, "n1", rules, other)
    assert isinstance(refused, Refused)
    assert "pool pool1" in refused.message


def test_a_node_that_is_away_to_be_replaced_still_counts_for_its_scope() -> None:
    taken = ledger(slots={"gone": slot(1, name="gone")})

    answer = disrupt(taken, "n1", policy(disrupted="20%"), scope(members=NAMES[:9]))

    assert why(answer) is None


def test_a_full_ledger_gives_no_slot() -> None:
    full = ledger(slots={f"c{n}": slot(1, name=f"c{n}") for n in range(SLOTS_LENGTH)})

    answer = disrupt(full, "n1", policy(disrupted=1000))

    assert why(answer) is Why.LEDGER_FULL


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.booleans()), max_size=60),
    st.integers(min_value=0, max_value=5),
)
def test_no_sequence_of_admissions_breaks_a_limit(steps: list[tuple[str, bool]], most: int) -> None:
    state, rules, epochs = ledger(), policy(cordoned=most, disrupted=most), dict[str, int]()
    for name, take in steps:
        if take and name not in state.status.slots:
            answer = disrupt(state, name, rules)
            if isinstance(answer, Admitted):
                assert answer.epoch == state.status.epoch + 1
                state, epochs[name] = answer.ledger, answer.epoch
        elif not take and name in epochs:
            state = returning.release(state, name, frozenset({epochs[name]}))

        assert len(state.status.slots) <= most
        assert counting.free_slots(state, scope(), rules) == most - len(state.status.slots)


def test_a_slot_is_one_of_the_pool_that_its_node_is_in_now() -> None:
    answer = disrupt(ledger(), "n1", policy(pools=2), scope("pool1"), scope("pool0"), scope())

    assert isinstance(answer, Admitted)
    assert answer.ledger.status.slots["n1"].pool == "pool1"


def test_only_our_own_slots_make_a_scope_full() -> None:
    taken = ledger(epoch=1, slots={"n2": slot(1, name="n2")})
    rules = policy(disrupted=1)
    theirs = Scope(
        name=CLUSTER, members=frozenset(NAMES), out=frozenset(), foreign={"n3": "somebody"}
    )

    refused = limits.full(taken, "n1", (scope(),), rules)

    assert refused is not None
    assert refused.why is Why.DISRUPTION_LIMIT
    assert limits.full(taken, "n2", (scope(),), rules) is None
    assert limits.full(ledger(), "n1", (theirs,), rules) is None
    assert limits.full(ledger(), "n1", (scope(),), rules) is None


class Fleetful(frozenset[str]):
    """So many names that none of them should be walked over."""

    def __iter__(self) -> NoReturn:
        raise AssertionError("walked over the whole fleet")

    def __or__(self, _: object) -> NoReturn:
        raise AssertionError("copied the whole fleet")


@pytest.mark.parametrize("name", [CLUSTER, "pool0"])
def test_no_admission_walks_over_the_whole_fleet(name: str) -> None:
    known = ledger(epoch=2, cordons={"n2": 1}, slots={"away": slot(2, name="away", pool="pool0")})
    whole = Scope(name=name, members=Fleetful(NAMES), out=Fleetful(["n2", "n3"]))
    rules = policy(cordoned="40%", disrupted="10%", pools=1)

    assert why(cordon(known, "n1", rules, whole)) is None
    assert why(disrupt(known, "n1", rules, whole)) is Why.DISRUPTION_LIMIT
    assert counting.usage(known, whole, rules).out == 3
    assert counting.free_slots(known, whole, rules) == 0


def test_free_slots_of_a_pool() -> None:
    taken = ledger(slots={"n2": slot(1, name="n2", pool="pool0")})

    assert counting.free_slots(taken, scope("pool0"), policy(disrupted=3, pools=1)) == 2


def test_usage_counts_what_is_out_and_what_is_disrupted_against_both_limits() -> None:
    known = ledger(epoch=2, cordons={"n2": 1}, slots={"n3": slot(2, name="n3")})

    used = counting.usage(known, scope(out=("n1", "n2")), policy(cordoned=4, disrupted=2))

    assert (used.scope, used.nodes) == (CLUSTER, len(NAMES))
    assert (used.out, used.out_limit) == (3, 4)
    assert (used.disrupted, used.disrupted_limit) == (1, 2)


def test_a_scope_takes_the_word_of_whoever_knows_one_node_better() -> None:
    old = scope(out=("n1", "n2"))

    assert old.seeing("n1", out=False).out == {"n2"}
    assert old.seeing("n3", out=True).out == {"n1", "n2", "n3"}
