"""Our corner of a cluster is left as it was found."""

from nodehealth.health import NODE_HEALTHS
from nodehealth.kube import errors
from nodehealth.kube.objects import NODES, PODS, Resource, T
from tests.contract.cluster import LABEL, Cluster
from tests.contract.kinds import DEFINITIONS, NAMESPACES


async def left(cluster: Cluster, resource: Resource[T]) -> list[str]:
    """Return what is still there of ours."""
    found = await cluster.client.listing(resource, labels=f"{LABEL}={cluster.prefix}")
    return [each.metadata.name for each in found.items]


async def test_nothing_is_left_behind(cluster: Cluster) -> None:
    """Our own promise to whoever lends a cluster."""
    healths = await cluster.custom(NODE_HEALTHS)
    await cluster.create(healths, cluster.named("h"))
    await cluster.pod("p", await cluster.node())
    await cluster.config("c", finalizers=["nodemend.dev/held"])

    await cluster.clean()

    async def gone() -> bool:
        try:
            await cluster.client.get(NAMESPACES, cluster.namespace)
        except errors.GoneError:
            return True
        return False

    assert await cluster.until(gone)
    assert await left(cluster, NODES) == []
    assert await left(cluster, PODS) == []
    assert await left(cluster, DEFINITIONS) == []
