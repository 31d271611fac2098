"""Locks of others are honoured where the policy names them, and ours is one of them."""

import asyncio
from collections.abc import Mapping

import pytest
from msgspec import structs

from nodehealth.kube import errors
from nodehealth.kube.objects import LEASES, Lease, Node, Object, Resource, micro_time
from remediator.decide import locks
from remediator.neighbours import (
    DAEMON_SETS,
    LEASE_NAMESPACE,
    MACHINES,
    MAINTENANCES,
    Neighbours,
    NodeMaintenance,
)
from remediator.rules.policy import Coexistence
from simulator import virtualtime
from tests.builders import node
from tests.remediator.conftest import DEFINITIONS
from tests.remediator.leading import Fleet, fleet

MEDIK8S = Coexistence(medik8s=True)
KURED = Coexistence(kured=("kube-system", "kured"))
CAPI = Coexistence(machines=True)
LEASE = "node-n1"
NAMESPACES = Resource(
    group="", version="v1", plural="namespaces", kind="Namespace", namespaced=False, type=Object
)


def beside(world: Fleet, settings: Coexistence = MEDIK8S) -> Neighbours:
    return Neighbours(client=world.client, clock=virtualtime.clock(), settings=lambda: settings)


async def place(world: Fleet, name: str = LEASE_NAMESPACE) -> None:
    await world.agent.create(NAMESPACES, {"metadata": {"name": name}})


