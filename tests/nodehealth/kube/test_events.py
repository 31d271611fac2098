"""An event is told once for each object and reason, and counted after that."""

from datetime import datetime, timedelta

import pytest

from nodehealth.kube import errors, events
from nodehealth.kube.client import Client
from nodehealth.kube.events import Note, Reference
from nodehealth.kube.objects import NODES, Metadata, Node
from simulator.virtualtime import START
from tests.nodehealth.kube.fakes import Scripted, Shelf, failure

ABOUT = Reference(api_version="v1", kind="Node", name="gpu-1", uid="u1")


def note(reason: str = "RepairCordoned", message: str = "told", at: datetime = START) -> Note:
    return Note(about=ABOUT, reason=reason, message=message, at=at)


async def test_the_first_time_makes_an_event_where_kubectl_looks_for_it() -> None:
    shelf = Shelf()

    await events.record(Client(shelf, manager="tester"), note())

    [(path, event)] = shelf.objects.items()
    assert path == f"/api/v1/namespaces/default/events/{events.name(note())}"
    assert event["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "Node",
        "name": "gpu-1",
        "uid": "u1",
    }
    assert (event["count"], event["firstTimestamp"]) == (1, "2026-01-01T12:00:00Z")


async def test_the_second_time_counts() -> None:
    shelf = Shelf()
    client = Client(shelf, manager="tester")

    await events.record(client, note())
    await events.record(client, note(message="again", at=START + timedelta(minutes=1)))

    [event] = shelf.objects.values()
    assert (event["count"], event["message"]) == (2, "again")
    assert event["firstTimestamp"] == "2026-01-01T12:00:00Z"
    assert event["lastTimestamp"] == "2026-01-01T12:01:00Z"


async def test_another_reason_is_another_event() -> None:
    shelf = Shelf()
    client = Client(shelf, manager="tester")

    await events.record(client, note())
    await events.record(client, note(reason="RepairDraining"))

    assert len(shelf.objects) == 2


async def test_an_event_that_expires_between_two_requests_is_made_anew() -> None:
    exists, gone = failure(409, "AlreadyExists"), failure(404, "NotFound")
    server = Scripted(exists, gone, exists, gone, exists, gone)

    with pytest.raises(errors.ConflictError):
        await events.record(Client(server, manager="tester"), note())

    assert [each.method for each in server.asked] == ["POST", "GET"] * 3


def test_a_name_is_one_that_kubernetes_takes() -> None:
    long = Note(
        about=Reference(api_version="v1", kind="Node", name="n" * 253, uid="u"),
        reason="R",
        message="",
        at=START,
    )

    assert len(events.name(long)) <= 253


def test_a_reference_carries_the_kind_that_list_items_lack() -> None:
    found = Node(metadata=Metadata(name="gpu-1", uid="u1"))

    assert events.reference(NODES, found) == ABOUT
