"""The cache counts who is out of each scope, whatever order the news comes in."""

from dataclasses import dataclass, replace
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from nodehealth.keys import AGENT_MANAGER
from nodehealth.kube.objects import (
    BareCondition,
    BarePod,
    BarePodSpec,
    BarePodStatus,
    ManagedFields,
    Metadata,
)
from nodehealth.repair import NodeRepair, NodeRepairStatus, Phase
from remediator.decide.facts import Agent, Watches
from remediator.observe import Fleet
from remediator.rules.policy import CLUSTER, DEFAULT_POOL, POOL_LIMIT, Domain, Policy, Pool
from tests.builders import NOON, at, health, ledger, level, node, repair

POLICY = Policy(pools=(Pool(name="h100", labels={"gpu": "h100"}, limit=POOL_LIMIT),))
RACKED = replace(POLICY, domains=(Domain(label="rack", limit=POOL_LIMIT),))


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


def test_whoever_the_ledger_holds_for_a_repair_that_holds_nothing_is_looked_at() -> None:
    fleet = Fleet(POLICY)
    for name, phase in (("n1", Phase.CORDONED), ("n2", Phase.PARKED), ("n3", Phase.RECOVERED)):
        fleet.see_repair(f"{name}-repair", repair(name, phase=phase))

    assert fleet.see_ledger(ledger(epoch=3, cordons={"n1": 1, "n2": 2, "n3": 3})) == {"n2", "n3"}


def test_a_node_that_is_gone_counts_nowhere() -> None:
    fleet = Fleet(POLICY)
    fleet.see_node("n1", node("n1", ready=False))

    fleet.see_node("n1", None)

    assert members(fleet, CLUSTER) == out(fleet) == set()
    assert fleet.facts("n1") is None


def test_nodes_that_others_work_on_are_known_while_they_do() -> None:
    fleet = Fleet(POLICY)
    busy = node("n1", labels={"gpu": "h100"}, taints=("karpenter.sh/disrupted",))

    fleet.see_node("n1", busy)
    meanwhile = {name: dict(scope.foreign) for name, scope in fleet.scopes().items()}
    fleet.see_node("n1", node("n1", labels={"gpu": "h100"}))

    assert meanwhile == {CLUSTER: {"n1": "Karpenter"}, "h100": {"n1": "Karpenter"}}
    assert {name: dict(scope.foreign) for name, scope in fleet.scopes().items()} == {
        CLUSTER: {},
        "h100": {},
    }


def test_under_another_policy_nothing_is_left_of_who_worked_on_a_pool() -> None:
    fleet = Fleet(POLICY)
    fleet.see_node("n1", node("n1", labels={"gpu": "h100"}, taints=("karpenter.sh/disrupted",)))

    fleet.use(Policy())
    fleet.see_node("n1", node("n1", labels={"gpu": "h100"}))
    fleet.use(POLICY)

    assert [each.foreign for each in fleet.scopes().values()] == [{}, {}]


def test_domains_that_a_policy_no_longer_has_are_forgotten() -> None:
    fleet = Fleet(RACKED)
    fleet.see_node("n1", node("n1", labels={"rack": "r1"}))

    fleet.use(POLICY)

    assert set(fleet.scopes()) == {CLUSTER, DEFAULT_POOL}


@dataclass(frozen=True)
class News:
    """What may be heard of a node."""

    name: str
    gpu: bool
    ready: bool
    gone: bool
    rack: str


NEWS = st.builds(
    News,
    name=st.sampled_from(["n1", "n2", "n3"]),
    gpu=st.booleans(),
    ready=st.booleans(),
    gone=st.booleans(),
    rack=st.sampled_from(["", "r1", "r2"]),
)


@given(st.lists(NEWS, max_size=30))
def test_counting_as_it_comes_is_counting_anew(all_news: list[News]) -> None:
    fleet, last = Fleet(RACKED), dict[str, News]()
    for news in all_news:
        labels = {"rack": news.rack, **({"gpu": "h100"} if news.gpu else {})}
        seen = None if news.gone else node(news.name, labels=labels, ready=news.ready)
        fleet.see_node(news.name, seen)
        last[news.name] = news

    present = [news for news in last.values() if not news.gone]
    assert members(fleet, CLUSTER) == {news.name for news in present}
    assert out(fleet) == {news.name for news in present if not news.ready}
    gpus = fleet.scopes().get("h100")
    assert (set(gpus.members) if gpus else set()) == {news.name for news in present if news.gpu}
    racks = {f"rack={news.rack}" for news in present if news.rack}
    assert {each for each in fleet.scopes() if "=" in each} == racks
    assert all(out(fleet, each) <= members(fleet, each) for each in racks)
    assert {news.name: fleet.scopes().places(news.name)[1:] for news in present} == {
        news.name: ((f"rack={news.rack}",) if news.rack else ()) for news in present
    }


def heard(*written: ManagedFields, served: float | None) -> datetime | None:
    fleet, seen = Fleet(POLICY), health(level(0.5))
    stamped = structs.replace(seen.metadata, managed_fields=written)
    fleet.see_node("n1", node())
    fleet.see_health(
        "n1",
        structs.replace(seen, metadata=stamped),
        now=NOON,
        served=None if served is None else at(served),
    )
    facts = fleet.facts("n1")
    return facts.heard_at if facts is not None else None


