"""Creating, changing and deleting objects by the rules that every kind shares."""

from collections.abc import Callable

import pytest

from simulator.api.direct import Direct
from simulator.api.status import StatusError
from simulator.api.wire import JsonObject

NODE: JsonObject = {"metadata": {"name": "n1", "labels": {"pool": "h100"}}}


def test_a_created_object_has_an_identity(direct: Direct) -> None:
    made = direct.create("nodes", NODE)

    metadata = made["metadata"]
    assert (made["apiVersion"], made["kind"]) == ("v1", "Node")
    assert metadata["uid"]
    assert metadata["creationTimestamp"] == "2026-01-01T12:00:00Z"
    assert int(metadata["resourceVersion"]) > 1


def test_a_name_is_taken_once(direct: Direct) -> None:
    direct.create("nodes", NODE)

    with pytest.raises(StatusError, match='nodes "n1" already exists') as refused:
        direct.create("nodes", NODE)

    assert (refused.value.code, refused.value.reason) == (409, "AlreadyExists")


def test_a_write_that_changes_nothing_makes_no_version(direct: Direct) -> None:
    before = direct.create("nodes", NODE)

    after = direct.merge("nodes", "n1", {"metadata": {"labels": {"pool": "h100"}}})

    assert after == before


def test_a_stale_write_is_a_conflict(direct: Direct) -> None:
    before = direct.create("nodes", NODE)
    direct.merge("nodes", "n1", {"spec": {"unschedulable": True}})

    with pytest.raises(StatusError, match="the object has been modified") as refused:
        direct.replace("nodes", before)

    assert refused.value.code == 409


def test_a_stale_version_in_a_patch_is_a_conflict(direct: Direct) -> None:
    version = direct.create("nodes", NODE)["metadata"]["resourceVersion"]
    direct.merge("nodes", "n1", {"spec": {"unschedulable": True}})

    with pytest.raises(StatusError) as refused:
        direct.merge("nodes", "n1", {"metadata": {"resourceVersion": version}})

    assert refused.value.code == 409


def test_a_failed_test_of_a_json_patch_is_422_without_causes(direct: Direct) -> None:
    direct.create("nodes", NODE)

    with pytest.raises(StatusError) as refused:
        direct.json_patch(
            "nodes", "n1", [{"op": "test", "path": "/metadata/labels/pool", "value": "a100"}]
        )

    assert refused.value.wire() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "the server rejected our request due to an error in our request",
        "reason": "Invalid",
        "details": {},
        "code": 422,
    }


def test_status_and_spec_are_written_apart(direct: Direct) -> None:
    direct.create("nodes", NODE)
    both: JsonObject = {
        "spec": {"unschedulable": True},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }

    through_main = direct.merge("nodes", "n1", both)
    assert through_main["spec"] == {"unschedulable": True}
    assert "status" not in through_main

    through_status = direct.merge(
        "nodes", "n1", {**both, "spec": {"unschedulable": None}}, subresource="status"
    )
    assert through_status["spec"] == {"unschedulable": True}
    assert through_status["status"] == both["status"]


def test_strategic_patches_merge_conditions_by_type_and_replace_taints(direct: Direct) -> None:
    direct.create("nodes", NODE)
    for kind in ("Ready", "DiskPressure"):
        condition = {"type": kind, "status": "True"}
        direct.strategic(
            "nodes", "n1", {"status": {"conditions": [condition]}}, subresource="status"
        )
    for key in ("a", "b"):
        taint = {"key": key, "effect": "NoSchedule"}
        direct.strategic("nodes", "n1", {"spec": {"taints": [taint]}})

    node = direct.get("nodes", "n1")

    assert [one["type"] for one in node["status"]["conditions"]] == ["Ready", "DiskPressure"]
    assert [one["key"] for one in node["spec"]["taints"]] == ["b"]


def test_a_dry_run_keeps_nothing(direct: Direct) -> None:
    path = direct.path("nodes")

    shown = direct.ask("POST", path, NODE, query={"dryRun": "All"})

    assert shown["metadata"]["name"] == "n1"
    assert direct.find("nodes", "n1") is None


def test_finalizers_hold_an_object_until_they_are_gone(direct: Direct) -> None:
    direct.create(
        "configmaps", {"metadata": {"name": "a", "finalizers": ["x/y"]}}, namespace="default"
    )

    held = direct.delete("configmaps", "a", namespace="default")
    assert held["metadata"]["deletionTimestamp"] == "2026-01-01T12:00:00Z"

    direct.merge("configmaps", "a", {"metadata": {"finalizers": None}}, namespace="default")
    assert direct.find("configmaps", "a", namespace="default") is None


def test_another_uid_is_not_deleted(direct: Direct) -> None:
    direct.create("nodes", NODE)

    with pytest.raises(StatusError, match="does not match the UID in record") as refused:
        direct.delete("nodes", "n1", options={"preconditions": {"uid": "other"}})

    assert refused.value.code == 409
    assert direct.find("nodes", "n1") is not None


