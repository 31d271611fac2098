"""Domains: each value of a label of Nodes has limits of its own."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from nodehealth.keys import CONTROL_PLANE_LABEL
from nodehealth.ledger import BUCKETS_LENGTH, Bucket, RepairLedger
from nodehealth.repair import NodeRepair, Phase
from remediator.decide import limits, maintenance, scopes, waiting
from remediator.decide.counting import Scope
from remediator.decide.limits import Admitted, Refused, Why
from remediator.decide.scopes import Scopes
from remediator.rules.policy import (
    CLUSTER,
    CONTROL_PLANE,
    DEFAULT_POOL,
    DOMAIN_LIMIT,
    Domain,
    Limit,
    Policy,
    Pool,
    Rate,
)
from tests.builders import NOON, at, ledger, node, repair, slot

RACK = "example.com/rack"
ONE = Limit(cordoned=("100%",), disrupted=(1,))
WIDE = Limit(cordoned=(99,), disrupted=(99,))
POLICY = Policy(
    limit=WIDE,
    pools=(Pool(name=DEFAULT_POOL, labels={}, limit=WIDE),),
    domains=(Domain(label=RACK, limit=ONE),),
)


def rack(name: str) -> str:
    return f"{RACK}={name}"


def fleet(**racks: tuple[str, ...]) -> Scopes:
    """Put nodes into racks, all of them in the pool of those that are in none."""
    everybody = [each for names in racks.values() for each in names]
    whole = {DEFAULT_POOL: everybody, **{rack(name): names for name, names in racks.items()}}
    return Scopes.of(
        {
            name: Scope(name=name, members=frozenset(members), out=frozenset())
            for name, members in {**whole, CLUSTER: everybody}.items()
        }
    )


def disrupt(known: RepairLedger, name: str, where: Scopes) -> Admitted | Refused:
    mine = [where[each] for each in where.places(name) if each != DEFAULT_POOL]
    return limits.disrupt(known, repair(name), (*mine, where[CLUSTER]), POLICY, NOON)


def test_a_node_is_in_the_domains_of_the_labels_that_it_has() -> None:
    zoned = Policy(domains=(Domain(label="zone", limit=ONE), Domain(label=RACK, limit=ONE)))

    assert zoned.scopes_of(node(labels={"zone": "a", RACK: "r1"})) == (
        DEFAULT_POOL,
        "zone=a",
        rack("r1"),
    )
    assert zoned.scopes_of(node(labels={"zone": ""})) == (DEFAULT_POOL,)


def test_each_domain_has_its_own_limit_and_what_nobody_limits_has_none() -> None:
    assert POLICY.limit_of(rack("r1")) == ONE
    assert POLICY.limit_of("other=x") == DOMAIN_LIMIT


def test_a_full_rack_gives_no_second_slot_and_says_so() -> None:
    where = fleet(r1=("n1", "n2"), r2=("n3",))
    taken = ledger(epoch=1, slots={"n2": slot(1, name="n2")})

    refused = disrupt(taken, "n1", where)

    assert isinstance(refused, Refused)
    assert refused.message == f"1 of 1 disruption slots of {rack('r1')} are taken by n2"
    assert isinstance(disrupt(taken, "n3", where), Admitted)


def test_a_slot_counts_in_the_rack_that_it_was_given_in_and_in_the_one_where_the_node_is() -> None:
    admitted = disrupt(ledger(), "n1", fleet(r1=("n1", "n2"), r2=("n3",)))
    assert isinstance(admitted, Admitted)

    moved, away = fleet(r1=("n2",), r2=("n1", "n3")), fleet(r1=("n2",), r2=("n3",))

    assert admitted.ledger.status.slots["n1"].domains == (rack("r1"),)
    assert isinstance(disrupt(admitted.ledger, "n2", moved), Refused)
    assert isinstance(disrupt(admitted.ledger, "n3", moved), Refused)
    assert isinstance(disrupt(admitted.ledger, "n2", away), Refused)
    assert isinstance(disrupt(admitted.ledger, "n3", away), Admitted)


def waits(name: str, since: float, *domains: str) -> NodeRepair:
    made = repair(name, phase=Phase.WAITING, created=at(since))
    target = structs.replace(made.spec.target, domains=domains)
    return structs.replace(made, spec=structs.replace(made.spec, target=target))


def test_a_full_rack_holds_up_nobody_elsewhere() -> None:
    where = fleet(r1=("n1", "n2"), r2=("n3",))
    policy = replace(POLICY, limit=Limit(cordoned=(9,), disrupted=(2,)))
    taken = ledger(epoch=1, slots={"n2": slot(1, name="n2", pool="other")})
    stuck, free = waits("n1", 0), waits("n3", 60)

    assert waiting.turn(free, (stuck, free), taken, where, policy, NOON).granted
    assert waiting.heirs((stuck, free), taken, where, policy, NOON) == [free]


def test_a_repair_falls_under_the_rack_that_it_was_opened_in_while_that_has_nodes() -> None:
    one = waits("n1", 0, rack("r1"))

    assert waiting.places(one, fleet(r1=("n2",), r2=("n1",))) == (
        DEFAULT_POOL,
        rack("r2"),
        rack("r1"),
    )
    assert waiting.places(one, fleet(r2=("n1",))) == (DEFAULT_POOL, rack("r2"))
    assert waiting.places(one, fleet(r1=("n2",))) == (DEFAULT_POOL, rack("r1"))


def test_what_others_work_on_counts_in_its_rack() -> None:
    busy = node("n2", labels={RACK: "r1"}, taints=("karpenter.sh/disrupted",))
    where = fleet(r1=("n1", "n2"), r2=("n3",))

    counted = maintenance.counted([where[rack("r1")], where[rack("r2")]], [busy], POLICY)

    assert [dict(each.foreign) for each in counted] == [{"n2": "Karpenter"}, {}]


def test_domains_are_full_where_as_many_are_disrupted_as_may_be() -> None:
    where = fleet(r1=("n1", "n2"), r2=("n3", "n4"), r3=("n5",))
    away = structs.replace(slot(2, name="gone"), domains=(rack("r2"), rack("no more")))
    known = ledger(epoch=2, slots={"n1": slot(1), "gone": away})

    full = scopes.full_domains(known, where, POLICY)

    assert [each.scope for each in full] == [rack("r1"), rack("r2")]
    assert len(where) == len(tuple(where)) == 5


def test_more_rates_than_the_ledger_holds_are_refused() -> None:
    spent = {
        f"{rack(str(n))}/disruptions": Bucket(tokens=0, at=NOON) for n in range(BUCKETS_LENGTH)
    }
    rate = Rate(most=1, per=timedelta(hours=1), burst=1)
    paced = Limit(cordoned=("100%",), disrupted=("100%",), disruptions=rate)
    policy = Policy(limit=WIDE, domains=(Domain(label=RACK, limit=paced),))
    where = fleet(new=("n1",))

    refused = limits.disrupt(ledger(buckets=spent), repair(), (where[rack("new")],), policy, at(1))

    assert isinstance(refused, Refused)
    assert refused.why is Why.LEDGER_FULL


def test_the_control_plane_is_one_domain_whatever_its_label_says() -> None:
    policy = Policy(control_plane=True)

    found = {policy.domains_of(node(labels={CONTROL_PLANE_LABEL: says})) for says in ("", "true")}

    assert found == {(CONTROL_PLANE,)}
    assert policy.limit_of(CONTROL_PLANE).disrupted == (1,)
    assert Policy().domains_of(node(labels={CONTROL_PLANE_LABEL: ""})) == ()


def test_one_node_of_the_control_plane_is_disrupted_at_a_time() -> None:
    brains = Scope(name=CONTROL_PLANE, members=frozenset({"c1", "c2", "c3"}), out=frozenset())
    taken = ledger(epoch=1, slots={"c2": slot(1, name="c2")})

    refused = limits.disrupt(taken, repair("c1"), (brains,), Policy(control_plane=True), NOON)

    assert isinstance(refused, Refused)
    assert refused.message == "1 of 1 disruption slots of the control plane are taken by c2"


RACKS = st.sampled_from(["r1", "r2", "r3"])


@given(
    st.dictionaries(st.sampled_from([f"n{n}" for n in range(1, 9)]), RACKS, min_size=1),
    st.lists(st.tuples(st.sampled_from([f"n{n}" for n in range(1, 9)]), RACKS), max_size=30),
)
def test_no_rack_ever_loses_more_than_one_node_however_they_move(
    racks: dict[str, str], moves: list[tuple[str, str]]
) -> None:
    known, given_in = ledger(), list[str]()
    for name, goes_to in moves:
        places = {
            each: tuple(node for node, its in racks.items() if its == each)
            for each in racks.values()
        }
        if name in racks and name not in known.status.slots:
            answer = disrupt(known, name, fleet(**places))
            if isinstance(answer, Admitted):
                known = answer.ledger
                given_in.append(racks[name])
        racks[name] = goes_to

    assert len(given_in) == len(set(given_in))
