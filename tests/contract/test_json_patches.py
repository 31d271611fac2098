"""A JSON patch applies whole or not at all, and its tests are asked of what is stored now."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import pytest

from nodehealth import keys
from nodehealth.kube import errors, patches, requests
from nodehealth.kube.objects import NODES, Node
from nodehealth.kube.patches import Operation
from tests.contract.cluster import TAINT, Cluster
from tests.contract.kinds import CONFIG_MAPS, ConfigMap

FENCE: Final = patches.pointer("metadata", "annotations", keys.FENCE_ANNOTATION)
OURS: Final = {"key": keys.REPAIR_TAINT, "value": "r1", "effect": "NoSchedule"}
TRIES: Final = 5


async def patch(cluster: Cluster, name: str, *operations: Operation) -> ConfigMap:
    """Change a ConfigMap."""
    return await cluster.client.json_patch(
        CONFIG_MAPS, cluster.named(name), operations, namespace=cluster.namespace
    )


async def read(cluster: Cluster, name: str) -> ConfigMap:
    """Read a ConfigMap."""
    return await cluster.client.get(CONFIG_MAPS, cluster.named(name), namespace=cluster.namespace)


async def patch_node(
    cluster: Cluster, node: Node, changes: Callable[[Node], Sequence[Operation]]
) -> Node:
    """Change a Node as it is now; on a real cluster controllers write to it as well."""
    for _ in range(TRIES):
        seen = await cluster.client.get(NODES, node.metadata.name)
        try:
            return await cluster.client.json_patch(NODES, node.metadata.name, changes(seen))
        except errors.TestFailedError:
            await asyncio.sleep(cluster.pace.poll)
    raise AssertionError("the patch never applied")


def index(node: Node, key: str) -> int:
    """Return the place of a taint."""
    return next(n for n, taint in enumerate(node.spec.taints) if taint.key == key)


async def test_a_test_that_fails_lets_nothing_through(cluster: Cluster) -> None:
    """RFC 6902, section 5; patch.go: any failure to apply is a 422."""
    before = await cluster.config("c")

    with pytest.raises(errors.TestFailedError):
        await patch(
            cluster,
            "c",
            patches.replace("/data/colour", "blue"),
            patches.test("/metadata/uid", "somebody-else"),
        )

    assert await read(cluster, "c") == before


async def test_a_failed_test_is_told_apart_from_nonsense(cluster: Cluster) -> None:
    """patch.go: NewGenericServerResponse gives no kind and no causes, validation gives both."""
    await cluster.config("c")
    path = CONFIG_MAPS.path(cluster.namespace, cluster.named("c"))
    media = {"content-type": requests.JSON_PATCH}
    failing = [{"op": "test", "path": "/data/colour", "value": "blue"}]
    nonsense = [{"op": "add", "path": "/metadata/labels", "value": {"a b": "c"}}]

    failed = await cluster.ask("PATCH", path, failing, headers=media)
    invalid = await cluster.ask("PATCH", path, nonsense, headers=media)

    assert (failed.code, failed.body["reason"]) == (422, "Invalid")
    assert (
        failed.body["message"] == "the server rejected our request due to an error in our request"
    )
    assert failed.body["details"] == {}
    assert (invalid.code, invalid.body["reason"]) == (422, "Invalid")
    assert invalid.body["details"]["kind"] == "ConfigMap"
    assert invalid.body["details"]["causes"][0]["field"] == "metadata.labels"


async def test_a_result_that_is_invalid_is_no_failed_test(cluster: Cluster) -> None:
    """patch.go: the patch applied, what came out is refused."""
    await cluster.config("c")

    with pytest.raises(errors.InvalidError, match="Invalid value"):
        await patch(cluster, "c", patches.add("/metadata/labels", {"a b": "c"}))


async def test_the_uid_can_be_tested(cluster: Cluster) -> None:
    """RFC 6902, section 4.6, on the object as it is served."""
    made = await cluster.config("c")

    changed = await patch(
        cluster,
        "c",
        patches.test("/metadata/uid", made.metadata.uid),
        patches.replace("/data/colour", "blue"),
    )

    assert changed.data == {"colour": "blue"}


async def test_the_whole_version_can_be_tested(cluster: Cluster) -> None:
    """RFC 6902, section 4.6, on the object as it is served."""
    made = await cluster.config("c")
    change = (
        patches.test("/metadata/resourceVersion", made.metadata.resource_version),
        patches.replace("/data/colour", "blue"),
    )
    await patch(cluster, "c", *change)

    with pytest.raises(errors.TestFailedError):
        await patch(cluster, "c", *change)


async def test_a_fence_is_tested_and_moved_in_one_patch(cluster: Cluster) -> None:
    """RFC 6901, section 4: ~1 is the slash in the name of an annotation."""
    node = await cluster.node(annotations={keys.FENCE_ANNOTATION: "3:cordoned"})
    move = [patches.test(FENCE, "3:cordoned"), patches.replace(FENCE, "4:disrupted")]

    moved = await cluster.client.json_patch(NODES, node.metadata.name, move)

    assert moved.metadata.annotations[keys.FENCE_ANNOTATION] == "4:disrupted"
    with pytest.raises(errors.TestFailedError):
        await cluster.client.json_patch(NODES, node.metadata.name, move)


async def test_of_many_that_pass_the_same_fence_one_wins(cluster: Cluster) -> None:
    """patch.go: the patch is applied anew whenever another write came between."""
    node = await cluster.node(annotations={keys.FENCE_ANNOTATION: "3:cordoned"})

    def move(epoch: int) -> list[Operation]:
        return [patches.test(FENCE, "3:cordoned"), patches.replace(FENCE, f"{epoch}:cordoned")]

    moves = (
        cluster.client.json_patch(NODES, node.metadata.name, move(epoch)) for epoch in range(8)
    )
    outcomes = await asyncio.gather(*moves, return_exceptions=True)

    lost = [each for each in outcomes if isinstance(each, errors.TestFailedError)]
    assert len(lost) == 7


async def test_an_annotation_that_is_absent_fails_its_test(cluster: Cluster) -> None:
    """RFC 6902, section 4.6: the target must be equal, nothing is not."""
    await cluster.config("bare")
    await cluster.config("other", annotations={"other": "there"})

    for name in ("bare", "other"):
        with pytest.raises(errors.TestFailedError):
            await patch(cluster, name, patches.test(FENCE, "3:cordoned"))


async def test_a_key_that_exists_is_added_over(cluster: Cluster) -> None:
    """RFC 6902, section 4.1."""
    await cluster.config("c", annotations={keys.FENCE_ANNOTATION: "3:cordoned"})

    changed = await patch(cluster, "c", patches.add(FENCE, "4:cordoned"))

    assert changed.metadata.annotations == {keys.FENCE_ANNOTATION: "4:cordoned"}


async def test_nothing_is_added_into_a_map_that_is_absent(cluster: Cluster) -> None:
    """RFC 6902, section 4.1: the parent must exist, so it is added whole."""
    await cluster.config("c")

    with pytest.raises(errors.TestFailedError):
        await patch(cluster, "c", patches.add(FENCE, "4:cordoned"))

    whole = {keys.FENCE_ANNOTATION: "4:cordoned"}
    changed = await patch(cluster, "c", patches.add("/metadata/annotations", whole))
    assert changed.metadata.annotations == whole


async def test_nothing_is_appended_to_a_list_that_is_absent(cluster: Cluster) -> None:
    """RFC 6902, section 4.1: the parent must exist; empty lists are left out of objects."""
    await cluster.config("c")

    with pytest.raises(errors.TestFailedError):
        await patch(cluster, "c", patches.add("/metadata/finalizers/-", "nodemend.dev/held"))


async def test_what_is_absent_is_neither_replaced_nor_removed(cluster: Cluster) -> None:
    """RFC 6902, sections 4.2 and 4.3."""
    before = await cluster.config("c")

    with pytest.raises(errors.TestFailedError):
        await patch(cluster, "c", patches.replace("/data/shape", "round"))
    with pytest.raises(errors.TestFailedError):
        await patch(cluster, "c", patches.remove("/data/shape"))

    assert await read(cluster, "c") == before


async def test_a_taint_is_appended_beside_the_others(cluster: Cluster) -> None:
    """RFC 6902, section 4.1: `-` is the place after the last."""
    node = await cluster.node()

    def mark(_seen: Node) -> list[Operation]:
        return [patches.add("/spec/unschedulable", value=True), patches.add("/spec/taints/-", OURS)]

    marked = await patch_node(cluster, node, mark)

    assert marked.spec.unschedulable
    assert {TAINT["key"], OURS["key"]} <= {taint.key for taint in marked.spec.taints}


async def test_a_taint_is_removed_by_its_place_and_a_test_of_its_key(cluster: Cluster) -> None:
    """RFC 6902, section 4.2: an index alone might be another one's by now."""
    node = await cluster.node()
    marked = await patch_node(cluster, node, lambda _seen: [patches.add("/spec/taints/0", OURS)])

    def unmark(seen: Node) -> list[Operation]:
        path = patches.pointer("spec", "taints", index(seen, OURS["key"]))
        return [patches.test(f"{path}/key", OURS["key"]), patches.remove(path)]

    bare = await patch_node(cluster, marked, unmark)

    keys_left = {taint.key for taint in bare.spec.taints}
    assert TAINT["key"] in keys_left
    assert OURS["key"] not in keys_left