def test_a_bound_pod_has_its_grace_and_goes_with_grace_0(
    direct: Direct, pod: Callable[..., JsonObject]
) -> None:
    pod("a")

    leaving = direct.delete("pods", "a", namespace="default")
    assert leaving["metadata"]["deletionGracePeriodSeconds"] == 30
    assert leaving["metadata"]["deletionTimestamp"] == "2026-01-01T12:00:30Z"

    direct.delete("pods", "a", namespace="default", options={"gracePeriodSeconds": 0})
    assert direct.find("pods", "a", namespace="default") is None


@pytest.mark.parametrize(("node", "phase"), [("", "Pending"), ("n1", "Succeeded")])
def test_a_pod_that_runs_nowhere_goes_at_once(
    direct: Direct, pod: Callable[..., JsonObject], node: str, phase: str
) -> None:
    pod("a", node=node, phase=phase)

    direct.delete("pods", "a", namespace="default")

    assert direct.find("pods", "a", namespace="default") is None


def test_each_manager_owns_what_it_wrote(direct: Direct) -> None:
    direct.create("nodes", NODE)
    direct.ask(
        "PATCH",
        direct.path("nodes", "", "n1"),
        {"spec": {"unschedulable": True}},
        query={"fieldManager": "other"},
        media="application/merge-patch+json",
    )

    entries = direct.get("nodes", "n1")["metadata"]["managedFields"]

    assert {entry["manager"]: entry["fieldsV1"] for entry in entries} == {
        "tester": {"f:metadata": {"f:labels": {"f:pool": {}}}},
        "other": {"f:spec": {"f:unschedulable": {}}},
    }


def test_pods_get_what_admission_fills_in(direct: Direct, pod: Callable[..., JsonObject]) -> None:
    pod("a")

    spec = direct.get("pods", "a", namespace="default")["spec"]

    assert spec["terminationGracePeriodSeconds"] == 30
    assert spec["priority"] == 0
    assert [one["key"] for one in spec["tolerations"]] == [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ]


def test_a_pod_is_bound_once(direct: Direct, pod: Callable[..., JsonObject]) -> None:
    pod("a", node="")
    path = direct.path("pods", "default", "a", "binding")
    body = {"metadata": {"name": "a"}, "target": {"kind": "Node", "name": "n2"}}

    direct.ask("POST", path, body)

    bound = direct.get("pods", "a", namespace="default")
    assert bound["spec"]["nodeName"] == "n2"
    assert "PodScheduled" in [one["type"] for one in bound["status"]["conditions"]]
    with pytest.raises(StatusError, match="already assigned") as refused:
        direct.ask("POST", path, body)
    assert refused.value.code == 409


def test_only_the_pod_that_is_meant_is_bound_and_none_that_goes(
    direct: Direct, pod: Callable[..., JsonObject]
) -> None:
    pod("a", node="")
    path = direct.path("pods", "default", "a", "binding")
    target = {"kind": "Node", "name": "n2"}
    body = {"metadata": {"name": "a", "uid": "another"}, "target": target}

    with pytest.raises(StatusError, match="Precondition failed: UID") as another:
        direct.ask("POST", path, body)
    direct.merge("pods", "a", {"metadata": {"finalizers": ["x/y"]}}, namespace="default")
    direct.delete("pods", "a", namespace="default")
    with pytest.raises(StatusError, match="is being deleted") as going:
        direct.ask("POST", path, {"metadata": {"name": "a"}, "target": target})

    assert (another.value.code, going.value.code) == (409, 409)


def test_a_pods_spec_hardly_changes(direct: Direct, pod: Callable[..., JsonObject]) -> None:
    pod("a")

    with pytest.raises(StatusError, match="pod updates may not change fields") as refused:
        direct.merge("pods", "a", {"spec": {"nodeName": "n2"}}, namespace="default")

    assert refused.value.code == 422


def test_a_lease_with_three_fractional_digits_is_unreadable(direct: Direct) -> None:
    lease: JsonObject = {
        "metadata": {"name": "l"},
        "spec": {"renewTime": "2026-01-01T12:00:00.123Z"},
    }

    with pytest.raises(StatusError, match="parsing time") as refused:
        direct.create("leases.coordination.k8s.io", lease, namespace="default")

    assert refused.value.code == 400


def test_an_invalid_object_is_refused_with_causes(direct: Direct) -> None:
    taint = {"key": "a", "effect": "Sometimes"}

    with pytest.raises(StatusError) as refused:
        direct.create("nodes", {"metadata": {"name": "n1"}, "spec": {"taints": [taint]}})

    assert refused.value.code == 422
    assert refused.value.details == {
        "name": "n1",
        "kind": "Node",
        "causes": [
            {
                "reason": "FieldValueNotSupported",
                "message": 'Unsupported value: "Sometimes": supported values: "NoSchedule", '
                '"PreferNoSchedule", "NoExecute"',
                "field": "spec.taints[0].effect",
            }
        ],
    }
