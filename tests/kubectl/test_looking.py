"""What a person sees: get, get -w, describe, events."""

import asyncio
import json

import pytest

from tests.kubectl.station import PATIENCE, Kubectl, Station

WORKER = "node-role.kubernetes.io/worker"


async def test_nodes_are_listed(kubectl: Kubectl, station: Station) -> None:
    station.node("n1", labels={WORKER: ""})

    (row,) = (await kubectl("get", "nodes")).rows

    assert list(row) == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]
    assert (row["NAME"], row["STATUS"], row["ROLES"]) == ("n1", "Ready", "worker")
    assert row["VERSION"] == "v1.32.0"


async def test_wide_nodes_show_their_machines(kubectl: Kubectl, station: Station) -> None:
    station.node("n1")

    (row,) = (await kubectl("get", "nodes", "-o", "wide")).rows

    assert row["INTERNAL-IP"] == "10.0.0.1"
    assert (row["OS-IMAGE"], row["KERNEL-VERSION"]) == ("Debian GNU/Linux 12", "6.1.0")
    assert row["CONTAINER-RUNTIME"] == "containerd://2.0.0"


async def test_nodes_are_selected_by_labels_and_fields(kubectl: Kubectl, station: Station) -> None:
    station.node("n1", labels={"pool": "a"})
    station.node("n2", labels={"pool": "b"})
    await kubectl("cordon", "n2")

    labelled = await kubectl("get", "nodes", "-l", "pool in (a)", "-L", "pool")
    cordoned = await kubectl("get", "nodes", "--field-selector", "spec.unschedulable=true")

    assert [(row["NAME"], row["POOL"]) for row in labelled.rows] == [("n1", "a")]
    assert [row["NAME"] for row in cordoned.rows] == ["n2"]


async def test_pods_are_listed_where_they_run(kubectl: Kubectl, station: Station) -> None:
    station.node("n1")
    station.pod("p1", "n1")

    (row,) = (await kubectl("get", "pods", "-A", "-o", "wide")).rows

    assert (row["NAMESPACE"], row["NAME"], row["NODE"]) == ("default", "p1", "n1")
    assert (row["READY"], row["STATUS"], row["IP"]) == ("1/1", "Running", "10.1.0.7")
    assert row["RESTARTS"].startswith("2")


async def test_pods_of_a_node_are_selected(kubectl: Kubectl, station: Station) -> None:
    for name in ("n1", "n2"):
        station.node(name)
        station.pod(f"p-{name}", name)

    said = await kubectl("get", "pods", "-A", "--field-selector", "spec.nodeName=n2", "-o", "name")

    assert said.out.split() == ["pod/p-n2"]


async def test_nothing_to_list_is_said(kubectl: Kubectl) -> None:
    said = await kubectl("get", "pods")

    assert "No resources found in default namespace." in said.err


async def test_what_is_not_there_is_an_error(kubectl: Kubectl) -> None:
    said = await kubectl("get", "node", "nobody", code=1)

    assert said.err == 'Error from server (NotFound): nodes "nobody" not found\n'


async def test_a_watch_prints_a_row_for_every_change(kubectl: Kubectl, station: Station) -> None:
    station.node("n1")
    process = await kubectl.start("get", "nodes", "-w")
    assert process.stdout is not None
    printed = list[str]()

    async def read(lines: int) -> None:
        assert process.stdout is not None
        for _ in range(lines):
            printed.append((await process.stdout.readline()).decode())

    async with asyncio.timeout(PATIENCE):
        await read(2)
        await kubectl("cordon", "n1")
        await read(1)
        station.direct.delete("nodes", "n1")
        await read(1)
    process.kill()
    await process.communicate()

    assert [line.split()[1] for line in printed[:3]] == [
        "STATUS",
        "Ready",
        "Ready,SchedulingDisabled",
    ]
    assert printed[3].startswith("n1 ")


