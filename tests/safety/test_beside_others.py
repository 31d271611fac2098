"""Others at work on the same nodes: nobody's work is crossed, and ours shows to them."""

from dataclasses import replace

from nodehealth.kube.client import Client
from nodehealth.kube.objects import LEASES, NODES, Node, Object, Resource, Taint, micro_time
from nodehealth.repair import NODE_REPAIRS, Phase
from remediator.neighbours import LEASE_NAMESPACE
from remediator.rules.policy import Coexistence, Conditions, Policy
from simulator import virtualtime
from simulator.api.audit import AuditEntry
from simulator.api.faults import Html, Match
from tests.safety import sent, stage
from tests.safety.stage import policy
from tests.safety.test_giving_way import strict, told
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


async def kured(client: Client, node: str, since: str | None) -> None:
    """Begin or end a reboot, as kured shows it."""
    noted = {"weave.works/kured-reboot-in-progress": since}
    await client.merge_patch(NODES, node, {"metadata": {"annotations": noted}})


async def taint(client: Client, node: str, key: str, *, add: bool) -> None:
    taints = [each for each in (await client.get(NODES, node)).spec.taints if each.key != key]
    mark = Taint(key=key, effect="NoSchedule")
    wanted = [*taints, mark] if add else taints
    await client.merge_patch(NODES, node, {"spec": {"taints": wanted}})


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


@virtualtime.played
async def test_a_mended_node_is_given_back_when_nobody_else_is_at_work_on_it_any_more() -> None:
    rules = strict(stage.RULES)
    async with staged() as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator(rules=rules):
            await minutes(3)
            mended = await scene.repair("w-1")
            await kured(scene.client, "w-1", "2026-01-01T00:00:00Z")
            await says(scene.client, "w-1", "MaintenanceInProgress", "True")
            await minutes(60)
            kept, node, ledger = (
                await scene.repair("w-1"),
                await scene.node("w-1"),
                await scene.ledger(),
            )
            why = await told(scene, rules, policy(), "w-1")
            await kured(scene.client, "w-1", None)
            await minutes(5)
            still = (await scene.node("w-1")).spec.unschedulable
            await says(scene.client, "w-1", "MaintenanceInProgress", "False")
            await minutes(15)

        assert mended.status.phase is Phase.VERIFYING
        assert (kept.status.phase, kept.status.reason) == (Phase.VERIFYING, "HeldByOthers")
        assert "kured is at work on w-1; it is not given back before that is over" in why
        assert (node.spec.unschedulable, [*ledger.status.slots]) == (True, ["w-1"])
        assert still
        assert (await scene.repair("w-1")).status.reason == "Repaired"
        assert not (await scene.node("w-1")).spec.unschedulable
        assert (await scene.ledger()).status.slots == {}


@virtualtime.played
async def test_who_never_ends_their_work_has_a_person_called_and_the_slot_given_to_others() -> None:
    async with staged() as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator(rules=strict(stage.RULES)):
            await minutes(3)
            await taint(scene.client, "w-1", "medik8s.io/drain", add=True)
            await minutes(4 * 60 + 1)
            called, ledger = await scene.repair("w-1"), await scene.ledger()
            kept = (await scene.node("w-1")).spec.unschedulable
            await taint(scene.client, "w-1", "medik8s.io/drain", add=False)
            await minutes(1)

        assert (called.status.phase, called.status.reason) == (Phase.NEEDS_HUMAN, "HeldByOthers")
        assert "has been at work on w-1 for 4h" in called.status.message
        assert ([*ledger.status.slots], [*ledger.status.cordons]) == ([], ["w-1"])
        assert kept
        assert (await scene.repair("w-1")).status.reason == "Repaired"
        assert not (await scene.node("w-1")).spec.unschedulable


@virtualtime.played
async def test_who_takes_a_mended_node_down_for_long_is_no_reason_for_the_next_remedy() -> None:
    rules = strict(sent.rules("drain: {deadline: 3m}", "reset-gpu", "replace"))
    manners = replace(policy(), gpu_clients=sent.PLUGINS)
    async with staged(gpus=2) as scene:
        scene.cluster.inject("w-1", "gpu-stuck")
        async with scene.remediator(rules=rules, under=manners):
            await minutes(4)
            mended, uid = await scene.repair("w-1"), (await scene.node("w-1")).metadata.uid
            await kured(scene.client, "w-1", "2026-01-01T00:00:00Z")
            scene.cluster.inject("w-1", {"kubelet-dead": {"lasts": "40m"}})
            await minutes(45)
            await kured(scene.client, "w-1", None)
            await minutes(15)

        ended = await scene.repair("w-1")
        assert mended.status.phase is Phase.VERIFYING
        assert (ended.status.phase, ended.status.reason) == (Phase.RECOVERED, "Repaired")
        assert (await scene.node("w-1")).metadata.uid == uid


@virtualtime.played
async def test_a_node_that_got_well_stays_cordoned_until_others_are_done_with_it() -> None:
    async with staged() as scene:
        await says(scene.client, "w-1", "DrainInProgress", "True")
        scene.cluster.inject("w-1", full(lasts="5m"))
        async with scene.remediator():
            await minutes(15)
            kept, cordoned = await scene.repair("w-1"), await scene.node("w-1")
            await says(scene.client, "w-1", "DrainInProgress", "False")
            await minutes(2)

        assert (kept.status.phase, kept.status.reason) == (Phase.WAITING, "HeldByOthers")
        assert cordoned.spec.unschedulable
        assert (await scene.repair("w-1")).status.reason == "FaultGone"
        assert not (await scene.node("w-1")).spec.unschedulable


@virtualtime.played
async def test_a_node_whose_repair_was_deleted_stays_cordoned_until_others_are_done() -> None:
    async with staged() as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator(rules=strict(stage.RULES)):
            await minutes(3)
            await taint(scene.client, "w-1", "karpenter.sh/disrupted", add=True)
            await scene.client.delete(NODE_REPAIRS, (await scene.repair("w-1")).metadata.name)
            await minutes(10)
            kept = (await scene.node("w-1")).spec.unschedulable
            why = await told(scene, stage.RULES, policy(), "w-1")
            await taint(scene.client, "w-1", "karpenter.sh/disrupted", add=False)
            await minutes(3)

        assert kept
        assert "Karpenter is at work on it" in why
        assert not (await scene.node("w-1")).spec.unschedulable
        assert (await scene.ledger()).status.slots == {}


@virtualtime.played
async def test_who_has_the_lease_of_a_mended_node_is_waited_for() -> None:
    async with staged() as scene:
        await scene.client.create(NAMESPACES, {"metadata": {"name": LEASE_NAMESPACE}})
        scene.cluster.inject("w-1", full())
        async with scene.remediator(under=leasing(), rules=strict(stage.RULES)):
            await minutes(3)
            await scene.client.delete(LEASES, "node-w-1", namespace=LEASE_NAMESPACE)
            await lease(scene, "w-1", "node-maintenance", seconds=1800)
            await minutes(25)
            kept = await scene.repair("w-1")
            await minutes(20)

        assert (kept.status.phase, kept.status.reason) == (Phase.VERIFYING, "HeldByOthers")
        assert "node-maintenance" in kept.status.message
        assert (await scene.repair("w-1")).status.reason == "Repaired"
