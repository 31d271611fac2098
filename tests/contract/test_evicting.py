"""An eviction is a deletion that asks the disruption budgets first."""

import asyncio
from typing import Final

import pytest

from nodehealth.kube import errors
from nodehealth.kube.objects import PODS, Condition, Node, Pod
from tests.contract.cluster import Cluster
from tests.contract.emulation import Emulated
from tests.contract.kinds import BUDGETS, CONFIG_MAPS, NAMESPACES, Budget, Json

NOBODY: Final = "00000000-0000-4000-8000-000000000000"
APP: Final = {"app": "a"}


async def evict(cluster: Cluster, pod: Pod, *, uid: str = "", dry_run: bool = False) -> None:
    """Evict a pod, if it is still this one."""
    meta = pod.metadata
    await cluster.client.evict(
        meta.name, namespace=meta.namespace, uid=uid or meta.uid, dry_run=dry_run
    )


async def read(cluster: Cluster, pod: Pod) -> Pod:
    """Read a pod."""
    return await cluster.client.get(PODS, pod.metadata.name, namespace=cluster.namespace)


async def is_leaving(cluster: Cluster, pod: Pod) -> bool:
    """Tell whether a pod is being deleted, or is gone."""
    try:
        return (await read(cluster, pod)).metadata.deletion_timestamp is not None
    except errors.GoneError:
        return True


async def allowed(cluster: Cluster, budget: Budget) -> int:
    """Return how many disruptions a budget allows now."""
    found = await cluster.client.get(BUDGETS, budget.metadata.name, namespace=cluster.namespace)
    return found.status.disruptions_allowed


def disruption(pod: Pod) -> Condition | None:
    """Return the condition that says why a pod has to go."""
    return next((each for each in pod.status.conditions if each.type == "DisruptionTarget"), None)


@pytest.fixture
async def node(cluster: Cluster) -> Node:
    """A node for the pods."""
    return await cluster.node()


async def test_a_pod_without_a_budget_is_evicted(cluster: Cluster, node: Node) -> None:
    """API-initiated eviction, "How API-initiated eviction works"."""
    pod = await cluster.pod("p", node)

    await evict(cluster, pod)

    leaving = await read(cluster, pod)
    assert leaving.metadata.deletion_timestamp is not None
    assert leaving.metadata.deletion_grace_period_seconds == 30


async def test_an_evicted_pod_says_why_it_goes(cluster: Cluster, node: Node) -> None:
    """Pod disruption conditions: DisruptionTarget, EvictionByEvictionAPI."""
    pod = await cluster.pod("p", node)

    await evict(cluster, pod)

    found = disruption(await read(cluster, pod))
    assert found is not None
    assert (found.status, found.reason) == ("True", "EvictionByEvictionAPI")


async def test_an_eviction_twice_is_as_good_as_once(cluster: Cluster, node: Node) -> None:
    """eviction.go canIgnorePDB: a pod that is leaving is let go, whatever its budget says."""
    pod = await cluster.pod("p", node, labels=APP)
    await cluster.pod("other", node, labels=APP)
    await cluster.budget("b", "a", minAvailable=1, allowed=1)
    await evict(cluster, pod)

    await evict(cluster, pod)

    assert await is_leaving(cluster, pod)


async def test_a_budget_that_is_spent_blocks(cluster: Cluster, node: Node) -> None:
    """eviction.go checkAndDecrement: 429, the cause DisruptionBudget, and no Retry-After."""
    pod = await cluster.pod("p", node, labels=APP)
    budget = await cluster.budget("b", "a", minAvailable=1, allowed=0)

    with pytest.raises(errors.BlockedError) as blocked:
        await evict(cluster, pod)

    assert budget.metadata.name in blocked.value.budget
    assert "needs 1 healthy pods and has 1 currently" in blocked.value.budget
    assert blocked.value.retry_after is None
    left_alone = await read(cluster, pod)
    assert left_alone.metadata.deletion_timestamp is None
    assert disruption(left_alone) is None


async def test_an_eviction_is_taken_from_the_budget_at_once(cluster: Cluster, node: Node) -> None:
    """eviction.go checkAndDecrement: before the disruption controller counts anew."""
    pods = [await cluster.pod(f"p{number}", node, labels=APP) for number in range(4)]
    await cluster.budget("b", "a", minAvailable=3, allowed=1)

    tries = (evict(cluster, pod) for pod in pods)
    outcomes = await asyncio.gather(*tries, return_exceptions=True)

    assert outcomes.count(None) == 1
    assert sum(isinstance(each, errors.BlockedError) for each in outcomes) == 3
    assert [await is_leaving(cluster, pod) for pod in pods].count(True) == 1


async def test_a_budget_is_freed_by_a_pod_that_becomes_ready(cluster: Cluster, node: Node) -> None:
    """The disruption controller counts ready pods."""
    pod = await cluster.pod("p", node, labels=APP)
    late = await cluster.pod("late", node, labels=APP, ready=False)
    budget = await cluster.budget("b", "a", minAvailable=1, allowed=0)

    await cluster.report(late)
    await cluster.allows(budget, 1)
    await evict(cluster, pod)

    assert await is_leaving(cluster, pod)


async def test_a_budget_shows_how_it_counts(cluster: Cluster, node: Node) -> None:
    """API reference, PodDisruptionBudgetStatus."""
    for number in range(3):
        await cluster.pod(f"p{number}", node, labels=APP)

    budget = await cluster.budget("b", "a", minAvailable=2, allowed=1)
    status = budget.status

    assert (status.expected_pods, status.current_healthy, status.desired_healthy) == (3, 3, 2)


