"""Others at work on the same nodes: nobody's work is crossed, and ours shows to them."""

from dataclasses import replace

from nodehealth.kube.client import Client
from nodehealth.kube.objects import LEASES, NODES, Node, Object, Resource, micro_time
from nodehealth.repair import Phase
from remediator.neighbours import LEASE_NAMESPACE
from remediator.rules.policy import Coexistence, Conditions, Policy
from simulator import virtualtime
from simulator.api.audit import AuditEntry
from simulator.api.faults import Html, Match
from tests.safety.stage import policy
from tests.safety.test_stories import Scene, full, minutes, staged

NAMESPACES = Resource(
    group="", version="v1", plural="namespaces", kind="Namespace", namespaced=False, type=Object
)
SHOWN = "nodemend.dev/StorageReady"
HELD = {"name": "held", "replicas": 4, "budget": {"max-unavailable": 0}}


def leasing() -> Policy:
    return replace(policy(), coexistence=Coexistence(medik8s=True))


def showing() -> Policy:
    return replace(policy(), conditions=Conditions(lifecycle=True))


async def lease(scene: Scene, node: str, holder: str, seconds: int) -> None:
    at = micro_time(virtualtime.clock()())
    spec = {"holderIdentity": holder, "leaseDurationSeconds": seconds, "renewTime": at}
    body = {"metadata": {"name": f"node-{node}"}, "spec": spec}
    await scene.client.create(LEASES, body, namespace=LEASE_NAMESPACE)


async def says(client: Client, node: str, type_: str, status: str) -> None:
    body = {
        "status": {"conditions": [{"type": type_, "status": status, "reason": "AdminRequested"}]}
    }
    await client.strategic_patch(NODES, node, body, subresource="status")


def conditions(node: Node) -> dict[str, str]:
    return {each.type: each.status for each in node.status.conditions}


@virtualtime.played
async def test_a_node_that_somebody_else_leased_is_cordoned_and_waits_for_them() -> None:
    async with staged() as scene:
        await scene.client.create(NAMESPACES, {"metadata": {"name": LEASE_NAMESPACE}})
        await lease(scene, "w-1", "node-maintenance", seconds=300)
        scene.cluster.inject("w-1", full())
        async with scene.remediator(under=leasing()):
            await minutes(3)
            waiting, uid = await scene.repair("w-1"), (await scene.node("w-1")).metadata.uid
            await minutes(30)

        after = await scene.repair("w-1")
        left = (await scene.client.listing(LEASES, namespace=LEASE_NAMESPACE)).items
        assert (waiting.status.phase, waiting.status.reason) == (
            Phase.WAITING,
            "ForeignMaintenance",
        )
        assert "node-maintenance" in waiting.status.message
        assert after.status.phase is Phase.RECOVERED
        assert (await scene.node("w-1")).metadata.uid != uid
        assert left == ()


@virtualtime.played
async def test_a_node_that_somebody_wants_left_alone_keeps_no_slot_from_the_next_one() -> None:
    async with staged() as scene:
        mark = {"metadata": {"labels": {"remediation.medik8s.io/exclude-from-remediation": ""}}}
        await scene.client.merge_patch(NODES, "w-1", mark)
        scene.cluster.inject("w-1", full())
        async with scene.remediator():
            await minutes(1)
            scene.cluster.inject("w-2", full())
            await minutes(15)

        assert (await scene.repair("w-1")).status.reason == "ForeignMaintenance"
        assert (await scene.repair("w-2")).status.phase is Phase.RECOVERED


@virtualtime.played
async def test_while_we_disrupt_a_node_its_lease_is_ours() -> None:
    async with staged(provision="10m") as scene:
        await scene.client.create(NAMESPACES, {"metadata": {"name": LEASE_NAMESPACE}})
        scene.cluster.inject("w-1", full())
        async with scene.remediator(under=leasing()):
            await minutes(3)
            found = await scene.client.get(LEASES, "node-w-1", namespace=LEASE_NAMESPACE)

        assert found.spec.holder_identity == "nodemend"


@virtualtime.played
async def test_a_node_is_given_back_though_nobody_can_read_who_else_holds_it() -> None:
    async with staged(provision="10m") as scene:
        await scene.client.create(NAMESPACES, {"metadata": {"name": LEASE_NAMESPACE}})
        scene.cluster.inject("w-1", full())
        async with scene.remediator(under=leasing()):
            await minutes(3)
            away = Html(code=503, match=Match(path=f"/{LEASE_NAMESPACE}/"))
            with scene.cluster.api.faults.active(away):
                await minutes(30)

        assert (await scene.repair("w-1")).status.phase is Phase.RECOVERED
        assert not (await scene.node("w-1")).spec.unschedulable


@virtualtime.played
async def test_a_drain_stands_still_while_somebody_else_is_at_work_on_the_node() -> None:
    evicted = list[AuditEntry]()
    async with staged(workloads=(HELD,)) as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator():
            await minutes(1)
            begun = await scene.repair("w-1")
            await says(scene.client, "w-1", "MaintenanceInProgress", "True")
            await minutes(1)
            scene.cluster.api.on_request(evicted.append)
            await minutes(5)
            still = [each for each in evicted if each.subresource == "eviction"]
            waiting = await scene.repair("w-1")
            await says(scene.client, "w-1", "MaintenanceInProgress", "False")
            await minutes(2)

        again = [each for each in evicted if each.subresource == "eviction"]
        assert begun.status.phase is Phase.DRAINING
        assert waiting.status.reason == "ForeignMaintenance"
        assert still == []
        assert again != []


@virtualtime.played
async def test_our_own_work_shows_and_nobody_waits_for_themselves() -> None:
    async with staged(workloads=(HELD,)) as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator(under=showing()):
            await minutes(3)
            during = conditions(await scene.node("w-1"))
            draining = await scene.repair("w-1")

        async with scene.remediator():
            await minutes(2)
            after = conditions(await scene.node("w-1"))

        assert (during["DrainInProgress"], during["Drained"]) == ("True", "False")
        assert during["MaintenanceInProgress"] == "True"
        assert draining.status.phase is Phase.DRAINING
        assert (draining.status.reason, after[SHOWN]) == ("", "False")
        assert "DrainInProgress" not in after


@virtualtime.played
async def test_a_fault_that_stays_is_written_seldom_and_beside_what_others_say() -> None:
    asked = list[AuditEntry]()
    async with staged(workloads=(HELD,)) as scene:
        scene.cluster.inject("w-1", full())
        await says(scene.client, "w-1", "KernelDeadlock", "False")
        scene.cluster.api.on_request(asked.append)
        for _ in range(4):  # each leader after the other, without any memory
            async with scene.remediator():
                await minutes(3)

        written = [
            each for each in asked if (each.resource, each.subresource) == ("nodes", "status")
        ]
        ours = [each for each in written if "remediator" in each.user]
        found = conditions(await scene.node("w-1"))
        assert (found["KernelDeadlock"], found[SHOWN]) == ("False", "False")
        assert len(ours) == 1