async def test_objects_are_shown_whole(kubectl: Kubectl, station: Station) -> None:
    station.node("n1", labels={"pool": "a"})

    shown = json.loads((await kubectl("get", "node", "n1", "-o", "json")).out)
    path = await kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.labels.pool}")
    listed = json.loads((await kubectl("get", "nodes", "-o", "json")).out)

    assert shown["metadata"]["uid"] == station.read("nodes", "n1")["metadata"]["uid"]
    assert (path.out, listed["items"][0]["kind"]) == ("a", "Node")


async def test_a_node_is_described(kubectl: Kubectl, station: Station) -> None:
    station.node("n1", annotations={"nodemend.dev/slot": "3:cordoned"})
    station.pod("p1", "n1")
    await kubectl("cordon", "n1")

    said = await kubectl("describe", "node", "n1")

    assert said.fields["Unschedulable"] == "true"
    assert said.fields["Taints"] == "node.kubernetes.io/unschedulable:NoSchedule"
    assert said.fields["Annotations"] == "nodemend.dev/slot: 3:cordoned"
    assert said.fields["nvidia.com/gpu"] == "8"
    assert said.fields["Non-terminated Pods"] == "(1 in total)"
    assert "KubeletReady" in said.out


async def test_a_nodes_description_tells_what_happened_to_it(
    kubectl: Kubectl, station: Station
) -> None:
    if kubectl.version < (1, 21):
        pytest.skip("this old kubectl looks only for events whose UID is the node's name")
    station.node("n1")
    station.event("Node", "n1", "Cordoned", "the disk is full")

    said = await kubectl("describe", "node", "n1")

    assert "the disk is full" in said.out


async def test_a_pod_is_described(kubectl: Kubectl, station: Station) -> None:
    station.node("n1")
    station.pod("p1", "n1")
    station.event("Pod", "p1", "Evicting", "its node is sick")

    said = await kubectl("describe", "pod", "p1")

    assert said.fields["Node"].startswith("n1/")
    assert (said.fields["Status"], said.fields["Controlled By"]) == ("Running", "ReplicaSet/web")
    assert "its node is sick" in said.out


async def test_events_are_listed(kubectl: Kubectl, station: Station) -> None:
    station.node("n1")
    station.event("Node", "n1", "Cordoned", "the disk is full")

    (row,) = (await kubectl("get", "events")).rows

    assert list(row) == ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert (row["TYPE"], row["REASON"], row["OBJECT"]) == ("Warning", "Cordoned", "node/n1")
    assert row["MESSAGE"] == "the disk is full"


async def test_events_of_one_object_are_listed(kubectl: Kubectl, station: Station) -> None:
    if kubectl.version < (1, 26):
        pytest.skip("`kubectl events` came with 1.26")
    for name in ("n1", "n2"):
        station.node(name)
        station.event("Node", name, "Cordoned", f"{name} is full")

    (row,) = (await kubectl("events", "--for", "node/n2")).rows

    assert (row["REASON"], row["OBJECT"], row["MESSAGE"]) == ("Cordoned", "Node/n2", "n2 is full")


async def test_budgets_and_leases_are_listed(kubectl: Kubectl, station: Station) -> None:
    station.node("n1")
    station.pod("p1", "n1")
    station.budget("web", 1)
    spec = {"holderIdentity": "a", "renewTime": "2026-01-01T12:00:00.000000Z"}
    station.direct.create(
        "leases.coordination.k8s.io", {"metadata": {"name": "l"}, "spec": spec}, namespace="default"
    )

    (lease,) = (await kubectl("get", "leases")).rows
    (budget,) = (await kubectl("get", "poddisruptionbudgets.policy")).rows

    assert (lease["NAME"], lease["HOLDER"]) == ("l", "a")
    assert (budget["MIN AVAILABLE"], budget["MAX UNAVAILABLE"]) == ("1", "N/A")
    assert budget["ALLOWED DISRUPTIONS"] == "0"


async def test_the_server_says_what_it_serves(kubectl: Kubectl) -> None:
    version = json.loads((await kubectl("version", "-o", "json")).out)
    served = (await kubectl("api-resources", "-o", "name")).out.split()

    assert version["serverVersion"]["gitVersion"].startswith("v1.3")
    assert {"nodes", "pods", "leases.coordination.k8s.io"} <= set(served)
