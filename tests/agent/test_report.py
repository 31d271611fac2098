"""The agent's own object: made where there is none, owned by its Node, written whole."""

from datetime import UTC, datetime

import msgspec
import pytest

from agent import fitting
from agent.report import NotOursError, Report
from nodehealth.health import NODE_HEALTHS, Event, Level, NodeHealth, NodeHealthStatus
from nodehealth.kube.client import Client
from nodehealth.kube.errors import GoneError
from nodehealth.kube.objects import Metadata, Node, OwnerReference
from simulator.api.direct import Direct

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LEVEL = Level(name="disk.free_ratio", subject="/", value=0.5, since=NOON)
XID = Event(name="gpu.xid", boot_id="b", fields={"code": 79})
STATUS = NodeHealthStatus(
    node_uid="u", boot_id="b", levels=(LEVEL,), events=(XID,), reported_at=NOON
)


def reporter(client: Client, node: Node) -> Report:
    return Report(client, node=node.metadata.name, node_uid=node.metadata.uid)


async def test_the_first_report_makes_the_object_and_the_node_owns_it(
    client: Client, node: Node
) -> None:
    await reporter(client, node).send(STATUS)

    made = await client.get(NODE_HEALTHS, "n1")
    (owner,) = made.metadata.owner_references
    assert made.status == STATUS
    assert (owner.kind, owner.name, owner.uid) == ("Node", "n1", node.metadata.uid)


async def test_a_report_replaces_the_one_before_whole(client: Client, node: Node) -> None:
    reporting = reporter(client, node)
    await reporting.send(STATUS)

    await reporting.send(NodeHealthStatus(boot_id="c"))

    assert (await client.get(NODE_HEALTHS, "n1")).status == NodeHealthStatus(boot_id="c")


async def test_an_agent_that_restarts_goes_on_with_its_object(client: Client, node: Node) -> None:
    await reporter(client, node).send(STATUS)
    before = (await client.get(NODE_HEALTHS, "n1")).metadata.uid

    await reporter(client, node).send(NodeHealthStatus(boot_id="c"))

    after = await client.get(NODE_HEALTHS, "n1")
    assert (after.metadata.uid, after.status.boot_id) == (before, "c")


async def test_an_object_that_was_deleted_is_made_again(client: Client, node: Node) -> None:
    reporting = reporter(client, node)
    await reporting.send(STATUS)
    await client.delete(NODE_HEALTHS, "n1")

    await reporting.send(STATUS)

    assert (await client.get(NODE_HEALTHS, "n1")).status == STATUS


async def test_the_report_of_a_machine_that_was_replaced_is_left_to_the_garbage_collector(
    client: Client, node: Node
) -> None:
    old = OwnerReference(api_version="v1", kind="Node", name="n1", uid="an-older-uid")
    await client.create(
        NODE_HEALTHS, NodeHealth(metadata=Metadata(name="n1", owner_references=(old,)))
    )
    reporting = reporter(client, node)

    with pytest.raises(NotOursError, match="belongs to the Node with UID an-older-uid, not to"):
        await reporting.send(STATUS)
    left = await client.get(NODE_HEALTHS, "n1")
    await client.delete(NODE_HEALTHS, "n1")
    await reporting.send(STATUS)

    assert left.status == NodeHealthStatus()
    assert (await client.get(NODE_HEALTHS, "n1")).status == STATUS


async def test_an_object_that_nobody_owns_is_adopted(client: Client, node: Node) -> None:
    await client.create(NODE_HEALTHS, NodeHealth(metadata=Metadata(name="n1")))

    await reporter(client, node).send(STATUS)

    (owner,) = (await client.get(NODE_HEALTHS, "n1")).metadata.owner_references
    assert owner.uid == node.metadata.uid


async def test_without_our_resources_it_is_said_what_is_missing(client: Client) -> None:
    with pytest.raises(GoneError, match=r"has no nodehealths\.nodemend\.dev: the CustomResource"):
        await Report(client, node="n1", node_uid="u").send(STATUS)


async def test_a_whole_object_at_the_limit_stays_below_thirteen_kibibytes(
    direct: Direct, client: Client, node: Node
) -> None:
    levels = tuple(
        msgspec.structs.replace(LEVEL, subject=f"/{n:03}", value=n / 400) for n in range(400)
    )
    full = fitting.fit(msgspec.structs.replace(STATUS, levels=levels), NOON).status

    await reporter(client, node).send(full)

    whole = direct.get("nodehealths.nodemend.dev", "n1")
    assert 12 * 1024 < len(msgspec.json.encode(whole)) <= 13 * 1024
