"""Who writes on the strength of what he read is told when it has changed since."""

import asyncio

import pytest

from nodehealth.kube import errors
from tests.contract.cluster import Cluster
from tests.contract.kinds import CONFIG_MAPS, ConfigMap, Json


async def patch(cluster: Cluster, name: str, body: Json) -> ConfigMap:
    """Change an object by a merge patch."""
    return await cluster.client.merge_patch(
        CONFIG_MAPS, cluster.named(name), body, namespace=cluster.namespace
    )


async def read(cluster: Cluster, name: str) -> ConfigMap:
    """Read an object."""
    return await cluster.client.get(CONFIG_MAPS, cluster.named(name), namespace=cluster.namespace)


async def replace(cluster: Cluster, seen: ConfigMap, colour: str) -> ConfigMap:
    """Put an object with another colour in the place of the one that was seen."""
    body: Json = {
        "metadata": {
            "name": seen.metadata.name,
            "resourceVersion": seen.metadata.resource_version,
            "labels": dict(seen.metadata.labels),
        },
        "data": {"colour": colour},
    }
    return await cluster.client.replace(
        CONFIG_MAPS, body, name=seen.metadata.name, namespace=cluster.namespace
    )


async def test_of_two_that_create_a_name_one_fails(cluster: Cluster) -> None:
    """API conventions, "HTTP Status codes": 409 AlreadyExists."""
    made = await cluster.config("c")

    with pytest.raises(errors.ConflictError, match="already exists"):
        await cluster.config("c")

    assert (await read(cluster, "c")).metadata.uid == made.metadata.uid


async def test_a_replace_of_what_has_changed_since_fails(cluster: Cluster) -> None:
    """API conventions, "Concurrency Control and Consistency"."""
    seen = await cluster.config("c")
    await patch(cluster, "c", {"data": {"colour": "blue"}})

    with pytest.raises(errors.ConflictError, match="has been modified"):
        await replace(cluster, seen, "green")

    assert (await read(cluster, "c")).data == {"colour": "blue"}


async def test_of_many_that_swap_the_same_version_one_wins(cluster: Cluster) -> None:
    """API conventions, "Concurrency Control and Consistency"."""
    seen = await cluster.config("c")

    swaps = (replace(cluster, seen, str(number)) for number in range(8))
    outcomes = await asyncio.gather(*swaps, return_exceptions=True)

    won = [each for each in outcomes if isinstance(each, ConfigMap)]
    lost = [each for each in outcomes if isinstance(each, errors.ConflictError)]
    assert (len(won), len(lost)) == (1, 7)
    assert await read(cluster, "c") == won[0]


async def test_a_version_in_a_merge_patch_is_a_condition(cluster: Cluster) -> None:
    """API conventions, "Concurrency Control and Consistency": in patches too."""
    seen = await cluster.config("c")
    await patch(cluster, "c", {"data": {"colour": "blue"}})
    stale = {"metadata": {"resourceVersion": seen.metadata.resource_version}}

    with pytest.raises(errors.ConflictError, match="has been modified"):
        await patch(cluster, "c", {**stale, "data": {"colour": "green"}})

    assert (await read(cluster, "c")).data == {"colour": "blue"}


async def test_a_merge_patch_without_a_version_always_applies(cluster: Cluster) -> None:
    """API conventions, "PATCH operations"."""
    await cluster.config("c")
    await patch(cluster, "c", {"data": {"colour": "blue"}})

    await patch(cluster, "c", {"data": {"shape": "round"}})

    assert (await read(cluster, "c")).data == {"colour": "blue", "shape": "round"}


async def test_a_uid_in_a_merge_patch_is_no_conflict_but_invalid(cluster: Cluster) -> None:
    """ValidateObjectMetaUpdate: a UID is immutable; 422."""
    await cluster.config("c")
    other = {"metadata": {"uid": "00000000-0000-4000-8000-000000000000"}}

    with pytest.raises(errors.InvalidError, match="field is immutable"):
        await patch(cluster, "c", {**other, "data": {"colour": "green"}})

    assert (await read(cluster, "c")).data == {"colour": "red"}


async def test_every_write_moves_the_version_on(cluster: Cluster) -> None:
    """API concepts, "Resource versions"."""
    first = await cluster.config("c")
    second = await patch(cluster, "c", {"data": {"colour": "blue"}})
    third = await replace(cluster, second, "green")

    versions = [int(each.metadata.resource_version) for each in (first, second, third)]
    assert versions[0] < versions[1] < versions[2]


async def test_a_write_that_changes_nothing_moves_nothing(cluster: Cluster) -> None:
    """etcd3 store.GuaranteedUpdate: the same bytes are not written."""
    await cluster.config("c")
    seen = await patch(cluster, "c", {"data": {"colour": "blue"}})

    again = await patch(cluster, "c", {"data": {"colour": "blue"}})
    replaced = await replace(cluster, again, "blue")

    assert again == replaced == seen
