"""What is deleted goes if it is the one that is meant, when nothing holds it, and takes its own."""

from collections.abc import Awaitable, Callable

import pytest

from nodehealth.health import NODE_HEALTHS
from nodehealth.kube import errors
from nodehealth.kube.objects import NODES, PODS, Object, Resource, T
from tests.contract.cluster import Cluster
from tests.contract.kinds import CONFIG_MAPS, NAMESPACES, Json

NOBODY = "00000000-0000-4000-8000-000000000000"
HELD = "nodemend.dev/held"


def gone(
    cluster: Cluster, resource: Resource[T], name: str, namespace: str = ""
) -> Callable[[], Awaitable[bool]]:
    """Look whether an object is there no more."""

    async def look() -> bool:
        try:
            await cluster.client.get(resource, name, namespace=namespace)
        except errors.GoneError:
            return True
        return False

    return look


def owned_by(owner: Object, resource: Resource[T], uid: str = "") -> Json:
    """Return the metadata of what belongs to an owner."""
    reference = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": owner.metadata.name,
        "uid": uid or owner.metadata.uid,
    }
    return {"ownerReferences": [reference]}


async def test_another_of_the_same_name_is_not_deleted(cluster: Cluster) -> None:
    """API reference, DeleteOptions.preconditions.uid: 409."""
    node = await cluster.node()
    name = node.metadata.name

    with pytest.raises(errors.ConflictError, match="UID in the precondition"):
        await cluster.client.delete(NODES, name, uid=NOBODY)

    assert (await cluster.client.get(NODES, name)).metadata.uid == node.metadata.uid
    await cluster.client.delete(NODES, name, uid=node.metadata.uid)
    assert await gone(cluster, NODES, name)()


async def test_what_has_changed_since_is_not_deleted(cluster: Cluster) -> None:
    """API reference, DeleteOptions.preconditions.resourceVersion: 409."""
    made = await cluster.config("c")
    name, space, seen = made.metadata.name, cluster.namespace, made.metadata.resource_version
    await cluster.client.merge_patch(
        CONFIG_MAPS, name, {"data": {"colour": "blue"}}, namespace=space
    )

    with pytest.raises(errors.ConflictError):
        await cluster.client.delete(CONFIG_MAPS, name, namespace=space, resource_version=seen)

    assert not await gone(cluster, CONFIG_MAPS, name, space)()


async def test_what_is_gone_cannot_be_deleted_again(cluster: Cluster) -> None:
    """API conventions, "HTTP Status codes": 404."""
    made = await cluster.config("c")
    name, space = made.metadata.name, cluster.namespace
    await cluster.client.delete(CONFIG_MAPS, name, namespace=space)

    with pytest.raises(errors.GoneError):
        await cluster.client.delete(CONFIG_MAPS, name, namespace=space)


async def test_a_finalizer_holds_what_is_deleted(cluster: Cluster) -> None:
    """Finalizers, "How finalizers work"."""
    made = await cluster.config("c", finalizers=[HELD])
    name, space = made.metadata.name, cluster.namespace

    await cluster.client.delete(CONFIG_MAPS, name, namespace=space)

    held = await cluster.client.get(CONFIG_MAPS, name, namespace=space)
    assert (held.metadata.uid, held.metadata.finalizers) == (made.metadata.uid, (HELD,))
    assert held.metadata.deletion_timestamp is not None
    free = {"metadata": {"finalizers": None}}
    await cluster.client.merge_patch(CONFIG_MAPS, name, free, namespace=space)
    assert await gone(cluster, CONFIG_MAPS, name, space)()


async def test_a_pod_on_a_node_waits_for_its_kubelet(cluster: Cluster) -> None:
    """Pod lifecycle, "Termination of Pods": it stays until a deletion without grace."""
    pod = await cluster.pod("p", await cluster.node())
    name, space = pod.metadata.name, cluster.namespace

    await cluster.client.delete(PODS, name, namespace=space, uid=pod.metadata.uid)

    leaving = await cluster.client.get(PODS, name, namespace=space)
    assert leaving.metadata.deletion_timestamp is not None
    assert leaving.metadata.deletion_grace_period_seconds == 30
    await cluster.client.delete(PODS, name, namespace=space, grace_seconds=0)
    assert await gone(cluster, PODS, name, space)()


async def test_the_grace_of_a_deletion_can_be_shortened_not_lengthened(cluster: Cluster) -> None:
    """rest.BeforeDelete: only a sooner end is taken."""
    pod = await cluster.pod("p", await cluster.node())
    name, space = pod.metadata.name, cluster.namespace

    async def grace(seconds: int) -> int | None:
        await cluster.client.delete(PODS, name, namespace=space, grace_seconds=seconds)
        seen = await cluster.client.get(PODS, name, namespace=space)
        return seen.metadata.deletion_grace_period_seconds

    assert [await grace(20), await grace(10), await grace(15)] == [20, 10, 10]


async def test_a_report_goes_with_its_node(cluster: Cluster) -> None:
    """Garbage collection, "Owners and dependents": in the background, custom kinds too."""
    healths = await cluster.custom(NODE_HEALTHS)
    node = await cluster.node()
    name = cluster.named("h")
    await cluster.create(healths, name, {"metadata": owned_by(node, NODES)})

    await cluster.client.delete(NODES, node.metadata.name)

    assert await cluster.until(gone(cluster, healths, name))


async def test_what_belongs_to_nobody_goes(cluster: Cluster) -> None:
    """Garbage collection, "Owners and dependents": an owner of another UID is no owner."""
    owner = await cluster.config("owner")
    await cluster.config("c", **owned_by(owner, CONFIG_MAPS, uid=NOBODY))

    assert await cluster.until(gone(cluster, CONFIG_MAPS, cluster.named("c"), cluster.namespace))


async def test_what_belongs_to_somebody_stays(cluster: Cluster) -> None:
    """Garbage collection, "Owners and dependents"."""
    owner = await cluster.config("owner")
    await cluster.config("kept", **owned_by(owner, CONFIG_MAPS))
    await cluster.config("lost", **owned_by(owner, CONFIG_MAPS, uid=NOBODY))

    await cluster.until(gone(cluster, CONFIG_MAPS, cluster.named("lost"), cluster.namespace))

    assert not await gone(cluster, CONFIG_MAPS, cluster.named("kept"), cluster.namespace)()


async def test_nothing_new_is_made_in_a_namespace_that_goes(cluster: Cluster) -> None:
    """NamespaceLifecycle admission: 403 with the cause NamespaceTerminating."""
    space = cluster.named("going")
    await cluster.create(NAMESPACES, space)
    held = {"metadata": {"finalizers": [HELD]}}
    await cluster.create(CONFIG_MAPS, cluster.named("held"), held, namespace=space)
    await cluster.client.delete(NAMESPACES, space)
    attempts = iter(range(10_000))

    async def refused() -> bool:
        try:
            await cluster.create(CONFIG_MAPS, cluster.named(f"c{next(attempts)}"), namespace=space)
        except errors.NamespaceTerminatingError:
            return True
        return False

    assert await cluster.until(refused)
