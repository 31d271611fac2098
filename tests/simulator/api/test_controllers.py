"""The controllers around the server: taints, namespaces, garbage."""

import asyncio
from collections.abc import Callable

import pytest

from simulator.api.audit import AuditEntry
from simulator.api.controllers.plane import ControlPlane
from simulator.api.direct import Direct
from simulator.api.server import ApiServer
from simulator.api.wire import JsonObject
from tests.simulator.api.fakes import until

UNSCHEDULABLE = "node.kubernetes.io/unschedulable"


@pytest.fixture
def plane(api: ApiServer) -> ControlPlane:
    """The controllers, which act when they are told to settle."""
    return ControlPlane(api)


def taints(direct: Direct) -> list[str]:
    """Return the keys of the node's taints."""
    return [one["key"] for one in direct.get("nodes", "n1")["spec"].get("taints", [])]


def test_a_cordoned_node_is_tainted_in_a_write_of_its_own(
    api: ApiServer, direct: Direct, plane: ControlPlane
) -> None:
    seen: list[AuditEntry] = []
    direct.create("nodes", {"metadata": {"name": "n1"}})
    direct.merge("nodes", "n1", {"spec": {"unschedulable": True}})
    assert taints(direct) == []
    api.on_request(seen.append)

    plane.settle()

    assert taints(direct) == [UNSCHEDULABLE]
    assert [(one.verb, one.manager) for one in seen if one.verb == "patch"] == [
        ("patch", "kube-controller-manager")
    ]
    direct.merge("nodes", "n1", {"spec": {"unschedulable": False}})
    plane.settle()
    assert taints(direct) == []


def test_taints_of_others_are_left_alone(direct: Direct, plane: ControlPlane) -> None:
    taint = {"key": "mine", "effect": "NoSchedule"}
    spec = {"unschedulable": True, "taints": [taint]}
    direct.create("nodes", {"metadata": {"name": "n1"}, "spec": spec})

    plane.settle()

    assert taints(direct) == ["mine", UNSCHEDULABLE]


def test_a_node_that_is_not_ready_repels_new_pods(direct: Direct, plane: ControlPlane) -> None:
    direct.create("nodes", {"metadata": {"name": "n1"}})
    silent: JsonObject = {"conditions": [{"type": "Ready", "status": "Unknown"}]}
    direct.merge("nodes", "n1", {"status": silent}, subresource="status")

    plane.settle()

    assert taints(direct) == ["node.kubernetes.io/unreachable"]


def test_a_new_namespace_gets_its_account(direct: Direct, plane: ControlPlane) -> None:
    direct.create("namespaces", {"metadata": {"name": "x"}})

    plane.settle()

    assert direct.find("serviceaccounts", "default", namespace="x") is not None


def test_a_namespace_goes_when_it_is_empty(direct: Direct, plane: ControlPlane) -> None:
    direct.create("namespaces", {"metadata": {"name": "x"}})
    held = {"metadata": {"name": "c", "finalizers": ["a/b"]}}
    direct.create("configmaps", held, namespace="x")
    direct.delete("namespaces", "x")
    plane.settle()
    assert direct.get("namespaces", "x")["status"]["phase"] == "Terminating"

    direct.merge("configmaps", "c", {"metadata": {"finalizers": None}}, namespace="x")
    plane.settle()

    assert direct.find("namespaces", "x") is None


def owner(direct: Direct, name: str = "o") -> JsonObject:
    """Make an owner and return the reference to it."""
    made = direct.create("configmaps", {"metadata": {"name": name}}, namespace="default")
    uid = made["metadata"]["uid"]
    return {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid}


def dependent(direct: Direct, *owners: JsonObject) -> None:
    """Make something that belongs to owners."""
    metadata = {"name": "d", "ownerReferences": list(owners)}
    direct.create("secrets", {"metadata": metadata}, namespace="default")


def is_there(direct: Direct) -> bool:
    """Tell whether what belongs to the owners is there."""
    return direct.find("secrets", "d", namespace="default") is not None


def test_what_belongs_to_nobody_goes(direct: Direct, plane: ControlPlane) -> None:
    dependent(direct, owner(direct), owner(direct, "p"))
    direct.delete("configmaps", "o", namespace="default")
    plane.settle()
    assert is_there(direct)

    direct.delete("configmaps", "p", namespace="default")
    plane.settle()

    assert not is_there(direct)


def test_orphans_stay(direct: Direct, plane: ControlPlane) -> None:
    dependent(direct, owner(direct))
    plane.settle()

    orphaned = {"propagationPolicy": "Orphan"}
    direct.delete("configmaps", "o", namespace="default", options=orphaned)
    plane.settle()

    assert direct.find("configmaps", "o", namespace="default") is None
    assert "ownerReferences" not in direct.get("secrets", "d", namespace="default")["metadata"]


def test_an_owner_in_the_foreground_waits_for_what_belongs_to_it(
    direct: Direct, plane: ControlPlane
) -> None:
    dependent(direct, owner(direct))
    plane.settle()

    foreground = {"propagationPolicy": "Foreground"}
    direct.delete("configmaps", "o", namespace="default", options=foreground)
    assert direct.find("configmaps", "o", namespace="default") is not None
    plane.settle()

    assert not is_there(direct)
    assert direct.find("configmaps", "o", namespace="default") is None


def test_a_paused_controller_catches_up(direct: Direct, plane: ControlPlane) -> None:
    with plane.paused("taints"):
        direct.create("nodes", {"metadata": {"name": "n1"}, "spec": {"unschedulable": True}})
        plane.settle()
        assert taints(direct) == []

    plane.settle()

    assert taints(direct) == [UNSCHEDULABLE]


async def test_a_running_plane_reacts_by_itself(direct: Direct, plane: ControlPlane) -> None:
    running = asyncio.create_task(plane.run())

    direct.create("nodes", {"metadata": {"name": "n1"}, "spec": {"unschedulable": True}})
    await until(lambda: bool(taints(direct)))
    running.cancel()

    assert taints(direct) == [UNSCHEDULABLE]


def test_hooks_see_every_change_in_order(
    api: ApiServer, direct: Direct, pod: Callable[..., JsonObject]
) -> None:
    versions: list[int] = []
    api.on_commit(lambda change: versions.append(change.version))

    pod("p")
    direct.evict("p", namespace="default")

    assert versions == sorted(versions)
    assert len(versions) == 4
