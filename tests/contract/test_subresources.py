"""Status is written through its own door, and the server notes who came through which."""

from datetime import datetime

from nodehealth.health import NODE_HEALTHS
from nodehealth.kube.objects import NODES, ManagedFields, Metadata
from nodehealth.repair import NODE_REPAIRS
from tests.contract.cluster import MANAGER, Cluster
from tests.contract.kinds import Json

SPEC: Json = {"target": {"node": "n", "nodeUID": "u"}, "rule": "scratch-full"}


def entries(metadata: Metadata, subresource: str) -> list[ManagedFields]:
    """Return what we are said to have written through a door."""
    return [
        entry
        for entry in metadata.managed_fields
        if entry.manager == MANAGER and entry.subresource == subresource
    ]


async def test_a_nodes_status_is_not_written_through_its_front_door(cluster: Cluster) -> None:
    """API conventions, "Spec and Status": changes to status are ignored there."""
    node = await cluster.node()
    body = {"status": {"nodeInfo": {"bootID": "b2"}}, "spec": {"unschedulable": True}}

    changed = await cluster.client.merge_patch(NODES, node.metadata.name, body)

    assert changed.spec.unschedulable
    assert changed.status.node_info.boot_id == ""


async def test_a_nodes_spec_is_not_written_through_its_status(cluster: Cluster) -> None:
    """API conventions, "Spec and Status": changes to spec are ignored there."""
    node = await cluster.node()
    body = {"status": {"nodeInfo": {"bootID": "b2"}}, "spec": {"unschedulable": True}}

    changed = await cluster.client.merge_patch(
        NODES, node.metadata.name, body, subresource="status"
    )

    assert not changed.spec.unschedulable
    assert changed.status.node_info.boot_id == "b2"


async def test_a_custom_objects_status_is_not_written_through_its_front_door(
    cluster: Cluster,
) -> None:
    """CustomResourceDefinitions, "Status subresource"."""
    repairs = await cluster.custom(NODE_REPAIRS)
    body: Json = {"spec": SPEC, "status": {"phase": "Draining"}}

    made = await cluster.create(repairs, cluster.named("r"), body)
    changed = await cluster.client.merge_patch(repairs, made.metadata.name, {"status": {"rung": 2}})

    assert (made.status.phase, changed.status.rung) == ("Confirmed", 0)


async def test_only_the_status_of_a_custom_object_is_written_through_it(cluster: Cluster) -> None:
    """CustomResourceDefinitions, "Status subresource": neither spec nor metadata."""
    repairs = await cluster.custom(NODE_REPAIRS)
    made = await cluster.create(repairs, cluster.named("r"), {"spec": SPEC})
    body = {
        "metadata": {"labels": {"colour": "red"}},
        "spec": {"rule": "another"},
        "status": {"phase": "Draining"},
    }

    changed = await cluster.client.merge_patch(
        repairs, made.metadata.name, body, subresource="status"
    )

    assert changed.status.phase == "Draining"
    assert (changed.spec, changed.metadata.labels) == (made.spec, made.metadata.labels)


async def test_a_status_does_not_raise_the_generation(cluster: Cluster) -> None:
    """CustomResourceDefinitions, "Status subresource": only what is not status or metadata."""
    repairs = await cluster.custom(NODE_REPAIRS)
    made = await cluster.create(repairs, cluster.named("r"), {"spec": SPEC})
    name, body = made.metadata.name, {"status": {"rung": 1}}

    changed = await cluster.client.merge_patch(repairs, name, body, subresource="status")

    assert (made.metadata.generation, changed.metadata.generation) == (1, 1)


async def test_the_server_notes_who_wrote_a_status(cluster: Cluster) -> None:
    """Server-Side Apply, "Managers" and "Field management": by manager and subresource."""
    healths = await cluster.custom(NODE_HEALTHS)
    made = await cluster.create(healths, cluster.named("h"))
    body = {"status": {"bootID": "b1"}}

    changed = await cluster.client.merge_patch(
        healths, made.metadata.name, body, subresource="status"
    )

    (entry,) = entries(changed.metadata, "status")
    assert (entry.manager, entry.operation) == (MANAGER, "Update")
    assert entry.time is not None


async def test_the_time_of_a_status_moves_with_every_change_of_it(cluster: Cluster) -> None:
    """managedFieldsUpdater: the time of the last write that changed a field, to the second."""
    healths = await cluster.custom(NODE_HEALTHS)
    name = (await cluster.create(healths, cluster.named("h"))).metadata.name

    async def written(boot: str) -> datetime | None:
        body = {"status": {"bootID": boot}}
        found = await cluster.client.merge_patch(healths, name, body, subresource="status")
        return entries(found.metadata, "status")[0].time

    before, boots = await written("b0"), iter(range(1, 10_000))

    async def moved() -> bool:
        now = await written(f"b{next(boots)}")
        return now is not None and before is not None and now > before

    assert await cluster.until(moved)
