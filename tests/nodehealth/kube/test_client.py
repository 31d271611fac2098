"""The client asks what it should and reads what it is told."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodehealth.kube import errors, patches
from nodehealth.kube.client import Client
from nodehealth.kube.objects import LEASES, NODES, PODS, Lease, Metadata, Node
from nodehealth.kube.transport import Transport
from simulator import virtualtime
from tests.nodehealth.kube.fakes import DICE, Answer, Scripted, failure, node, nodes


def client(transport: Transport) -> Client:
    return Client(transport, manager="tester", random=DICE)


async def test_an_object_is_read_into_its_type() -> None:
    answer = node("a", 5, spec={"providerID": "x://1", "podCIDR": "10.0.0.0/8"})

    found = await client(Scripted(Answer(200, answer))).get(NODES, "a")

    assert found.spec.provider_id == "x://1"
    assert found.metadata.resource_version == "5"


async def test_the_servers_clock_is_remembered() -> None:
    door = client(Scripted(Answer(200, node("a"))))
    before = door.server_time

    await door.get(NODES, "a")

    assert before is None
    assert door.server_time == datetime(2026, 1, 1, 12, tzinfo=UTC)


async def test_a_read_sees_every_write_because_no_version_is_asked_for() -> None:
    server = Scripted(Answer(200, node("a")), Answer(200, nodes()))
    door = client(server)

    await door.get(NODES, "a")
    await door.listing(NODES)

    assert [dict(each.query) for each in server.asked] == [{}, {"limit": "500"}]


async def test_a_list_follows_its_pages_and_keeps_its_version() -> None:
    first, last = nodes(node("a"), node("b"), version=9, after="=+/&"), nodes(node("c"), version=9)
    server = Scripted(Answer(200, first), Answer(200, last))

    found = await client(server).listing(NODES, labels="a=b", fields="x=y", page=2)

    assert [each.metadata.name for each in found.items] == ["a", "b", "c"]
    assert found.resource_version == "9"
    selectors = {"labelSelector": "a=b", "fieldSelector": "x=y", "limit": "2"}
    assert server.asked[1].query == {**selectors, "continue": "=+/&"}


async def test_an_empty_list_is_null_in_go() -> None:
    found = await client(Scripted(Answer(200, nodes(version=3)))).listing(NODES)

    assert found.items == ()


async def test_a_list_that_expires_between_pages_is_no_list() -> None:
    server = Scripted(Answer(200, nodes(node("a"), after="x")), failure(410, "Expired"))

    with pytest.raises(errors.ExpiredError):
        await client(server).listing(NODES)


async def test_one_object_that_does_not_fit_hides_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    page = nodes(node("a"), node("b", spec={"unschedulable": "perhaps"}), node("c"))

    found = await client(Scripted(Answer(200, page))).listing(NODES)

    assert [each.metadata.name for each in found.items] == ["a", "c"]
    assert found.left_out == ("Node b",)
    assert "Node b is left out" in caplog.text


async def test_who_needs_all_objects_is_not_given_some_for_all() -> None:
    page = nodes(node("a"), node("b", spec={"unschedulable": "perhaps"}))
    found = await client(Scripted(Answer(200, page))).listing(NODES)

    with pytest.raises(errors.UnreadableError, match="Node b cannot be read"):
        found.whole()


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"", b'{"hello": 1}', b"[]"])
async def test_what_only_looks_like_an_answer_is_an_error(body: bytes) -> None:
    with pytest.raises((errors.UnavailableError, errors.UnreadableError)):
        await client(Scripted(*[Answer(200, body)] * 4)).get(NODES, "a")
    with pytest.raises((errors.UnavailableError, errors.UnreadableError)):
        await client(Scripted(*[Answer(200, body)] * 4)).listing(NODES)


async def test_a_write_with_a_strange_answer_may_have_happened() -> None:
    with pytest.raises(errors.OutcomeUnknownError):
        await client(Scripted(Answer(200, b"<html>"))).merge_patch(NODES, "a", {})


@virtualtime.played
async def test_a_read_is_tried_again_while_the_server_is_away() -> None:
    server = Scripted(
        Answer(502, b"<html>bad gateway</html>"), errors.UnreachableError(), Answer(200, node("a"))
    )

    found = await client(server).get(NODES, "a")

    assert found.metadata.name == "a"


@virtualtime.played
async def test_a_read_is_given_up_after_a_few_tries() -> None:
    server = Scripted(*[errors.UnreachableError("away")] * 9)

    with pytest.raises(errors.UnreachableError, match="away"):
        await client(server).listing(NODES)

    assert len(server.asked) == 4


@pytest.mark.parametrize("refusal", [failure(404), failure(403), failure(410), failure(429)])
async def test_a_read_that_is_refused_is_not_tried_again(refusal: Answer) -> None:
    server = Scripted(refusal)

    with pytest.raises(errors.KubeError):
        await client(server).get(NODES, "a")

    assert len(server.asked) == 1


async def test_a_write_is_sent_once() -> None:
    for code in (500, 502, 503, 504):
        server = Scripted(failure(code))

        with pytest.raises(errors.OutcomeUnknownError):
            await client(server).merge_patch(NODES, "a", {})

        assert len(server.asked) == 1


@virtualtime.played
async def test_an_answer_that_trickles_for_ever_meets_the_deadline() -> None:
    class Trickle(Answer):
        async def read(self) -> bytes:
            await asyncio.sleep(3600)
            return b""

    door = Client(Scripted(Trickle(200)), manager="t", deadline=timedelta(seconds=2))

    with pytest.raises(errors.OutcomeUnknownError, match="no answer within 2 s"):
        await door.merge_patch(NODES, "a", {})


async def test_a_new_object_carries_its_kind() -> None:
    stored = {"kind": "Lease", "metadata": {"name": "l"}}
    server = Scripted(Answer(201, stored), Answer(201, stored))
    door = client(server)

    await door.create(LEASES, Lease(metadata=Metadata(name="l")), namespace="n")
    await door.create(LEASES, {"metadata": {"name": "l"}}, namespace="n")

    assert server.body(0) == server.body(1)
    assert server.body(0) == {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "l"},
    }
    assert server.asked[0].path == "/apis/coordination.k8s.io/v1/namespaces/n/leases"
    assert server.asked[0].query == {"fieldManager": "tester"}


async def test_a_replacement_goes_to_the_object_or_its_status() -> None:
    server = Scripted(Answer(200, node("a")))

    await client(server).replace(NODES, Node(), name="a", subresource="status")

    assert (server.asked[0].method, server.asked[0].path) == ("PUT", "/api/v1/nodes/a/status")


async def test_each_patch_says_what_it_is() -> None:
    server = Scripted(*[Answer(200, node("a"))] * 3)
    door = client(server)
    fence = patches.pointer("metadata", "annotations", "nodemend.dev/slot")

    await door.merge_patch(NODES, "a", {"spec": {"unschedulable": None}})
    await door.strategic_patch(NODES, "a", {"status": {}}, subresource="status")
    await door.json_patch(NODES, "a", [patches.test(fence, None), patches.remove("/spec/taints/0")])

    kinds = [each.headers["content-type"] for each in server.asked]
    assert [kind.removeprefix("application/") for kind in kinds] == [
        "merge-patch+json",
        "strategic-merge-patch+json",
        "json-patch+json",
    ]
    assert server.body(0) == {"spec": {"unschedulable": None}}
    assert server.asked[1].path == "/api/v1/nodes/a/status"
    assert server.body(2) == [
        {"op": "test", "path": "/metadata/annotations/nodemend.dev~1slot", "value": None},
        {"op": "remove", "path": "/spec/taints/0"},
    ]


async def test_a_deletion_names_the_one_that_is_meant() -> None:
    server = Scripted(Answer(200, {}), Answer(200, {}))
    door = client(server)

    await door.delete(PODS, "p", namespace="n", uid="u", resource_version="5", grace_seconds=0)
    await door.delete(NODES, "a")

    assert server.body(0) == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": "u", "resourceVersion": "5"},
        "gracePeriodSeconds": 0,
    }
    assert server.body(1) == {"apiVersion": "v1", "kind": "DeleteOptions"}


async def test_an_eviction_has_time_for_the_servers_own_retries() -> None:
    server = Scripted(Answer(201, {}))
    door = Client(server, manager="tester", deadline=timedelta(seconds=1))

    await door.evict("p", namespace="n", uid="u")

    assert server.deadlines == [timedelta(seconds=15)]


@pytest.mark.parametrize("dry_run", [False, True])
async def test_an_eviction_is_one_that_the_official_models_know(dry_run: bool) -> None:  # noqa: FBT001 - a parameter of the test
    from kubernetes import client as official  # noqa: PLC0415 - slow

    server = Scripted(Answer(201, {}))

    await client(server).evict("p", namespace="n", uid="u", grace_seconds=3, dry_run=dry_run)

    eviction = official.V1Eviction(
        api_version="policy/v1",
        kind="Eviction",
        metadata=official.V1ObjectMeta(name="p", namespace="n"),
        delete_options=official.V1DeleteOptions(
            api_version="v1",
            kind="DeleteOptions",
            preconditions=official.V1Preconditions(uid="u"),
            grace_period_seconds=3,
            dry_run=["All"] if dry_run else None,
        ),
    )
    assert server.body() == official.ApiClient().sanitize_for_serialization(eviction)  # type: ignore[no-untyped-call]  # it has no types
    assert server.asked[0].path == "/api/v1/namespaces/n/pods/p/eviction"
    assert server.asked[0].query.get("dryRun") == ("All" if dry_run else None)


@given(st.lists(st.text(min_size=1)))
def test_a_pointer_leads_back_to_its_parts(parts: list[str]) -> None:
    pointer = patches.pointer(*parts)

    back = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    assert back == parts


def test_an_operation_on_nothing_still_says_null() -> None:
    encoded = msgspec.json.encode([patches.add("/a", None), patches.replace("/b", 1)])

    assert json.loads(encoded) == [
        {"op": "add", "path": "/a", "value": None},
        {"op": "replace", "path": "/b", "value": 1},
    ]


async def test_a_binding_is_one_that_the_official_models_know() -> None:
    from kubernetes import client as official  # noqa: PLC0415 - slow

    server = Scripted(Answer(201, {}))

    await client(server).bind("p", namespace="n", uid="u", node="n1")

    binding = official.V1Binding(
        api_version="v1",
        kind="Binding",
        metadata=official.V1ObjectMeta(name="p", namespace="n", uid="u"),
        target=official.V1ObjectReference(api_version="v1", kind="Node", name="n1"),
    )
    assert server.body() == official.ApiClient().sanitize_for_serialization(binding)  # type: ignore[no-untyped-call]  # it has no types
    assert server.asked[0].path == "/api/v1/namespaces/n/pods/p/binding"
