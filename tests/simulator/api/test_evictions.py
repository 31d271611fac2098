"""Every answer of the eviction subresource, row by row of what the real server does."""

from collections.abc import Callable

import pytest

from simulator.api.controllers.plane import ControlPlane
from simulator.api.direct import Direct
from simulator.api.server import ApiServer
from simulator.api.status import StatusError
from simulator.api.wire import JsonObject
from tests.simulator.api.fakes import Watchmaker

BUDGETS = "poddisruptionbudgets.policy"
MakePod = Callable[..., JsonObject]


@pytest.fixture
def plane(api: ApiServer) -> ControlPlane:
    """The controllers, which act when they are told to settle."""
    return ControlPlane(api)


def budget(direct: Direct, name: str = "b", **spec: object) -> None:
    """Make a budget for the pods of app=a."""
    selector = {"matchLabels": {"app": "a"}}
    body: JsonObject = {"metadata": {"name": name}, "spec": {"selector": selector, **spec}}
    direct.create(BUDGETS, body, namespace="default")


def evict(direct: Direct, name: str = "p1", **options: object) -> JsonObject:
    """Evict a pod of the default namespace."""
    return direct.evict(name, namespace="default", options=dict(options) or None)


def refused(direct: Direct, name: str = "p1", **options: object) -> StatusError:
    """Evict a pod and return why it is refused."""
    with pytest.raises(StatusError) as refusal:
        evict(direct, name, **options)
    return refusal.value


def status(direct: Direct) -> JsonObject:
    """Return the status of the budget."""
    found: JsonObject = direct.get(BUDGETS, "b", namespace="default")["status"]
    return found


def is_leaving(direct: Direct, name: str = "p1") -> bool:
    """Tell whether a pod is being deleted or is gone."""
    found = direct.find("pods", name, namespace="default")
    return found is None or "deletionTimestamp" in found["metadata"]


def test_the_name_in_the_body_must_be_the_one_in_the_path(direct: Direct, pod: MakePod) -> None:
    pod("p1")
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p2"}}

    with pytest.raises(StatusError, match="name in URL does not match") as refusal:
        direct.ask("POST", "/api/v1/namespaces/default/pods/p1/eviction", body)

    assert refusal.value.code == 400


def test_an_unknown_pod_is_404(direct: Direct) -> None:
    assert refused(direct).code == 404


def test_a_pod_without_a_budget_goes(direct: Direct, pod: MakePod) -> None:
    pod("p1")

    answer = evict(direct)

    assert (answer["status"], answer["code"]) == ("Success", 201)
    assert is_leaving(direct)


def test_the_old_version_of_the_body_is_taken(direct: Direct, pod: MakePod) -> None:
    pod("p1")
    body = {"apiVersion": "policy/v1beta1", "kind": "Eviction", "metadata": {"name": "p1"}}

    direct.ask("POST", "/api/v1/namespaces/default/pods/p1/eviction", body)

    assert is_leaving(direct)


def test_an_evicted_pod_says_what_happens_to_it(direct: Direct, pod: MakePod) -> None:
    pod("p1")

    evict(direct)

    conditions = direct.get("pods", "p1", namespace="default")["status"]["conditions"]
    found = {one["type"]: one for one in conditions}["DisruptionTarget"]
    assert (found["status"], found["reason"]) == ("True", "EvictionByEvictionAPI")


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Pending"])
def test_a_pod_that_does_not_run_goes_past_its_budget(
    direct: Direct, pod: MakePod, plane: ControlPlane, phase: str
) -> None:
    budget(direct, minAvailable=1)
    pod("p1", phase=phase, app="a")
    plane.settle()

    evict(direct)

    assert is_leaving(direct)


def test_a_pod_that_leaves_already_goes_past_its_budget(
    direct: Direct, pod: MakePod, plane: ControlPlane
) -> None:
    budget(direct, minAvailable=1)
    pod("p1", app="a")
    plane.settle()
    direct.delete("pods", "p1", namespace="default")

    assert evict(direct)["code"] == 201


def test_another_uid_is_a_conflict_and_nothing_happens(direct: Direct, pod: MakePod) -> None:
    pod("p1")

    assert refused(direct, preconditions={"uid": "other"}).code == 409
    assert not is_leaving(direct)


def test_two_budgets_are_500(direct: Direct, pod: MakePod, plane: ControlPlane) -> None:
    budget(direct, "b", minAvailable=0)
    budget(direct, "c", minAvailable=0)
    pod("p1", app="a")
    plane.settle()

    refusal = refused(direct)

    assert refusal.code == 500
    assert "more than one PodDisruptionBudget" in refusal.message


def test_a_budget_that_nobody_counted_yet_is_429_with_a_time_to_wait(
    direct: Direct, pod: MakePod
) -> None:
    budget(direct, minAvailable=0)
    pod("p1", app="a")

    refusal = refused(direct)

    assert (refusal.code, refusal.retry_after) == (429, 10)
    assert "still being processed" in str(refusal.details)


