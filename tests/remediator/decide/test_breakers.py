"""A breaker stops what is new, never what gives back, tries one node, and closes by itself."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from nodehealth import keys
from nodehealth.kube.objects import Node
from nodehealth.ledger import (
    Breaker,
    BreakerState,
    Change,
    Handling,
    RepairLedger,
    Slot,
)
from nodehealth.repair import NodeRepair
from remediator.decide import breakers, gates, limits, openings, problems, returning, switching
from remediator.decide.breakers import Seen
from remediator.decide.counting import Scope
from remediator.decide.gates import Asked, Deed
from remediator.decide.limits import Refused, Why
from remediator.decide.switching import Nodes
from remediator.decide.trips import Trip
from remediator.rules.alerting import Urgency
from remediator.rules.breaking import NEVER, Breaking
from remediator.rules.policy import CLUSTER, Limit, Policy
from tests.builders import NOON, at, ledger, node, repair, slot

KEY = "unhealthy-pool/default"
DOUBT = "after-change/default/disk-full"
PENDING = "pending-pods/cluster"
SICK = Trip(seen=5, reason="5 of 10 nodes are sick")
BREAKING = Breaking(cool_down=timedelta(minutes=10), settle=timedelta(minutes=1))
ALL = Nodes(about=lambda _, __: True, stands=lambda _: True)
WIDE = Policy(limit=Limit(cordoned=(100,), disrupted=(100,)), breaking=BREAKING)


def breaker(
    state: BreakerState = BreakerState.OPEN,
    *,
    since: float = 0,
    probing: str = "",
    well: float | None = None,
    seen: int = 5,
) -> Breaker:
    return Breaker(
        state=state,
        opened_at=NOON,
        since=at(since),
        reason="too much",
        seen=seen,
        probing=probing,
        well_since=at(well) if well is not None else None,
    )


def having(
    *,
    handled: Handling | None = None,
    slots: dict[str, Slot] | None = None,
    cordons: dict[str, int] | None = None,
    changes: dict[str, Change] | None = None,
    **listed: Breaker,
) -> RepairLedger:
    """Make a ledger; `pool` and `doubt` are breakers of ours."""
    names = {"pool": KEY, "doubt": DOUBT, "zone": "unhealthy-zone/a", "burst": "burst/other"}
    made = ledger(epoch=9, slots=slots or {}, cordons=cordons or {})
    status = structs.replace(
        made.status,
        breakers={names[name]: each for name, each in listed.items()},
        changes=changes or {},
    )
    words = dict.fromkeys(names.values(), handled) if handled is not None else {}
    spec = structs.replace(made.spec, breakers=words)
    return structs.replace(made, status=status, spec=spec)


def asked(
    deed: Deed,
    known: RepairLedger,
    *,
    name: str = "n1",
    of: Node | None = None,
    trips: dict[str, Trip] | None = None,
    members: int = 20,
    breaking: Breaking = BREAKING,
    made: NodeRepair | None = None,
    rules: dict[str, str] | None = None,
) -> Asked:
    names = frozenset({name, *(f"n{n}" for n in range(1, members + 1))})
    scopes = tuple(
        Scope(name=each, members=names, out=frozenset()) for each in ("default", "rack=1", CLUSTER)
    )
    return Asked(
        deed=deed,
        repair=made or repair(name),
        node=of or node(name),
        ledger=known,
        scopes=scopes,
        policy=replace(WIDE, breaking=breaking),
        now=NOON,
        seen=Seen(trips=trips or {}, rule_of=lambda each: (rules or {}).get(each, "")),
    )


def refused(deed: Deed, known: RepairLedger, **more: object) -> Refused | None:
    return gates.refusal(asked(deed, known, **more))  # type: ignore[arg-type]  # what asked() takes


def settled(
    known: RepairLedger,
    found: dict[str, Trip] | None = None,
    *,
    after: float = 0,
    nodes: Nodes = ALL,
) -> RepairLedger:
    return switching.settled(known, found or {}, nodes, BREAKING, at(after))


def only(known: RepairLedger, key: str = KEY) -> Breaker:
    return known.status.breakers[key]


@pytest.mark.parametrize("deed", [Deed.DISRUPT, Deed.STEP])
def test_an_open_breaker_stops_disruption_and_each_new_step(deed: Deed) -> None:
    answer = refused(deed, having(pool=breaker()))

    assert answer is not None
    assert (answer.why, "too much" in answer.message) == (Why.BREAKER_OPEN, True)


def test_a_breaker_that_suspects_the_world_lets_cordons_through() -> None:
    assert refused(Deed.CORDON, having(pool=breaker())) is None


@pytest.mark.parametrize("deed", list(Deed))
def test_a_breaker_that_suspects_us_stops_cordons_too(deed: Deed) -> None:
    assert refused(deed, having(doubt=breaker())) is not None


def test_pods_that_wait_for_nodes_stop_no_repair_that_may_give_one_back() -> None:
    waiting = having()
    status = structs.replace(waiting.status, breakers={PENDING: breaker()})
    waiting = structs.replace(waiting, status=status)

    assert refused(Deed.DISRUPT, waiting) is not None
    assert refused(Deed.STEP, waiting) is None
    assert refused(Deed.CORDON, waiting) is None
    assert openings.stops(PENDING).startswith("No new disruption begins; what has begun goes on")


def test_another_rule_may_still_cordon_where_one_is_doubted() -> None:
    other = repair()
    other = structs.replace(other, spec=structs.replace(other.spec, rule="gpu-lost"))

    assert refused(Deed.CORDON, having(doubt=breaker()), made=other) is None
    assert refused(Deed.DISRUPT, having(doubt=breaker()), made=other) is not None


def test_a_burst_that_is_not_in_the_ledger_yet_lets_nobody_slip_through() -> None:
    answer = refused(Deed.DISRUPT, having(), trips={KEY: SICK})

    assert answer is not None
    assert "5 of 10 nodes are sick" in answer.message


@pytest.mark.parametrize(
    ("labels", "whys"),
    [({keys.ZONE_LABEL: "a"}, {Why.BREAKER_OPEN}), ({keys.ZONE_LABEL: "b"}, set()), ({}, set())],
    ids=["its", "another", "none"],
)
def test_a_zone_stops_its_own_nodes(labels: dict[str, str], whys: set[Why]) -> None:
    answer = refused(Deed.DISRUPT, having(zone=breaker()), of=node(labels=labels))

    assert {each.why for each in (answer,) if each is not None} == whys


def test_a_machine_without_a_node_may_be_of_any_zone() -> None:
    gone = replace(asked(Deed.STEP, having(zone=breaker())), node=None)

    assert gates.refusal(gone) is not None


def test_another_pool_is_nobodys_business() -> None:
    assert refused(Deed.DISRUPT, having(burst=breaker())) is None


def test_what_a_person_has_ignored_stops_nothing() -> None:
    ignored = having(pool=breaker(), handled=Handling.IGNORE)

    assert refused(Deed.DISRUPT, ignored, trips={KEY: SICK}) is None
    assert settled(ignored, {KEY: SICK}).status.breakers == {}


def test_half_open_lets_one_node_at_a_time_through() -> None:
    free = having(pool=breaker(BreakerState.HALF_OPEN))
    taken = breakers.claimed(free, asked(Deed.DISRUPT, free).subject())

    assert refused(Deed.DISRUPT, free) is None
    assert only(taken).probing == "n1"
    assert refused(Deed.DISRUPT, taken) is None
    assert refused(Deed.STEP, taken) is None
    assert refused(Deed.DISRUPT, taken, name="n2") is not None
    assert breakers.claimed(taken, asked(Deed.DISRUPT, taken, name="n2").subject()) is taken


def test_who_has_begun_waits_until_it_is_told_to_be_the_one_that_is_tried() -> None:
    assert refused(Deed.STEP, having(pool=breaker(BreakerState.HALF_OPEN))) is not None


def test_what_is_amiss_opens_a_breaker_once() -> None:
    opened = settled(having(), {KEY: SICK}, after=5)

    assert only(opened) == Breaker(
        state=BreakerState.OPEN, opened_at=at(5), since=at(5), reason=SICK.reason, seen=5
    )
    assert settled(opened, {KEY: SICK}, after=60) is opened


def test_after_a_while_the_node_is_tried_that_has_its_slot_longest() -> None:
    slots = {"n2": slot(7, name="n2"), "n1": slot(8)}

    tried = only(settled(having(pool=breaker(), slots=slots), {KEY: SICK}, after=600))

    assert (tried.state, tried.since, tried.probing) == (BreakerState.HALF_OPEN, at(600), "n2")


def test_only_nodes_are_tried_that_a_breaker_is_about() -> None:
    nowhere = replace(ALL, about=lambda _, __: False)
    known = having(pool=breaker(), slots={"n1": slot(8)})

    assert only(settled(known, {KEY: SICK}, after=600, nodes=nowhere)).probing == ""


def test_who_is_given_back_makes_way_for_the_next_one() -> None:
    known = having(
        pool=breaker(BreakerState.HALF_OPEN, probing="n1"),
        slots={"n1": slot(8), "n2": slot(9, name="n2")},
    )

    given_back = breakers.given_back(returning.release(known, "n1", frozenset({8})), "n1")

    assert only(given_back).probing == ""
    assert only(settled(given_back, {KEY: SICK}, after=5)).probing == "n2"
    assert breakers.given_back(known, "n1") is known


def test_who_could_not_be_mended_opens_the_breaker_again() -> None:
    known = having(pool=breaker(BreakerState.HALF_OPEN, probing="n1"), slots={"n1": slot(8)})

    failed = only(breakers.failed(known, "n1", at(700)))

    assert (failed.state, failed.since, failed.probing) == (BreakerState.OPEN, at(700), "")
    assert breakers.failed(known, "n2", at(700)) is known


def test_more_of_it_opens_the_breaker_again_and_less_is_remembered() -> None:
    known = having(pool=breaker(BreakerState.HALF_OPEN, probing="n1"), slots={"n1": slot(8)})

    worse = only(settled(known, {KEY: replace(SICK, seen=6)}, after=700))
    better = only(settled(known, {KEY: replace(SICK, seen=4)}, after=700))

    assert (worse.state, worse.since, worse.reason) == (BreakerState.OPEN, at(700), SICK.reason)
    assert (better.state, better.seen, better.probing) == (BreakerState.HALF_OPEN, 4, "n1")


@pytest.mark.parametrize(
    ("nodes", "probing"), [(ALL, "n1"), (replace(ALL, stands=lambda _: False), "")]
)
def test_a_node_is_tried_for_as_long_as_its_repair_goes_on(nodes: Nodes, probing: str) -> None:
    half = breaker(BreakerState.HALF_OPEN, probing="n1")

    tried = settled(having(pool=half, cordons={"n1": 8}), {KEY: SICK}, nodes=nodes)

    assert only(tried).probing == probing


def test_two_breakers_that_try_two_nodes_each_of_which_the_other_stops_come_to_try_one() -> None:
    pool = breaker(BreakerState.HALF_OPEN, probing="n2")
    burst = breaker(BreakerState.HALF_OPEN, probing="n1")
    slots = {"n1": slot(7), "n2": slot(8, name="n2")}
    both = {KEY: SICK, "burst/other": SICK}
    stopped = replace(ALL, barred=lambda _: True)

    tried = settled(having(pool=pool, burst=burst, slots=slots), both, nodes=stopped)

    assert {each.probing for each in tried.status.breakers.values()} == {"n1"}
    assert settled(tried, both, nodes=stopped) is tried


@pytest.mark.parametrize(("slots", "first"), [({}, "n1"), ({"n3": slot(9, name="n3")}, "n3")])
def test_a_node_that_is_tried_since_its_cordon_makes_way_to_who_waits_longest(
    slots: dict[str, Slot], first: str
) -> None:
    pool = breaker(BreakerState.HALF_OPEN, probing="n3" if slots else "n2")
    doubt = breaker(BreakerState.HALF_OPEN, probing="n1")
    both = {KEY: SICK, DOUBT: SICK}
    cordons = {"n1": 6, "n2": 7, "n3": 8}
    known = having(pool=pool, doubt=doubt, slots=slots, cordons=cordons)
    stopped = replace(ALL, barred=lambda _: True)

    tried = settled(known, both, nodes=stopped)

    assert {each.probing for each in tried.status.breakers.values()} == {first}
    assert settled(tried, both, nodes=stopped) is tried


def test_a_node_that_is_tried_since_its_cordon_makes_way_to_a_slot_that_it_may_wait_for() -> None:
    doubt = breaker(BreakerState.HALF_OPEN, probing="n1")
    slots = {"n2": slot(8, name="n2")}
    known = having(doubt=doubt, slots=slots, cordons={"n1": 7})
    waits = replace(ALL, barred=lambda name: name == "n2")

    tried = settled(known, {DOUBT: SICK}, nodes=waits)

    assert tried.status.breakers[DOUBT].probing == "n2"
    assert settled(known, {DOUBT: SICK}, nodes=ALL) is known


def test_a_node_that_is_tried_since_its_cordon_and_waits_alone_is_tried_still() -> None:
    known = having(doubt=breaker(BreakerState.HALF_OPEN, probing="n1"), cordons={"n1": 7, "n2": 6})

    tried = settled(known, {DOUBT: SICK}, nodes=replace(ALL, barred=lambda _: True))

    assert tried is known


def test_who_waits_is_not_looked_at_because_less_is_amiss() -> None:
    half = having(pool=breaker(BreakerState.HALF_OPEN, probing="n1"), slots={"n1": slot(8)})
    better = settled(half, {KEY: replace(SICK, seen=4)}, after=5)
    well = settled(half, after=5)
    freed = settled(half, {KEY: SICK}, nodes=replace(ALL, stands=lambda _: False))

    assert breakers.let_through(better) == breakers.let_through(well) == breakers.let_through(half)
    assert better != half
    assert breakers.let_through(freed) != breakers.let_through(half)


def test_a_slot_whose_repair_needs_a_person_is_not_what_is_tried() -> None:
    half = breaker(BreakerState.HALF_OPEN, probing="n1")
    slots = {"n1": slot(7), "n2": slot(8, name="n2")}
    nodes = replace(ALL, stands=lambda name: name == "n2")

    tried = settled(having(pool=half, slots=slots), {KEY: SICK}, nodes=nodes)

    assert only(tried).probing == "n2"


def test_it_closes_when_nothing_has_been_amiss_for_a_while_though_nobody_is_sick() -> None:
    well = settled(having(pool=breaker()), after=30)

    assert only(well).well_since == at(30)
    assert settled(well, after=89) is well
    assert settled(well, after=90).status.breakers == {}
    assert only(settled(well, {KEY: SICK}, after=90)).well_since is None


def test_a_person_may_hold_it_open_or_have_a_node_tried_at_once() -> None:
    half = breaker(BreakerState.HALF_OPEN, probing="n1", well=0)
    held = having(pool=half, handled=Handling.HOLD)
    hurried = having(pool=breaker(), handled=Handling.TRY)

    assert only(settled(held, after=9000)).state is BreakerState.OPEN
    assert settled(settled(held), after=9000) == settled(held)
    assert only(settled(hurried, {KEY: SICK})).state is BreakerState.HALF_OPEN


def test_a_clock_that_leaps_ahead_and_back_opens_and_closes_nothing() -> None:
    ahead = having(pool=breaker(since=86_400, well=86_400))

    back = only(settled(ahead))

    assert (back.state, back.since, back.well_since) == (BreakerState.OPEN, NOON, NOON)


def lately(count: int) -> RepairLedger:
    cordons = {f"n{n}": 3 + n for n in range(2, 2 + count)}
    return having(cordons=cordons, changes={"rules/new": Change(at=at(-60), epoch=3)})


def fresh(name: str = "n1", rule: str = "disk-full") -> NodeRepair:
    made = repair(name)
    return structs.replace(made, spec=structs.replace(made.spec, rules_digest="new", rule=rule))


@pytest.mark.parametrize(("members", "most"), [(1, 2), (3, 2), (10, 2), (20, 2), (40, 4)])
def test_new_rules_cordon_no_more_than_their_share_whatever_the_caches_say(
    members: int, most: int
) -> None:
    admitted = [
        count
        for count in range(most + 3)
        if refused(Deed.CORDON, lately(count), members=members, made=fresh()) is None
        and count < members
    ]

    assert admitted == list(range(min(most, members)))


def test_cordons_for_other_rules_are_not_held_against_a_new_one() -> None:
    others = {f"n{n}": "gpu-lost" for n in range(2, 9)}

    assert refused(Deed.CORDON, lately(7), made=fresh(), rules=others) is None
    assert refused(Deed.CORDON, lately(7), made=fresh()) is not None
    assert refused(Deed.CORDON, lately(7), made=fresh(), breaking=NEVER) is None


def test_new_rules_that_a_person_vouches_for_cordon_on() -> None:
    vouched = lately(7)
    spec = structs.replace(vouched.spec, breakers={DOUBT: Handling.IGNORE})

    assert refused(Deed.CORDON, structs.replace(vouched, spec=spec), made=fresh()) is None


TRIPS = st.dictionaries(
    st.sampled_from([KEY, DOUBT, "silent-agents/cluster"]),
    st.builds(Trip, seen=st.integers(3, 9), reason=st.just("much")),
)
STORY = st.lists(
    st.tuples(TRIPS, st.sampled_from(["wait", "ask", "step", "back", "fail"]), st.integers(0, 900)),
    max_size=25,
)


@given(STORY)
def test_nothing_is_let_through_while_open_one_while_half_open_and_all_ends_well(
    story: list[tuple[dict[str, Trip], str, int]],
) -> None:
    known, now = having(), 0.0
    for found, deed, pause in story:
        now += pause
        known = settled(known, found, after=now)
        name = f"n{1 + pause % 3}"
        match deed:
            case "ask" | "step":
                wants = Deed.DISRUPT if deed == "ask" else Deed.STEP
                who = asked(wants, known, name=name, trips=found)
                if gates.refusal(who) is None:
                    states = {each.state for each in known.status.breakers.values()}
                    assert states <= {BreakerState.HALF_OPEN}
                    known = breakers.claimed(known, who.subject())
                    tried = {each.probing for each in known.status.breakers.values()}
                    assert tried <= {name}
                    admitted = limits.disrupt(known, who.repair, who.scopes, who.policy, who.now)
                    known = admitted.ledger if not isinstance(admitted, Refused) else known
            case "back":
                held = known.status.slots.get(name)
                epochs = frozenset({held.epoch}) if held is not None else frozenset[int]()
                known = breakers.given_back(returning.release(known, name, epochs), name)
            case _:
                known = breakers.failed(known, name, at(now)) if deed == "fail" else known
    known = settled(settled(known, after=now), after=now + 61)

    assert known.status.breakers == {}
    assert refused(Deed.DISRUPT, known) is None


def test_people_are_told_what_a_breaker_saw_what_it_stops_and_how_it_closes() -> None:
    half = breaker(BreakerState.HALF_OPEN, probing="n1")

    said = [
        openings.sentence(KEY, breaker(), None, BREAKING),
        openings.sentence(KEY, half, None, BREAKING),
        openings.sentence(KEY, breaker(well=30), None, BREAKING),
        openings.sentence(DOUBT, breaker(), Handling.HOLD, BREAKING),
    ]

    assert said[0] == (
        "The breaker unhealthy-pool/default is open since 12:00:00: too much. No new disruption "
        "begins there; cordons, recovery and releases go on. It closes by itself 1m after that is "
        "over; at 12:10:00 one node is tried."
    )
    assert said[1].endswith("n1 is tried now.")
    assert said[2].endswith("it closes at 12:01:30.")
    assert "nodemend's own mistake" in said[3]
    assert said[3].endswith("A person holds it open.")


def test_a_page_is_sent_once_for_each_opening_of_one_that_suspects_us() -> None:
    world, doubt = problems.breaker(KEY, breaker()), problems.breaker(DOUBT, breaker())
    again = problems.breaker(DOUBT, breaker(BreakerState.HALF_OPEN, since=900))

    assert (world.urgency, doubt.urgency) == (Urgency.WARNING, Urgency.PAGE)
    assert again.subject == doubt.subject
    assert doubt.labels == {
        "breaker": "after-change",
        "scope": "default/disk-full",
        "pool": "default",
    }
    assert problems.breaker("unhealthy-zone/a", breaker()).labels == {
        "breaker": "unhealthy-zone",
        "scope": "a",
    }