def by_agent(seconds: float) -> ManagedFields:
    return ManagedFields(manager=AGENT_MANAGER, time=at(seconds))


def test_health_is_as_old_as_the_agents_last_write() -> None:
    assert heard(by_agent(-90), by_agent(-30), served=0) == at(-30)


def test_the_two_clocks_need_not_agree() -> None:
    assert heard(by_agent(3570), served=3600) == at(-30)
    assert heard(by_agent(-3630), served=-3600) == at(-30)


def test_somebody_elses_write_makes_no_evidence_fresh() -> None:
    annotated = ManagedFields(manager="kubectl-annotate", time=at(0))

    assert heard(by_agent(-90), annotated, served=0) == at(-90)


def test_what_bears_no_stamp_was_heard_now() -> None:
    assert heard(served=0) == NOON
    assert heard(by_agent(5), served=None) == NOON


def test_a_health_that_is_gone_is_forgotten() -> None:
    fleet = Fleet(POLICY)
    fleet.see_node("n1", node())
    fleet.see_health("n1", health(), now=NOON, served=None)

    fleet.see_health("n1", None, now=NOON, served=None)

    facts = fleet.facts("n1")
    assert facts is not None
    assert facts.health is None


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


def test_the_boots_that_repairs_of_a_node_ended_are_known_though_they_have_ended_too() -> None:
    fleet = Fleet(POLICY)
    for each in ("n1", "n2"):
        fleet.see_node(each, node(each))
        ended = NodeRepairStatus(phase=Phase.RECOVERED, boots_ended=(f"boot of {each}",))
        fleet.see_repair(f"{each}-repair", repair(each, status=ended))

    facts = fleet.facts("n1")

    assert facts is not None
    assert facts.ordered == {"boot of n1": "n1-repair"}


def test_nothing_is_known_of_a_node_once_it_and_its_repairs_are_gone() -> None:
    fleet = Fleet(POLICY)
    fleet.see_node("n1", node())
    fleet.see_repair("r1", repair("n1"))

    fleet.see_node("n1", None)
    repaired = fleet.is_known("n1")
    fleet.see_repair("r1", None)

    assert repaired
    assert not fleet.is_known("n1")


def agent_pod(
    name: str = "a1", *, on: str = "n1", ready: bool = True, made: float | None = -60
) -> BarePod:
    created = None if made is None else at(made)
    status = BarePodStatus(
        conditions=(BareCondition(type="Ready", status="True" if ready else "False"),)
    )
    return BarePod(
        metadata=Metadata(name=name, creation_timestamp=created),
        spec=BarePodSpec(node_name=on),
        status=status,
    )


def agent_of(fleet: Fleet) -> Agent | None:
    facts = fleet.facts("n1")
    return facts.agent if facts is not None else None


def with_pods(*pods: BarePod, served: float = 0) -> Fleet:
    fleet = Fleet(POLICY)
    fleet.see_node("n1", node())
    for each in pods:
        fleet.see_agent(None, each, now=NOON, served=at(served))
    return fleet


def test_the_newest_agents_pod_of_a_node_counts() -> None:
    fleet = with_pods(agent_pod(made=-60), agent_pod("a2", made=-10, ready=False))

    assert agent_of(fleet) == Agent(ready=False, since=at(-10))


def test_a_pod_is_as_old_as_the_api_server_says() -> None:
    assert agent_of(with_pods(agent_pod(made=3540), served=3600)) == Agent(
        ready=True, since=at(-60)
    )
    assert agent_of(with_pods(agent_pod(made=None))) == Agent(ready=True, since=NOON)


def test_a_pod_that_is_gone_or_nowhere_yet_is_no_agent() -> None:
    fleet, pod = with_pods(agent_pod("pending", on="")), agent_pod()
    fleet.see_agent(None, pod, now=NOON, served=None)

    about = fleet.see_agent(pod, None, now=NOON, served=None)

    assert about == "n1"
    assert agent_of(fleet) is None


def test_facts_tell_how_far_the_watches_are() -> None:
    watches = Watches(nodes=at(-3))
    fleet = Fleet(POLICY, lambda: watches)
    fleet.see_node("n1", node())

    facts = fleet.facts("n1")

    assert facts is not None
    assert facts.watches is watches


def test_a_host_has_a_twin_while_two_nodes_say_that_they_are_on_it() -> None:
    fleet = Fleet(POLICY)
    for name, host in (("n1", "a"), ("n2", "a"), ("n3", "b")):
        fleet.see_node(name, node(name, host=host))
    before = [fleet.has_twin(name) for name in ("n1", "n2", "n3", "n4")]

    fleet.see_node("n2", node("n2", host="c"))
    moved = fleet.has_twin("n1")
    fleet.see_node("n3", node("n3", host="c"))
    fleet.see_node("n2", None)

    assert before == [True, True, False, False]
    assert not moved
    assert not fleet.has_twin("n3")
