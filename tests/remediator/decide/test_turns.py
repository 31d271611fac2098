"""Low priorities leave first, and pods with volumes one by one."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from nodehealth.kube.objects import AttachedVolume, Ephemeral, Node, Pod, Volume
from nodehealth.repair import Evicted
from remediator.decide import eviction, turns
from remediator.decide.eviction import Patience
from remediator.decide.turns import Turn
from remediator.rules.policy import DrainManners
from tests.builders import NOON, at, node, pod

MANNERS = DrainManners()
CRITICAL = 2_000_000_000


def with_volumes(count: int) -> Node:
    plain = node()
    attached = tuple(AttachedVolume(name=str(number)) for number in range(count))
    return structs.replace(plain, status=structs.replace(plain.status, volumes_attached=attached))


def take(
    *pods: Pod, on: Node | None = None, evictions: Iterable[Evicted] = (), after: float = 0
) -> Turn:
    now = at(after)
    found = eviction.sort(pods, MANNERS, Patience(), now)
    return turns.take(found, on or node(), evictions, MANNERS, now)


def names(pods: Iterable[Pod]) -> list[str]:
    return [each.metadata.name for each in pods]


def test_the_lowest_tier_leaves_first() -> None:
    low, plain = pod("low", priority=-1), pod("plain")
    high, critical = pod("high", priority=999_999_999), pod("critical", priority=CRITICAL)

    assert names(take(critical, high, plain, low).together) == ["low"]
    assert names(take(critical, high, plain).together) == ["high", "plain"]
    assert names(take(critical, high, plain).later) == ["critical"]
    assert names(take(critical).together) == ["critical"]


def test_who_is_still_on_the_way_holds_the_next_tier_until_overdue() -> None:
    going, critical = pod("going", deleted=True), pod("critical", priority=CRITICAL)

    assert names(take(going, critical, after=59).later) == ["critical"]
    assert names(take(going, critical, after=60).together) == ["critical"]


def test_who_may_not_leave_holds_the_next_tier() -> None:
    alone, critical = pod("alone", owner=""), pod("critical", priority=CRITICAL)

    assert take(alone, critical).together == ()


def test_on_a_node_whose_kubelet_is_given_up_there_is_no_order_to_keep() -> None:
    low, critical = pod("low", claims=("a",)), pod("critical", priority=CRITICAL)

    silent = take(low, critical, on=node(ready=False))

    assert (names(silent.together), silent.one_of) == (["critical", "low"], ())


def test_a_kubelet_that_fell_silent_a_moment_ago_changes_no_order() -> None:
    moment = structs.replace(node(ready=False).status.conditions[0], last_transition_time=NOON)
    plain = node(ready=False)
    silent = structs.replace(plain, status=structs.replace(plain.status, conditions=(moment,)))
    low, critical = pod("low"), pod("critical", priority=CRITICAL)

    assert names(take(low, critical, on=silent, after=119).together) == ["low"]
    assert names(take(low, critical, on=silent, after=120).together) == ["critical", "low"]


def test_on_a_node_without_pods_it_is_nobodys_turn() -> None:
    assert take() == Turn()


def test_pods_with_volumes_go_one_by_one_beside_the_others() -> None:
    turn = take(pod("a", claims=("a",)), pod("b", claims=("b",)), pod("c"))

    assert (names(turn.together), names(turn.one_of)) == (["c"], ["a", "b"])


def test_the_next_pod_with_volumes_waits_for_one_that_leaves_until_overdue() -> None:
    going, bound = pod("a", claims=("a",), deleted=True), pod("b", claims=("b",))

    assert names(take(going, bound, after=59).later) == ["b"]
    assert names(take(going, bound, after=60).one_of) == ["b"]


def test_a_pod_without_volumes_that_leaves_holds_nobody() -> None:
    going, bound = pod("a", deleted=True), pod("b", claims=("b",))

    assert names(take(going, bound).one_of) == ["b"]


def left(gone_by: float, claims: int = 1) -> Evicted:
    return Evicted(namespace="jobs", name="a", uid="a", at=NOON, gone_by=at(gone_by), claims=claims)


def test_the_volumes_of_the_one_before_come_off_first_or_two_minutes_pass() -> None:
    bound = pod("b", claims=("b",))

    def asked(attached: int, after: float, *before: Evicted) -> list[str]:
        return names(take(bound, on=with_volumes(attached), evictions=before, after=after).one_of)

    assert asked(2, 149, left(30)) == []
    assert asked(1, 31, left(30)) == ["b"]
    assert asked(2, 150, left(30)) == ["b"]
    assert asked(2, 31) == ["b"]
    assert asked(2, 31, left(30, claims=0)) == ["b"]


def test_volumes_of_pods_that_stay_are_not_waited_for() -> None:
    bound = pod("b", claims=("b",))
    daemon = pod("d", owner="DaemonSet", claims=("d",))
    finished = pod("f", phase="Succeeded", claims=("f",))
    two = with_volumes(2)

    beside_a_daemon = take(bound, daemon, on=two, evictions=[left(30)], after=31)
    beside_a_finished_one = take(bound, finished, on=two, evictions=[left(30)], after=31)

    assert names(beside_a_daemon.one_of) == ["b"]
    assert names(beside_a_finished_one.later) == ["b"]


def test_volumes_made_for_one_pod_count() -> None:
    plain = pod("p")
    spec = structs.replace(
        plain.spec, volumes=(Volume(name="scratch", ephemeral=Ephemeral()), Volume(name="tmp"))
    )

    assert turns.claims(structs.replace(plain, spec=spec)) == {("jobs", "p-scratch")}


@given(
    st.lists(
        st.tuples(st.integers(-5, 5), st.booleans(), st.booleans(), st.sampled_from(["", "a"])),
        max_size=8,
    ),
    st.lists(st.integers(-5, 5), max_size=3, unique=True).map(sorted),
)
def test_nobody_is_asked_before_those_of_lower_tiers_are_gone(
    drawn: list[tuple[int, bool, bool, str]], tiers: list[int]
) -> None:
    pods = [
        pod(
            str(number),
            priority=priority,
            deleted=leaves,
            owner="ReplicaSet" if owned else "",
            claims=(claim,) if claim else (),
        )
        for number, (priority, leaves, owned, claim) in enumerate(drawn)
    ]
    manners = DrainManners(tiers=tuple(tiers))
    found = eviction.sort(pods, manners, Patience(), NOON)

    turn = turns.take(found, node(), (), manners, NOON)

    asked = (*turn.together, *turn.one_of)
    first = min((turns.tier(each.pod, tiers) for each in found.left()), default=0)
    assert all(turns.tier(each, tiers) == first for each in asked)
    assert sorted(names((*asked, *turn.later))) == sorted(names(v.pod for v in found.evict))


@given(
    st.lists(
        st.tuples(
            st.sampled_from([-1, 0, CRITICAL]), st.sampled_from(["", "a", "b"]), st.integers(1, 90)
        ),
        max_size=6,
    )
)
def test_a_drain_ends_asks_nobody_twice_and_lets_one_pod_with_volumes_go_at_a_time(
    drawn: list[tuple[int, str, int]],
) -> None:
    there = {
        str(number): pod(str(number), priority=priority, claims=(claim,) if claim else ())
        for number, (priority, claim, _) in enumerate(drawn)
    }
    lasting = {str(number): seconds for number, (_, _, seconds) in enumerate(drawn)}
    asked, gone_at = list[str](), dict[str, float]()
    for now in range(0, 2000, 5):
        there = {name: each for name, each in there.items() if gone_at.get(name, now + 1) > now}
        found = eviction.sort(there.values(), MANNERS, Patience(), at(now))
        turn = turns.take(found, node(), (), MANNERS, at(now))
        for each in (*turn.together, *turn.one_of[:1]):
            name, seconds = each.metadata.name, lasting[each.metadata.name]
            asked.append(name)
            gone_at[name] = now + seconds
            ends = structs.replace(each.metadata, deletion_timestamp=at(now + seconds))
            there[name] = structs.replace(each, metadata=ends)
        bound = [each for each in there.values() if each.metadata.deletion_timestamp]
        assert sum(bool(turns.claims(each)) for each in bound) <= 1

    assert not there
    assert sorted(asked) == sorted(lasting)