def test_the_controller_can_be_made_to_lag(
    direct: Direct, pod: MakePod, plane: ControlPlane
) -> None:
    budget(direct, minAvailable=0)
    pod("p1", app="a")
    plane.settle()

    with plane.paused("disruption"):
        direct.merge(BUDGETS, "b", {"spec": {"minAvailable": 1}}, namespace="default")
        plane.settle()
        assert refused(direct).retry_after == 10
    plane.settle()

    assert refused(direct).retry_after == 0


def test_a_spent_budget_is_429_without_a_time_to_wait(
    direct: Direct, pod: MakePod, plane: ControlPlane
) -> None:
    budget(direct, minAvailable=1)
    pod("p1", app="a")
    plane.settle()

    refusal = refused(direct)

    assert (refusal.code, refusal.retry_after) == (429, 0)
    assert refusal.details == {
        "causes": [
            {
                "reason": "DisruptionBudget",
                "message": "The disruption budget b needs 1 healthy pods and has 1 currently",
            }
        ]
    }
    assert not is_leaving(direct)


def test_a_negative_budget_is_403(direct: Direct, pod: MakePod, plane: ControlPlane) -> None:
    budget(direct, minAvailable=1)
    pod("p1", app="a")
    plane.settle()
    negative = {"status": {"disruptionsAllowed": -1}}
    direct.merge(BUDGETS, "b", negative, namespace="default", subresource="status")

    assert refused(direct).code == 403


def test_too_many_unconfirmed_evictions_are_403(
    direct: Direct, pod: MakePod, plane: ControlPlane
) -> None:
    budget(direct, minAvailable=0)
    pod("p1", app="a")
    plane.settle()
    crowd = {f"x{number}": "2026-01-01T12:00:00Z" for number in range(2001)}
    patch = {"status": {"disruptedPods": crowd}}
    direct.merge(BUDGETS, "b", patch, namespace="default", subresource="status")

    assert refused(direct).code == 403


@pytest.mark.parametrize(("policy", "goes"), [("IfHealthyBudget", False), ("AlwaysAllow", True)])
def test_an_unready_pod_of_a_hurt_budget_goes_by_its_policy(
    direct: Direct, pod: MakePod, plane: ControlPlane, policy: str, *, goes: bool
) -> None:
    budget(direct, minAvailable=1, unhealthyPodEvictionPolicy=policy)
    pod("p1", ready=False, app="a")
    plane.settle()

    if goes:
        evict(direct)
    else:
        assert refused(direct).code == 429

    assert is_leaving(direct) is goes


def test_an_unready_pod_of_a_healthy_budget_goes_and_costs_nothing(
    direct: Direct, pod: MakePod, plane: ControlPlane
) -> None:
    budget(direct, minAvailable=1)
    pod("p1", ready=False, app="a")
    pod("p2", app="a")
    plane.settle()

    evict(direct)

    assert is_leaving(direct)
    assert "disruptedPods" not in status(direct)


def test_an_eviction_takes_from_the_budget_before_the_pod_is_looked_at(
    direct: Direct, pod: MakePod, plane: ControlPlane
) -> None:
    budget(direct, minAvailable=1)
    pod("p1", app="a")
    pod("p2", app="a")
    plane.settle()

    assert refused(direct, preconditions={"uid": "other"}).code == 409
    assert status(direct)["disruptionsAllowed"] == 0
    assert refused(direct, "p2").code == 429


def test_an_eviction_that_came_to_nothing_is_given_back_after_two_minutes(
    direct: Direct, pod: MakePod, plane: ControlPlane, clock: Watchmaker
) -> None:
    budget(direct, minAvailable=1)
    pod("p1", app="a")
    pod("p2", app="a")
    plane.settle()
    refused(direct, preconditions={"uid": "other"})
    plane.settle()
    assert status(direct)["disruptionsAllowed"] == 0

    clock.wait(120)
    plane.settle()

    assert status(direct)["disruptionsAllowed"] == 1


def test_a_dry_run_checks_the_budget_and_changes_nothing(
    direct: Direct, pod: MakePod, plane: ControlPlane
) -> None:
    budget(direct, minAvailable=1)
    pod("p1", app="a")
    pod("p2", app="a")
    plane.settle()
    before = status(direct)

    assert evict(direct, dryRun=["All"])["code"] == 201
    assert not is_leaving(direct)
    assert status(direct) == before

    evict(direct, "p2")
    assert refused(direct, dryRun=["All"]).code == 429


def test_grace_is_what_the_eviction_says(direct: Direct, pod: MakePod) -> None:
    pod("p1")

    evict(direct, gracePeriodSeconds=5)

    leaving = direct.get("pods", "p1", namespace="default")["metadata"]
    assert leaving["deletionGracePeriodSeconds"] == 5


def test_a_namespace_that_goes_is_403_with_its_cause(direct: Direct) -> None:
    direct.create("namespaces", {"metadata": {"name": "x"}})
    spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]}
    direct.create("pods", {"metadata": {"name": "p1"}, "spec": spec}, namespace="x")
    direct.delete("namespaces", "x")

    with pytest.raises(StatusError) as refusal:
        direct.evict("p1", namespace="x")

    assert refusal.value.code == 403
    causes = (refusal.value.details or {})["causes"]
    assert causes[0]["reason"] == "NamespaceTerminating"
