"""What a person does: cordon, drain, label, annotate, taint, patch, delete, wait."""

import asyncio
import json

from tests.kubectl.station import PATIENCE, Kubectl, Station

CORDON = "node.kubernetes.io/unschedulable"
DRAIN = ("drain", "n1", "--timeout=20s")


async def test_a_node_is_cordoned_and_freed_again(kubectl: Kubectl, station: Station) -> None:
    station.node("n1")

    cordoned = await kubectl("cordon", "n1")
    (row,) = (await kubectl("get", "nodes")).rows
    held = station.taints("n1")
    again = await kubectl("cordon", "n1")
    freed = await kubectl("uncordon", "n1")
    await kubectl("get", "nodes")

    assert cordoned.out == "node/n1 cordoned\n"
    assert again.out == "node/n1 already cordoned\n"
    assert freed.out == "node/n1 uncordoned\n"
    assert (row["STATUS"], held) == ("Ready,SchedulingDisabled", {CORDON})
    assert station.taints("n1") == set()


async def test_a_drain_empties_a_node_of_what_comes_back_elsewhere(
    kubectl: Kubectl, station: Station
) -> None:
    station.node("n1")
    station.node("n2")
    station.pod("p1", "n1")
    station.pod("p2", "n1")
    station.pod("other", "n2")
    station.pod("daemon", "n1", owner="DaemonSet")

    said = await kubectl(*DRAIN, "--ignore-daemonsets")

    assert "pod/p1 evicted" in said.out
    assert "pod/p2 evicted" in said.out
    assert said.out.splitlines()[-1] in {"node/n1 drained", "node/n1 evicted"}
    assert station.pods() == {"other", "daemon"}
    assert station.read("nodes", "n1")["spec"]["unschedulable"] is True


async def test_a_drain_stops_before_daemons(kubectl: Kubectl, station: Station) -> None:
    station.node("n1")
    station.pod("daemon", "n1", owner="DaemonSet")

    said = await kubectl(*DRAIN, code=1)

    assert "cannot delete DaemonSet-managed Pods" in said.err
    assert station.pods() == {"daemon"}


async def test_a_drain_stops_before_a_pod_that_nobody_makes_anew(
    kubectl: Kubectl, station: Station
) -> None:
    station.node("n1")
    station.pod("alone", "n1", owner="")

    said = await kubectl(*DRAIN, code=1)
    await kubectl(*DRAIN, "--force")

    assert "use --force to override" in said.err
    assert station.pods() == set()


async def test_a_drain_waits_for_a_budget(kubectl: Kubectl, station: Station) -> None:
    for name in ("n1", "n2"):
        station.node(name)
    station.pod("p1", "n1")
    station.pod("p2", "n2", ready=False)
    station.budget("web", 1)

    draining = await kubectl.start(*DRAIN)
    assert draining.stderr is not None
    async with asyncio.timeout(PATIENCE):
        said = ""
        while "disruption budget" not in said:
            said += (await draining.stderr.readline()).decode()
        blocked = station.pods()
        station.report("p2")
        out, _ = await draining.communicate()

    assert "Cannot evict pod as it would violate the pod's disruption budget." in said
    assert blocked == {"p1", "p2"}
    assert station.pods() == {"p2"}
    assert (draining.returncode, b"pod/p1 evicted" in out) == (0, True)


async def test_labels_and_annotations_come_and_go(kubectl: Kubectl, station: Station) -> None:
    station.node("n1")

    await kubectl("label", "node", "n1", "pool=a", "gone=soon")
    await kubectl("annotate", "node", "n1", "nodemend.dev/skip=true")
    clash = await kubectl("label", "node", "n1", "pool=b", code=1)
    await kubectl("label", "node", "n1", "pool=b", "--overwrite")
    await kubectl("label", "node", "n1", "gone-")

    metadata = station.read("nodes", "n1")["metadata"]
    assert "--overwrite is false" in clash.err
    assert metadata["labels"] == {"pool": "b"}
    assert metadata["annotations"] == {"nodemend.dev/skip": "true"}


async def test_taints_come_and_go(kubectl: Kubectl, station: Station) -> None:
    station.node("n1")

    await kubectl("taint", "node", "n1", "a=1:NoSchedule", "b=2:NoExecute")
    both = station.taints("n1")
    await kubectl("taint", "node", "n1", "a:NoSchedule-")

    assert both == {"a", "b"}
    assert station.taints("n1") == {"b"}


async def test_patches_of_every_kind_apply(kubectl: Kubectl, station: Station) -> None:
    station.node("n1")
    cordon = "/spec/unschedulable"
    free = [{"op": "test", "path": cordon, "value": True}, {"op": "remove", "path": cordon}]
    unlock, label = json.dumps(free), '{"metadata":{"labels":{"a":"b"}}}'

    await kubectl("patch", "node", "n1", "-p", '{"spec":{"unschedulable":true}}')
    cordoned = station.read("nodes", "n1")["spec"]["unschedulable"]
    await kubectl("patch", "node", "n1", "--type=json", "-p", unlock)
    refused = await kubectl("patch", "node", "n1", "--type=json", "-p", unlock, code=1)
    await kubectl("patch", "node", "n1", "--type=merge", "-p", label)

    node = station.read("nodes", "n1")
    assert cordoned is True
    assert refused.err.startswith("The request is invalid")
    assert "unschedulable" not in node["spec"]
    assert node["metadata"]["labels"] == {"a": "b"}


async def test_a_replace_of_what_has_changed_since_is_refused(
    kubectl: Kubectl, station: Station
) -> None:
    station.node("n1")
    seen = json.loads((await kubectl("get", "node", "n1", "-o", "json")).out)
    await kubectl("label", "node", "n1", "pool=a")
    seen["spec"]["unschedulable"] = True

    said = await kubectl("replace", "-f", "-", typed=json.dumps(seen), code=1)

    assert "Error from server (Conflict)" in said.err
    assert "unschedulable" not in station.read("nodes", "n1")["spec"]


async def test_what_is_created_can_be_deleted(kubectl: Kubectl, station: Station) -> None:
    station.node("n1")
    station.pod("p1", "n1")

    await kubectl("create", "configmap", "c", "--from-literal=colour=red")
    made = station.read("configmaps", "c")["data"]
    pod = await kubectl("delete", "pod", "p1")
    node = await kubectl("delete", "node", "n1")
    await kubectl("delete", "configmap", "c")

    assert made == {"colour": "red"}
    assert pod.out.startswith('pod "p1" deleted')
    assert node.out.startswith('node "n1" deleted')
    assert (station.pods(), station.direct.listed("nodes")) == (set(), [])


async def test_a_person_waits_for_a_condition(kubectl: Kubectl, station: Station) -> None:
    station.node("n1")
    ready = {"type": "Ready", "status": "False"}
    station.direct.strategic(
        "nodes", "n1", {"status": {"conditions": [ready]}}, subresource="status"
    )
    waiting = await kubectl.start("wait", "--for=condition=Ready", "node/n1", "--timeout=20s")

    await kubectl("get", "nodes")
    ready["status"] = "True"
    station.direct.strategic(
        "nodes", "n1", {"status": {"conditions": [ready]}}, subresource="status"
    )
    async with asyncio.timeout(PATIENCE):
        out, _ = await waiting.communicate()

    assert out.decode() == "node/n1 condition met\n"
