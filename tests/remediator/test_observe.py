"""The cache counts who is out of each scope, whatever order the news comes in."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from nodehealth.kube.objects import ManagedFields
from nodehealth.repair import NodeRepair, NodeRepairStatus, Phase
from remediator.observe import Fleet
from remediator.rules.policy import CLUSTER, DEFAULT_POOL, POOL_LIMIT, Policy, Pool
from tests.builders import NOON, at, health, level, node, repair

POLICY = Policy(pools=(Pool(name="h100", labels={"gpu": "h100"}, limit=POOL_LIMIT),))


def members(fleet: Fleet, scope: str) -> set[str]:
    return set(fleet.scopes()[scope].members)


def out(fleet: Fleet, scope: str = CLUSTER) -> set[str]:
    return set(fleet.scopes()[scope].out)


def test_a_node_counts_in_its_pool_and_in_the_cluster() -> None:
    fleet = Fleet(POLICY)

    fleet.see_node("n1", node("n1", labels={"gpu": "h100"}, ready=False))
    fleet.see_node("n2", node("n2", unschedulable=True))
    fleet.see_node("n3", node("n3"))

    assert members(fleet, "h100") == {"n1"}
    assert members(fleet, DEFAULT_POOL) == {"n2", "n3"}
    assert out(fleet) == {"n1", "n2"}
    assert out(fleet, "h100") == {"n1"}


def test_a_node_that_is_gone_counts_nowhere() -> None:
    fleet = Fleet(POLICY)
    fleet.see_node("n1", node("n1", ready=False))

    fleet.see_node("n1", None)

    assert members(fleet, CLUSTER) == out(fleet) == set()
    assert fleet.facts("n1") is None


@dataclass(frozen=True)
class News:
    """What may be heard of a node."""

    name: str
    gpu: bool
    ready: bool
    gone: bool


NEWS = st.builds(
    News,
    name=st.sampled_from(["n1", "n2", "n3"]),
    gpu=st.booleans(),
    ready=st.booleans(),
    gone=st.booleans(),
)


@given(st.lists(NEWS, max_size=30))
def test_counting_as_it_comes_is_counting_anew(all_news: list[News]) -> None:
    fleet, last = Fleet(POLICY), dict[str, News]()
    for news in all_news:
        labels = {"gpu": "h100"} if news.gpu else {}
        seen = None if news.gone else node(news.name, labels=labels, ready=news.ready)
        fleet.see_node(news.name, seen)
        last[news.name] = news

    present = [news for news in last.values() if not news.gone]
    assert members(fleet, CLUSTER) == {news.name for news in present}
    assert out(fleet) == {news.name for news in present if not news.ready}
    gpus = fleet.scopes().get("h100")
    assert (set(gpus.members) if gpus else set()) == {news.name for news in present if news.gpu}


def test_health_is_as_old_as_its_last_write_by_the_servers_clock() -> None:
    fleet = Fleet(POLICY)
    fleet.see_node("n1", node())
    seen = health(level(0.5))
    times = (ManagedFields(manager="a", time=at(-90)), ManagedFields(manager="b", time=at(-30)))
    written = structs.replace(seen, metadata=structs.replace(seen.metadata, managed_fields=times))

    fleet.see_health("n1", written, NOON)

    facts = fleet.facts("n1")
    assert facts is not None
    assert facts.heard_at == at(-30)


def test_health_from_the_future_was_heard_now() -> None:
    fleet = Fleet(POLICY)
    fleet.see_node("n1", node())
    fleet.see_health("n1", health(), NOON)
    present = fleet.facts("n1")
    fleet.see_health("n1", None, NOON)
    absent = fleet.facts("n1")

    assert present is not None
    assert present.heard_at == NOON
    assert absent is not None
    assert absent.health is None


def moved(before: NodeRepair, phase: Phase) -> NodeRepair:
    return structs.replace(before, status=NodeRepairStatus(phase=phase))


def test_repairs_are_found_by_their_node_and_open_until_they_end() -> None:
    fleet, first = Fleet(POLICY), repair("n1")

    fleet.see_repair("r1", first)
    while_open = fleet.open_repairs()
    fleet.see_repair("r1", moved(first, Phase.RECOVERED))

    assert while_open == (first,)
    assert fleet.open_repairs() == ()
    assert [each.status.phase for each in fleet.repairs_of("n1")] == [Phase.RECOVERED]

    fleet.see_repair("r1", None)
    assert fleet.repairs_of("n1") == ()
    assert fleet.repairs_of("unheard-of") == ()
