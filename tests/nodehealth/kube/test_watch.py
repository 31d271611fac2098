"""A watch yields changes, and everything that is no change is an error."""

import json
from contextlib import aclosing
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES
from nodehealth.kube.transport import Transport
from nodehealth.kube.wire import EventType, Lines
from nodehealth.repair import NODE_REPAIRS
from tests.nodehealth.kube.fakes import DICE, Answer, Scripted, event, failure, node


def client(transport: Transport) -> Client:
    return Client(transport, manager="tester", random=DICE)


async def test_a_watch_yields_changes_and_bookmarks() -> None:
    lines = (event("ADDED", node("a", 4)), event("BOOKMARK", node("", 9)))
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    server = Scripted(Answer(200, body, piece=7))

    events = client(server).watch(NODES, since="3", lasting=timedelta(seconds=90))
    async with aclosing(events):
        seen = [(each.type, each.metadata.resource_version) async for each in events]

    assert seen == [(EventType.ADDED, "4"), (EventType.BOOKMARK, "9")]
    assert server.asked[0].query == {
        "watch": "1",
        "allowWatchBookmarks": "true",
        "resourceVersion": "3",
        "timeoutSeconds": "90",
    }


async def test_a_bookmark_of_a_kind_with_required_fields_is_no_misfit() -> None:
    bookmark = {"kind": "NodeRepair", "metadata": {"resourceVersion": "9"}}
    server = Scripted(Answer(200, json.dumps(event("BOOKMARK", bookmark)).encode()))

    async with aclosing(client(server).watch(NODE_REPAIRS, since="3")) as events:
        seen = [(each.type, each.metadata.resource_version, each.object) async for each in events]

    assert seen == [(EventType.BOOKMARK, "9", None)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"}), errors.ExpiredError),
        (event("ERROR", {"kind": "Status", "code": 500}), errors.UnavailableError),
        (event("ERROR", {"kind": "Surprise"}), errors.UnavailableError),
        (event("ADDED", {"kind": "Status"}), errors.UnavailableError),
        (event("SUDDENLY", node("a")), errors.UnavailableError),
        ({"kind": "Status", "code": 500}, errors.UnreadableError),
        ("<html>", errors.UnreadableError),
    ],
)
async def test_a_line_that_is_no_change_is_an_error(
    line: object, expected: type[errors.KubeError]
) -> None:
    events = client(Scripted(Answer(200, line))).watch(NODES, since="1")

    with pytest.raises(expected):
        await anext(events)


async def test_an_object_that_does_not_fit_comes_without_its_content() -> None:
    misfit = event("MODIFIED", node("a", 9, spec={"taints": 1}))

    seen = await anext(client(Scripted(Answer(200, misfit))).watch(NODES, since="1"))

    assert (seen.type, seen.metadata.name, seen.object) == (EventType.MODIFIED, "a", None)


@pytest.mark.parametrize("body", [b"<html>\n", b'{"type":"ADDED","object":{"kind":"No'])
async def test_html_and_a_line_that_is_cut_are_errors(body: bytes) -> None:
    with pytest.raises(errors.UnavailableError):
        await anext(client(Scripted(Answer(200, body))).watch(NODES, since="1"))


async def test_a_watch_that_is_refused_says_why() -> None:
    with pytest.raises(errors.ExpiredError):
        await anext(client(Scripted(failure(410, "Expired"))).watch(NODES, since="1"))


@given(st.lists(st.binary().filter(lambda line: b"\n" not in line)), st.integers(1, 9))
def test_lines_are_the_same_however_they_are_cut(texts: list[bytes], size: int) -> None:
    stream, lines = b"\n".join(texts), Lines()

    pieces = (stream[at : at + size] for at in range(0, len(stream), size))
    seen = [line for piece in pieces for line in lines.feed(piece)] + list(lines.end())

    assert seen == stream.split(b"\n")[: len(seen)]
    assert len(texts) - len(seen) <= 1