async def test_two_budgets_for_a_pod_are_a_mistake_of_their_owner(
    cluster: Cluster, node: Node
) -> None:
    """API-initiated eviction: 500, and no retry helps."""
    pod = await cluster.pod("p", node, labels=APP)
    await cluster.budget("b1", "a", minAvailable=0, allowed=1)
    await cluster.budget("b2", "a", minAvailable=0, allowed=1)

    with pytest.raises(errors.BudgetConflictError):
        await evict(cluster, pod)

    assert not await is_leaving(cluster, pod)


async def test_a_pod_that_is_gone_is_told_so(cluster: Cluster, node: Node) -> None:
    """eviction.go: 404."""
    pod = await cluster.pod("p", node)
    await cluster.client.delete(
        PODS, pod.metadata.name, namespace=cluster.namespace, grace_seconds=0
    )

    with pytest.raises(errors.GoneError):
        await evict(cluster, pod)


async def test_another_pod_of_the_same_name_is_left_alone(cluster: Cluster, node: Node) -> None:
    """eviction.go addConditionAndDeletePod: a UID that differs is a 409."""
    pod = await cluster.pod("p", node)

    with pytest.raises(errors.ConflictError):
        await evict(cluster, pod, uid=NOBODY)

    assert not await is_leaving(cluster, pod)
    assert disruption(await read(cluster, pod)) is None


async def test_a_rehearsal_says_what_would_happen_and_changes_nothing(
    cluster: Cluster, node: Node
) -> None:
    """API concepts, "Dry-run": the budget is asked and not spent."""
    pod = await cluster.pod("p", node, labels=APP)
    await cluster.pod("other", node, labels=APP)
    budget = await cluster.budget("b", "a", minAvailable=1, allowed=1)

    await evict(cluster, pod, dry_run=True)
    await evict(cluster, pod, dry_run=True)

    assert await allowed(cluster, budget) == 1
    assert not await is_leaving(cluster, pod)
    assert disruption(await read(cluster, pod)) is None


async def test_a_rehearsal_is_blocked_as_the_deed_would_be(cluster: Cluster, node: Node) -> None:
    """eviction.go checkAndDecrement: a dry run stops only before it writes."""
    pod = await cluster.pod("p", node, labels=APP)
    await cluster.budget("b", "a", minAvailable=1, allowed=0)

    with pytest.raises(errors.BlockedError):
        await evict(cluster, pod, dry_run=True)


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Pending"])
async def test_a_pod_that_serves_nobody_asks_no_budget(
    cluster: Cluster, node: Node, phase: str
) -> None:
    """eviction.go canIgnorePDB."""
    await cluster.pod("serving", node, labels=APP)
    pod = await cluster.pod("p", node, labels=APP, phase=phase, ready=False)
    await cluster.budget("b", "a", minAvailable=1, allowed=0)

    await evict(cluster, pod)

    assert await is_leaving(cluster, pod)


async def test_a_sick_pod_goes_if_enough_others_are_well(cluster: Cluster, node: Node) -> None:
    """Unhealthy Pod Eviction Policy, IfHealthyBudget: which is the default."""
    await cluster.pod("well", node, labels=APP)
    pod = await cluster.pod("sick", node, labels=APP, ready=False)
    await cluster.budget("b", "a", minAvailable=1, allowed=0)

    await evict(cluster, pod)

    assert await is_leaving(cluster, pod)


async def test_a_sick_pod_stays_if_too_few_are_well(cluster: Cluster, node: Node) -> None:
    """Unhealthy Pod Eviction Policy, IfHealthyBudget: a broken app blocks drains for ever."""
    pod = await cluster.pod("sick", node, labels=APP, ready=False)
    await cluster.budget("b", "a", minAvailable=1, allowed=0)

    with pytest.raises(errors.BlockedError):
        await evict(cluster, pod)


async def test_a_budget_may_always_let_sick_pods_go(cluster: Cluster, node: Node) -> None:
    """Unhealthy Pod Eviction Policy, AlwaysAllow."""
    pod = await cluster.pod("sick", node, labels=APP, ready=False)
    always: Json = {"unhealthyPodEvictionPolicy": "AlwaysAllow"}
    await cluster.budget("b", "a", minAvailable=1, allowed=0, **always)

    await evict(cluster, pod)

    assert await is_leaving(cluster, pod)


async def test_nothing_is_evicted_from_a_namespace_that_goes(cluster: Cluster) -> None:
    """NamespaceLifecycle admission: an eviction is created, so it is a 403."""
    space = cluster.named("going")
    await cluster.create(NAMESPACES, space)
    held = {"metadata": {"finalizers": ["nodemend.dev/held"]}}
    await cluster.create(CONFIG_MAPS, cluster.named("held"), held, namespace=space)
    await cluster.client.delete(NAMESPACES, space)

    async def refused() -> bool:
        try:
            await cluster.client.evict("p", namespace=space, uid=NOBODY)
        except errors.NamespaceTerminatingError:
            return True
        except errors.GoneError:
            return False
        return False

    assert await cluster.until(refused)


async def test_a_budget_that_is_not_counted_yet_says_when_to_come_back(emulator: Emulated) -> None:
    """eviction.go: observedGeneration behind, Retry-After 10. A real controller cannot be held."""
    cluster = emulator.cluster
    pod = await cluster.pod("p", await cluster.node(), labels=APP)
    selector = {"selector": {"matchLabels": APP}}

    with emulator.plane.paused("disruption"):
        await cluster.create(BUDGETS, cluster.named("b"), {"spec": {**selector, "minAvailable": 0}})
        with pytest.raises(errors.BlockedError) as blocked:
            await evict(cluster, pod)

    assert blocked.value.retry_after is not None
    assert blocked.value.retry_after.total_seconds() == 10