async def test_a_place_that_holds_another_taint_fails_the_test(cluster: Cluster) -> None:
    """RFC 6902, section 4.6."""
    node = await cluster.node()
    path = patches.pointer("spec", "taints", index(node, TAINT["key"]))

    with pytest.raises(errors.TestFailedError):
        await cluster.client.json_patch(
            NODES,
            node.metadata.name,
            [patches.test(f"{path}/key", OURS["key"]), patches.remove(path)],
        )


async def test_a_cordon_is_removed_with_its_field(cluster: Cluster) -> None:
    """RFC 6902, section 4.2: false is left out of a Node, so there is nothing to replace."""
    node = await cluster.node()
    cordoned = await patch_node(
        cluster, node, lambda _seen: [patches.add("/spec/unschedulable", value=True)]
    )

    free = await patch_node(cluster, node, lambda _seen: [patches.remove("/spec/unschedulable")])

    assert cordoned.spec.unschedulable
    assert not free.spec.unschedulable
    with pytest.raises(errors.TestFailedError):
        await cluster.client.json_patch(
            NODES, node.metadata.name, [patches.remove("/spec/unschedulable")]
        )


async def test_a_patch_of_nobody_is_a_404(cluster: Cluster) -> None:
    """API conventions, "HTTP Status codes"."""
    with pytest.raises(errors.GoneError):
        await patch(cluster, "nobody", patches.add("/data", {}))
