"""Every request is told of once, with its verb and how it went, and nothing of it is changed."""

from contextlib import AbstractAsyncContextManager, aclosing
from datetime import timedelta

import pytest

from nodehealth.kit import clocks
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.metered import Metered
from nodehealth.kube.objects import NODES
from nodehealth.kube.transport import Request, Response, Transport
from simulator.api.local import LocalTransport
from simulator.api.server import ApiServer


class Away(Transport):
    """A way on which nothing arrives."""

    def open(
        self, request: Request, *, deadline: timedelta
    ) -> AbstractAsyncContextManager[Response]:
        """Refuse whatever is sent."""
        raise errors.UnreachableError(f"{request.path}: nobody is there")


def metered(inner: Transport | None = None) -> tuple[Client, list[tuple[str, str]]]:
    """Return a client, and the verbs and statuses of what it asks."""
    heard = list[tuple[str, str]]()

    def hear(verb: str, code: str, seconds: float) -> None:
        assert seconds >= 0
        heard.append((verb, code))

    transport = Metered(inner or LocalTransport(ApiServer(clock=clocks.wall)), hear)
    return Client(transport, manager="test"), heard


async def test_each_verb_is_told_with_its_status() -> None:
    client, heard = metered()
    await client.create(NODES, {"metadata": {"name": "n1"}})
    await client.merge_patch(NODES, "n1", {"spec": {"unschedulable": True}})
    node = await client.get(NODES, "n1")
    await client.replace(NODES, node, name="n1", subresource="status")
    await client.delete(NODES, "n1")
    with pytest.raises(errors.GoneError):
        await client.get(NODES, "n1")

    assert heard == [
        ("create", "201"),
        ("patch", "200"),
        ("get", "200"),
        ("update", "200"),
        ("delete", "200"),
        ("get", "404"),
    ]


async def test_a_watch_is_told_when_it_begins() -> None:
    client, heard = metered()
    since = (await client.listing(NODES)).resource_version
    await client.create(NODES, {"metadata": {"name": "n1"}})
    async with aclosing(client.watch(NODES, since=since)) as events:
        await anext(aiter(events))

    assert heard[-1] == ("watch", "200")


async def test_what_nobody_answers_is_told_too() -> None:
    client, heard = metered(Away())
    with pytest.raises(errors.UnreachableError):
        await client.create(NODES, {"metadata": {"name": "n1"}})

    assert heard == [("create", "none")]
