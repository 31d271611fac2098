"""What a merge keeps, replaces and removes."""

import pytest

from nodehealth.health import NODE_HEALTHS
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, OWNED_NODES, Node
from remediator.decide import showing
from tests.contract.cluster import MANAGER, TAINT, Cluster
from tests.contract.kinds import Json

OURS = {"key": "nodemend.dev/repair", "value": "r1", "effect": "NoSchedule"}


def state(node: Node, kind: str) -> str:
    """Return the status of a condition."""
    return next(each.status for each in node.status.conditions if each.type == kind)


async def say(cluster: Cluster, node: Node, kind: str, status: str) -> Node:
    """Set one condition of a Node."""
    condition = {"type": kind, "status": status, "reason": "Contract", "message": ""}
    return await cluster.client.strategic_patch(
        NODES, node.metadata.name, {"status": {"conditions": [condition]}}, subresource="status"
    )


async def test_conditions_of_a_node_are_merged_by_type(cluster: Cluster) -> None:
    """core/v1 NodeStatus.conditions: patchMergeKey type."""
    node = await cluster.node()
    await say(cluster, node, "nodemend.dev/A", "True")
    await say(cluster, node, "nodemend.dev/B", "True")

    changed = await say(cluster, node, "nodemend.dev/A", "False")

    types = [each.type for each in changed.status.conditions]
    assert (state(changed, "nodemend.dev/A"), state(changed, "nodemend.dev/B")) == ("False", "True")
    assert "Ready" in types
    assert types.count("nodemend.dev/A") == 1


async def test_a_condition_is_taken_off_by_its_type_and_no_other_is(cluster: Cluster) -> None:
    """Strategic merge patch, "$patch: delete" of a list with a merge key."""
    node = await cluster.node()
    await say(cluster, node, "nodemend.dev/A", "True")
    await say(cluster, node, "nodemend.dev/B", "True")
    gone = {"status": {"conditions": [{"$patch": "delete", "type": "nodemend.dev/A"}]}}

    changed = await cluster.client.strategic_patch(
        NODES, node.metadata.name, gone, subresource="status"
    )

    types = [each.type for each in changed.status.conditions]
    assert {"Ready", "nodemend.dev/B"} <= set(types)
    assert "nodemend.dev/A" not in types


async def test_a_condition_is_not_written_to_a_node_that_changed_since(cluster: Cluster) -> None:
    """API conventions, "Concurrency control": a patch with an old resourceVersion gets 409."""
    node = await cluster.node()
    await say(cluster, node, "nodemend.dev/A", "True")
    version = {"resourceVersion": node.metadata.resource_version}
    said = {"type": "nodemend.dev/A", "status": "False"}

    with pytest.raises(errors.ConflictError):
        await cluster.client.strategic_patch(
            NODES,
            node.metadata.name,
            {"metadata": version, "status": {"conditions": [said]}},
            subresource="status",
        )


async def test_the_managed_fields_say_who_writes_which_condition(cluster: Cluster) -> None:
    """Server-side apply, "Field management": every writer owns what it changed, by type."""
    node = await cluster.node()
    await say(cluster, node, "nodemend.dev/A", "True")
    other = Client(cluster.client.transport, manager="nmt-other")
    said = {"type": "nodemend.dev/B", "status": "True", "reason": "Contract", "message": ""}
    await other.strategic_patch(
        NODES, node.metadata.name, {"status": {"conditions": [said]}}, subresource="status"
    )

    owned = showing.writers(await cluster.client.get(OWNED_NODES, node.metadata.name))

    assert (owned["nodemend.dev/A"], owned["nodemend.dev/B"]) == (MANAGER, "nmt-other")


async def test_taints_of_a_node_are_replaced_whole(cluster: Cluster) -> None:
    """core/v1 NodeSpec.taints has no patch strategy, so the list is atomic."""
    node = await cluster.node()

    changed = await cluster.client.strategic_patch(
        NODES, node.metadata.name, {"spec": {"taints": [OURS]}}
    )

    found = {taint.key for taint in changed.spec.taints}
    assert OURS["key"] in found
    assert TAINT["key"] not in found


async def test_what_a_merge_patch_does_not_name_is_kept(cluster: Cluster) -> None:
    """RFC 7396, section 2."""
    node = await cluster.node(labels={"pool": "a"}, annotations={"one": "1"})

    changed = await cluster.client.merge_patch(
        NODES, node.metadata.name, {"metadata": {"annotations": {"two": "2"}}}
    )

    assert changed.metadata.labels["pool"] == "a"
    assert {"one": "1", "two": "2"}.items() <= changed.metadata.annotations.items()


async def test_null_removes_a_key(cluster: Cluster) -> None:
    """RFC 7396, section 2."""
    node = await cluster.node(annotations={"one": "1", "two": "2"})

    changed = await cluster.client.merge_patch(
        NODES, node.metadata.name, {"metadata": {"annotations": {"one": None, "three": None}}}
    )

    assert "one" not in changed.metadata.annotations
    assert changed.metadata.annotations["two"] == "2"


async def test_a_merge_patch_replaces_lists_whole(cluster: Cluster) -> None:
    """RFC 7396, section 1: it cannot patch a part of an array."""
    healths = await cluster.custom(NODE_HEALTHS)
    made = await cluster.create(healths, cluster.named("h"))

    async def report(*names: str) -> None:
        levels = [{"name": name, "since": "2026-01-01T12:00:00Z"} for name in names]
        await cluster.client.merge_patch(
            healths, made.metadata.name, {"status": {"levels": levels}}, subresource="status"
        )

    await report("a", "b")
    await report("c")

    found = await cluster.client.get(healths, made.metadata.name)
    assert [level.name for level in found.status.levels] == ["c"]


async def test_custom_kinds_take_no_strategic_patch(cluster: Cluster) -> None:
    """API concepts, "Patch": without Go types there are no merge keys; 415."""
    healths = await cluster.custom(NODE_HEALTHS)
    made = await cluster.create(healths, cluster.named("h"))

    with pytest.raises(errors.InvalidError, match="415"):
        await cluster.client.strategic_patch(healths, made.metadata.name, {"metadata": {}})


@pytest.mark.parametrize(
    "spec",
    [
        {"taints": [{"key": "nodemend.dev/repair", "effect": "Sometimes"}]},
        {"taints": [OURS, OURS]},
        {"taints": [{"key": "not a key", "effect": "NoSchedule"}]},
    ],
)
async def test_nonsense_is_not_written_to_a_node(cluster: Cluster, spec: Json) -> None:
    """ValidateNodeUpdate: taints have known effects, and one for each key and effect."""
    node = await cluster.node()

    with pytest.raises(errors.InvalidError, match=r"spec\.taints|metadata\.taints"):
        await cluster.client.merge_patch(NODES, node.metadata.name, {"spec": spec})

    seen = await cluster.client.get(NODES, node.metadata.name)
    assert TAINT["key"] in {taint.key for taint in seen.spec.taints}