async def define(world: Fleet, kind: Resource[Object]) -> None:
    """Have the cluster serve a kind of others."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": kind.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"plural": kind.plural, "singular": kind.kind.lower(), "kind": kind.kind}
    spec = {
        "group": kind.group,
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "names": {**names, "listKind": f"{kind.kind}List"},
        "versions": [version],
    }
    metadata = {"name": f"{kind.plural}.{kind.group}"}
    await world.agent.create(DEFINITIONS, {"metadata": metadata, "spec": spec})


async def leased(world: Fleet, holder: str, seconds: int = 600) -> None:
    at = micro_time(virtualtime.clock()())
    spec = {"holderIdentity": holder, "leaseDurationSeconds": seconds, "renewTime": at}
    body = {"metadata": {"name": LEASE}, "spec": spec}
    await world.agent.create(LEASES, body, namespace=LEASE_NAMESPACE)


async def lease(world: Fleet) -> Lease:
    return await world.agent.get(LEASES, LEASE, namespace=LEASE_NAMESPACE)


@virtualtime.played
async def test_what_the_policy_does_not_name_is_not_asked_for() -> None:
    world = await fleet()
    await place(world)
    await leased(world, "node-maintenance")
    one = beside(world, Coexistence())

    assert await one.at_work() == {}
    assert await one.held("n1", node()) == ""


@virtualtime.played
async def test_a_node_that_nobody_holds_is_leased_by_us_and_given_back() -> None:
    world = await fleet()
    await place(world)
    one = beside(world)

    said = await one.held("n1", node())
    ours = await lease(world)
    await one.let_go("n1")

    assert (said, ours.spec.holder_identity) == ("", locks.HOLDER)
    assert await one.at_work() == {}
    with pytest.raises(errors.GoneError):
        await lease(world)


@virtualtime.played
async def test_who_holds_the_lease_is_named_and_keeps_it() -> None:
    world = await fleet()
    await place(world)
    await leased(world, "node-maintenance")
    one = beside(world)

    said = await one.held("n1", node())
    await one.let_go("n1")

    assert said == "node-maintenance (lease medik8s-leases/node-n1)"
    assert await one.at_work() == {"n1": said}
    assert (await lease(world)).spec.holder_identity == "node-maintenance"


@virtualtime.played
async def test_a_lease_that_ran_out_is_taken_over() -> None:
    world = await fleet()
    await place(world)
    await leased(world, "node-maintenance", seconds=5)
    await asyncio.sleep(6)

    assert await beside(world).held("n1", node()) == ""
    assert (await lease(world)).spec.holder_identity == locks.HOLDER


@virtualtime.played
async def test_our_lease_is_renewed_while_we_work() -> None:
    world = await fleet()
    await place(world)
    one = beside(world)
    await one.held("n1", node())
    first = (await lease(world)).spec
    await asyncio.sleep(locks.TERM.total_seconds() / 2)

    await one.held("n1", node())

    renewed = (await lease(world)).spec
    assert renewed.acquire_time == first.acquire_time
    assert renewed.renew_time is not None
    assert first.renew_time is not None
    assert renewed.renew_time > first.renew_time


@virtualtime.played
async def test_where_nobody_keeps_leases_there_is_none_to_take() -> None:
    world = await fleet()
    one = beside(world)

    assert await one.held("n1", node()) == ""
    await one.let_go("n1")


@virtualtime.played
async def test_a_node_that_is_maintained_by_an_object_is_held() -> None:
    world = await fleet()
    await define(world, _plain(MAINTENANCES))
    body = {"metadata": {"name": "m"}, "spec": {"nodeName": "n1"}}
    await world.agent.create(_plain(MAINTENANCES), body)

    assert await beside(world).at_work() == {"n1": "who made NodeMaintenance m"}
    assert await beside(world).held("n1", node()) == "who made NodeMaintenance m"


def _plain(kind: Resource[NodeMaintenance]) -> Resource[Object]:
    return Resource(
        group=kind.group,
        version=kind.version,
        plural=kind.plural,
        kind=kind.kind,
        namespaced=kind.namespaced,
        type=Object,
    )


@virtualtime.played
async def test_a_node_that_kured_locked_is_held() -> None:
    world = await fleet()
    await world.agent.create(
        DAEMON_SETS, daemon_set({locks.KURED_LOCK: '{"nodeID":"n1"}'}), namespace="kube-system"
    )

    assert (await beside(world, KURED).at_work()).keys() == {"n1"}


def daemon_set(annotations: Mapping[str, str]) -> dict[str, object]:
    labels = {"name": "kured"}
    container = {"name": "kured", "image": "kured"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "metadata": {"name": "kured", "annotations": annotations},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


@virtualtime.played
async def test_without_kureds_daemon_set_nobody_is_held() -> None:
    assert await beside(await fleet(), KURED).at_work() == {}


def of_machine(name: str) -> Node:
    seen = node()
    annotations = {
        locks.MACHINE_ANNOTATION: name,
        locks.MACHINE_NAMESPACE_ANNOTATION: "default",
    }
    return structs.replace(seen, metadata=structs.replace(seen.metadata, annotations=annotations))


@virtualtime.played
async def test_a_machine_that_is_paused_keeps_us_off_its_node() -> None:
    world = await fleet()
    await define(world, MACHINES[1])
    for name, annotations in (("m1", {"cluster.x-k8s.io/paused": ""}), ("m2", {})):
        metadata = {"name": name, "annotations": annotations}
        await world.agent.create(MACHINES[1], {"metadata": metadata}, namespace="default")

    said = [await beside(world, CAPI).held("n1", of_machine(each)) for each in ("m1", "m2", "m3")]

    assert said == ["whoever put cluster.x-k8s.io/paused on Machine default/m1", "", ""]
    assert await beside(world, CAPI).held("n1", node()) == ""
    assert await beside(world, CAPI).held("n1", None) == ""


@virtualtime.played
async def test_what_was_read_for_one_step_is_believed_for_ten_seconds() -> None:
    world = await fleet()
    await place(world)
    await leased(world, "node-maintenance", seconds=5)
    one = beside(world)

    first = await one.held("n1", node())
    await asyncio.sleep(6)
    soon = await one.held("n1", node())
    await asyncio.sleep(6)

    assert first == soon != ""
    assert await one.held("n1", node()) == ""


def ours(name: str = "") -> Node:
    """Return a node that we hold, of a machine if one is named."""
    marked = node(fence="5:disrupted", unschedulable=True)
    known = {**marked.metadata.annotations, **of_machine(name).metadata.annotations}
    return (
        structs.replace(marked, metadata=structs.replace(marked.metadata, annotations=known))
        if name
        else marked
    )


@virtualtime.played
async def test_who_has_the_lease_keeps_a_node_from_being_given_back() -> None:
    world = await fleet()
    await place(world)
    await leased(world, "node-maintenance")
    one = beside(world)

    first = await one.keeper(ours())
    await world.agent.delete(LEASES, LEASE, namespace=LEASE_NAMESPACE)
    soon = await one.keeper(ours())
    await asyncio.sleep(11)

    assert first == soon == "node-maintenance (lease medik8s-leases/node-n1)"
    assert await one.keeper(ours()) == ""
    assert await beside(world, Coexistence()).keeper(ours()) == ""


@virtualtime.played
async def test_who_waits_for_the_lease_that_we_have_is_not_waited_for() -> None:
    world = await fleet()
    await place(world)
    await define(world, _plain(MAINTENANCES))
    wanted = {"metadata": {"name": "m"}, "spec": {"nodeName": "n1"}}
    await world.agent.create(_plain(MAINTENANCES), wanted)
    one = beside(world)

    said = await one.held("n1", node())

    assert said == "who made NodeMaintenance m"
    assert (await lease(world)).spec.holder_identity == locks.HOLDER
    assert await one.keeper(ours()) == ""


@virtualtime.played
async def test_a_machine_that_is_deleted_keeps_its_node_and_one_that_is_paused_does_not() -> None:
    world = await fleet()
    await define(world, MACHINES[0])
    marks = {"annotations": {"cluster.x-k8s.io/paused": ""}, "finalizers": ["example.com/x"]}
    await world.agent.create(
        MACHINES[0], {"metadata": {"name": "m1", **marks}}, namespace="default"
    )

    before = await beside(world, CAPI).keeper(ours("m1"))
    await world.agent.delete(MACHINES[0], "m1", namespace="default")
    after = await beside(world, CAPI).keeper(ours("m1"))

    assert (before, after) == ("", "Cluster API, which deletes Machine default/m1,")
