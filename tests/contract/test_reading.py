"""Lists are of one moment, selectors select, and every answer says what time it is."""

from email.utils import parsedate_to_datetime

import pytest

from nodehealth.kube import errors
from nodehealth.kube.objects import NODES, PODS
from remediator.decide import unplaced
from tests.contract.cluster import Cluster
from tests.contract.emulation import Emulated
from tests.contract.kinds import CONFIG_MAPS


async def test_all_pages_of_a_list_are_of_one_moment(cluster: Cluster) -> None:
    """API concepts, "Retrieving large results sets in chunks"."""
    for number in range(4):
        await cluster.config(f"c{number}")
    path = CONFIG_MAPS.path(cluster.namespace)
    first = (await cluster.ask("GET", path, query={"limit": "2"})).body
    await cluster.config("c9")
    await cluster.client.delete(CONFIG_MAPS, cluster.named("c3"), namespace=cluster.namespace)

    pages, token = [first], first["metadata"]["continue"]
    while token:
        page = (await cluster.ask("GET", path, query={"limit": "2", "continue": token})).body
        pages.append(page)
        token = page["metadata"].get("continue")

    names = [item["metadata"]["name"] for page in pages for item in page["items"]]
    ours = [name for name in names if name.startswith(cluster.prefix)]
    assert ours == [cluster.named(f"c{number}") for number in range(4)]
    assert len({page["metadata"]["resourceVersion"] for page in pages}) == 1


async def test_a_list_in_pages_is_complete(cluster: Cluster) -> None:
    """API concepts, "Retrieving large results sets in chunks"."""
    made = [await cluster.config(f"c{number}") for number in range(5)]

    found = await cluster.client.listing(CONFIG_MAPS, namespace=cluster.namespace, page=2)

    assert {each.metadata.uid for each in made} <= {each.metadata.uid for each in found.items}


async def test_a_list_sees_every_write_that_was_answered(cluster: Cluster) -> None:
    """API concepts, "Semantics for get and list": unset is the most recent."""
    for number in range(5):
        made = await cluster.config(f"c{number}")
        found = await cluster.client.listing(CONFIG_MAPS, namespace=cluster.namespace)

        assert made.metadata.uid in {each.metadata.uid for each in found.items}
        assert int(found.resource_version) >= int(made.metadata.resource_version)


async def test_a_list_of_nothing_is_a_list(cluster: Cluster) -> None:
    """API concepts, "Resource URIs": an empty collection is no 404."""
    found = await cluster.client.listing(PODS, namespace=cluster.namespace)

    assert found.items == ()
    assert found.resource_version.isdigit()


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("pool=a", {"one"}),
        ("pool==a", {"one"}),
        ("pool!=a", {"two", "three"}),
        ("pool in (a,b)", {"one", "two"}),
        ("pool notin (a,b)", {"three"}),
        ("pool", {"one", "two"}),
        ("!pool", {"three"}),
        ("pool,gpu=8", {"two"}),
    ],
)
async def test_labels_select_nodes(cluster: Cluster, selector: str, expected: set[str]) -> None:
    """Labels and selectors, "API": equality, sets, presence, and all of them."""
    await cluster.node("one", labels={"pool": "a"})
    await cluster.node("two", labels={"pool": "b", "gpu": "8"})
    await cluster.node("three", labels={"gpu": "8"})
    ours = f"nodemend.dev/contract={cluster.prefix}"

    found = await cluster.client.listing(NODES, labels=f"{ours},{selector}")

    assert {each.metadata.name for each in found.items} == {cluster.named(n) for n in expected}


async def test_the_node_of_a_pod_selects_it_in_every_namespace(cluster: Cluster) -> None:
    """Field selectors, "Supported fields": spec.nodeName of pods."""
    here, elsewhere = await cluster.node("here"), await cluster.node("elsewhere")
    pod = await cluster.pod("a", here)
    await cluster.pod("b", elsewhere)

    found = await cluster.client.listing(PODS, fields=f"spec.nodeName={here.metadata.name}")

    # daemons that tolerate everything may come to a real node too
    ours = [each for each in found.items if each.metadata.namespace == cluster.namespace]
    assert [each.metadata.uid for each in ours] == [pod.metadata.uid]


@pytest.mark.parametrize("cached", [False, True])
async def test_pods_of_no_node_are_selected_by_an_empty_name(
    cluster: Cluster, *, cached: bool
) -> None:
    """Field selectors, "Supported fields": spec.nodeName and status.phase of pods."""
    await cluster.pod("a", await cluster.node("here"), phase="Pending")
    main = {"name": "main", "image": "registry.example/none:1"}
    spec = {"schedulerName": "nobody", "containers": [main]}
    waiting = await cluster.create(PODS, cluster.named("b"), {"spec": spec})

    async def found() -> bool:
        listed = await cluster.client.listing(PODS, fields=unplaced.FIELDS, cached=cached)
        ours = [each for each in listed.items if each.metadata.namespace == cluster.namespace]
        return [each.metadata.uid for each in ours] == [waiting.metadata.uid]

    await cluster.until(found)


async def test_a_field_that_cannot_select_is_refused(cluster: Cluster) -> None:
    """Field selectors, "Supported fields": others are a 400."""
    with pytest.raises(errors.InvalidError, match="field label not supported"):
        await cluster.client.listing(PODS, namespace=cluster.namespace, fields="spec.colour=red")


async def test_what_is_not_there_is_told_apart_from_failure(cluster: Cluster) -> None:
    """API conventions, "HTTP Status codes": 404 StatusNotFound."""
    with pytest.raises(errors.GoneError, match="not found"):
        await cluster.client.get(NODES, cluster.named("nobody"))


async def test_a_name_that_is_given_again_is_another_object(cluster: Cluster) -> None:
    """Object names and IDs, "UIDs": unique over the lifetime of the cluster."""
    before = await cluster.config("c")
    await cluster.client.delete(CONFIG_MAPS, before.metadata.name, namespace=cluster.namespace)

    after = await cluster.config("c")

    assert after.metadata.name == before.metadata.name
    assert after.metadata.uid != before.metadata.uid


async def test_every_answer_carries_the_servers_time(cluster: Cluster) -> None:
    """RFC 9110, "Date", which Go's HTTP server sends."""
    found = await cluster.ask("GET", NODES.path(), query={"limit": "1"})
    missing = await cluster.ask("GET", NODES.path(name=cluster.named("nobody")))

    assert (found.code, missing.code) == (200, 404)
    times = [parsedate_to_datetime(each.headers["date"]) for each in (found, missing)]
    assert times[0] <= times[1]


async def test_a_page_of_a_forgotten_moment_has_expired(emulator: Emulated) -> None:
    """API concepts, "410 Gone responses". A real server forgets when it likes."""
    cluster = emulator.cluster
    for number in range(3):
        await cluster.config(f"c{number}")
    path = CONFIG_MAPS.path(cluster.namespace)
    first = (await cluster.ask("GET", path, query={"limit": "1"})).body
    await cluster.config("c9")
    cluster.forget()

    token = first["metadata"]["continue"]
    page = await cluster.ask("GET", path, query={"limit": "1", "continue": token})

    assert (page.code, page.body["reason"]) == (410, "Expired")
