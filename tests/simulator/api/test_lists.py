"""Lists: selections, pages that belong together, and versions that are gone."""

from collections.abc import Sequence

import pytest

from simulator.api.direct import Direct
from simulator.api.server import ApiServer
from simulator.api.status import StatusError
from simulator.api.wire import JsonObject

NODES = "/api/v1/nodes"


def make(direct: Direct, *names: str, **labels: str) -> None:
    """Make nodes of these names."""
    for name in names:
        direct.create("nodes", {"metadata": {"name": name, "labels": labels}})


def names(found: JsonObject | Sequence[JsonObject]) -> list[str]:
    """Return the names in a list."""
    items = found["items"] if isinstance(found, dict) else found
    return [item["metadata"]["name"] for item in items]


def page(direct: Direct, **query: str) -> JsonObject:
    """Ask for a page of nodes."""
    return direct.ask("GET", NODES, query=query)


def test_items_of_built_in_kinds_do_not_name_their_kind(direct: Direct) -> None:
    make(direct, "a")

    found = page(direct)

    assert (found["kind"], found["apiVersion"]) == ("NodeList", "v1")
    assert "kind" not in found["items"][0]


def test_a_list_is_in_the_order_of_names(direct: Direct) -> None:
    make(direct, "b", "c", "a")

    assert names(direct.listed("nodes")) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("pool=x", ["a"]),
        ("pool==x", ["a"]),
        ("pool!=x", ["b", "c"]),
        ("pool in (x, y)", ["a", "b"]),
        ("pool notin (x,y)", ["c"]),
        ("pool", ["a", "b"]),
        ("!pool", ["c"]),
        ("pool,pool!=y", ["a"]),
        ("rank>1", ["c"]),
        ("rank<2", []),
    ],
)
def test_label_selectors(direct: Direct, selector: str, chosen: list[str]) -> None:
    make(direct, "a", pool="x")
    make(direct, "b", pool="y")
    make(direct, "c", rank="2")

    assert names(direct.listed("nodes", labels=selector)) == chosen


@pytest.mark.parametrize("selector", ["a=b=c", "a in b", "=", "a,,b"])
def test_an_unreadable_label_selector_is_400(direct: Direct, selector: str) -> None:
    with pytest.raises(StatusError) as refused:
        direct.listed("nodes", labels=selector)

    assert refused.value.code == 400


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("metadata.name=a", ["a"]),
        ("metadata.name!=a", ["b"]),
        ("spec.unschedulable=true", ["b"]),
        ("spec.unschedulable=false", ["a"]),
    ],
)
def test_field_selectors(direct: Direct, selector: str, chosen: list[str]) -> None:
    make(direct, "a", "b")
    direct.merge("nodes", "b", {"spec": {"unschedulable": True}})

    assert names(direct.listed("nodes", fields=selector)) == chosen


def test_a_field_that_is_not_indexed_is_400(direct: Direct) -> None:
    with pytest.raises(StatusError, match=r"field label not supported: spec.foo"):
        direct.listed("nodes", fields="spec.foo=1")


def test_pages_show_the_moment_of_the_first(direct: Direct) -> None:
    make(direct, "a", "b", "c", "d")
    first = page(direct, limit="2")
    direct.delete("nodes", "c")
    make(direct, "bb")
    direct.merge("nodes", "d", {"metadata": {"labels": {"new": "yes"}}})

    second = page(direct, limit="2", **{"continue": first["metadata"]["continue"]})

    assert first["metadata"]["remainingItemCount"] == 2
    assert names(second) == ["c", "d"]
    assert "labels" not in second["items"][1]["metadata"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert "continue" not in second["metadata"]


def test_a_page_after_compaction_is_410(api: ApiServer, direct: Direct) -> None:
    make(direct, "a", "b", "c")
    token = page(direct, limit="1")["metadata"]["continue"]
    make(direct, "d")
    api.compact()

    with pytest.raises(StatusError, match="continue parameter is too old") as refused:
        page(direct, limit="1", **{"continue": token})

    assert (refused.value.code, refused.value.reason) == (410, "Expired")


def test_an_exact_version_shows_the_past(direct: Direct) -> None:
    make(direct, "a")
    version = page(direct)["metadata"]["resourceVersion"]
    make(direct, "b")

    then = page(direct, resourceVersion=version, resourceVersionMatch="Exact")
    now = page(direct, resourceVersion=version, resourceVersionMatch="NotOlderThan")

    assert (names(then), names(now)) == (["a"], ["a", "b"])


def test_a_version_of_the_future_is_504(direct: Direct) -> None:
    with pytest.raises(StatusError, match="Too large resource version") as refused:
        page(direct, resourceVersion="999999")

    assert (refused.value.code, refused.value.retry_after) == (504, 1)


def test_a_namespace_holds_only_its_own(direct: Direct) -> None:
    direct.create("namespaces", {"metadata": {"name": "default-2"}})
    for namespace in ("default", "default-2", "nodemend"):
        direct.create("configmaps", {"metadata": {"name": namespace}}, namespace=namespace)

    assert names(direct.listed("configmaps", namespace="default")) == ["default"]
    assert len(direct.listed("configmaps")) == 3


def test_a_collection_is_deleted_by_selector(direct: Direct) -> None:
    make(direct, "a", pool="x")
    make(direct, "b", pool="y")

    direct.ask("DELETE", NODES, query={"labelSelector": "pool=x"})

    assert names(direct.listed("nodes")) == ["b"]
