"""The arithmetic of disruption budgets."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.api import disruptions
from simulator.api.controllers.plane import ControlPlane
from simulator.api.direct import Direct
from simulator.api.server import ApiServer
from simulator.api.wire import JsonObject

BUDGETS = "poddisruptionbudgets.policy"


def owned(direct: Direct, pods: int, *, replicas: int, ready: int) -> None:
    """Make a ReplicaSet of a size and some of its pods, some of them ready."""
    made = direct.create(
        "replicasets.apps",
        {"metadata": {"name": "r"}, "spec": {"replicas": replicas}},
        namespace="default",
    )
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "controller": True}
    owner["uid"] = made["metadata"]["uid"]
    for number in range(pods):
        metadata: JsonObject = {"name": f"p{number}", "labels": {"app": "a"}}
        metadata["ownerReferences"] = [owner]
        spec = {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}
        direct.create("pods", {"metadata": metadata, "spec": spec}, namespace="default")
        state = {"type": "Ready", "status": str(number < ready)}
        status = {"status": {"phase": "Running", "conditions": [state]}}
        direct.merge("pods", f"p{number}", status, namespace="default", subresource="status")


@pytest.mark.parametrize(
    ("limit", "desired", "allowed"),
    [
        ({"maxUnavailable": 2}, 5, 1),
        ({"maxUnavailable": "30%"}, 4, 2),
        ({"minAvailable": "30%"}, 3, 3),
        ({"minAvailable": "100%"}, 7, 0),
        ({"minAvailable": 4}, 4, 2),
    ],
)
def test_a_budget_counts_by_its_controllers_and_rounds_up(
    api: ApiServer, direct: Direct, limit: JsonObject, desired: int, allowed: int
) -> None:
    owned(direct, 6, replicas=7, ready=6)
    spec = {"selector": {"matchLabels": {"app": "a"}}, **limit}
    direct.create(BUDGETS, {"metadata": {"name": "b"}, "spec": spec}, namespace="default")
    ControlPlane(api).settle()

    status = direct.get(BUDGETS, "b", namespace="default")["status"]

    assert (status["desiredHealthy"], status["disruptionsAllowed"]) == (desired, allowed)
    assert status["currentHealthy"] == 6
    assert status["observedGeneration"] == 1


def test_a_budget_whose_pods_cannot_be_counted_allows_nothing_and_says_why(
    api: ApiServer, direct: Direct
) -> None:
    made = direct.create("daemonsets.apps", {"metadata": {"name": "d"}}, namespace="default")
    owner = {"kind": "DaemonSet", "name": "d", "uid": made["metadata"]["uid"], "controller": True}
    metadata = {"name": "p", "labels": {"app": "a"}, "ownerReferences": [owner]}
    spec = {"containers": [{"name": "c", "image": "i"}]}
    direct.create("pods", {"metadata": metadata, "spec": spec}, namespace="default")
    limit = {"selector": {"matchLabels": {"app": "a"}}, "maxUnavailable": 1}
    direct.create(BUDGETS, {"metadata": {"name": "b"}, "spec": limit}, namespace="default")
    ControlPlane(api).settle()

    status = direct.get(BUDGETS, "b", namespace="default")["status"]

    assert status["disruptionsAllowed"] == 0
    assert status["conditions"][0]["reason"] == "SyncFailed"
    assert "does not implement the scale subresource" in status["conditions"][0]["message"]


@pytest.mark.parametrize(
    ("selector", "evicts"), [({"selector": {}}, 429), ({}, 201)], ids=["empty", "absent"]
)
def test_an_empty_selector_takes_every_pod_and_an_absent_one_none(
    api: ApiServer,
    direct: Direct,
    pod: Callable[..., JsonObject],
    selector: JsonObject,
    evicts: int,
) -> None:
    pod("p")
    spec = {"minAvailable": 1, **selector}
    direct.create(BUDGETS, {"metadata": {"name": "b"}, "spec": spec}, namespace="default")
    ControlPlane(api).settle()
    body = {"metadata": {"name": "p"}}

    answer = direct.try_ask("POST", "/api/v1/namespaces/default/pods/p/eviction", body)

    assert answer["code"] == evicts


@given(percent=st.integers(0, 100), total=st.integers(0, 10_000))
def test_a_percentage_is_rounded_up_and_never_exceeds_the_whole(percent: int, total: int) -> None:
    count = disruptions.scaled(f"{percent}%", total)

    assert 0 <= count <= total
    assert count * 100 >= percent * total
    assert (count - 1) * 100 < percent * total or count == 0
