"""The copy follows the server through every way in which a watch can end, and never races."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from nodehealth.kit import clocks
from nodehealth.kube.client import Client
from nodehealth.kube.http import HttpTransport
from nodehealth.kube.objects import NODES, Node
from nodehealth.kube.reflector import Key, Pace, Reflector
from tests.nodehealth.kube.fakes import (
    DICE,
    Answer,
    Handler,
    Scripted,
    Served,
    event,
    node,
    nodes,
    reset,
    saying,
    serving,
    silence,
    streaming,
)

QUICK = Pace(
    first_pause=timedelta(milliseconds=1),
    longest_pause=timedelta(milliseconds=4),
    silence=timedelta(milliseconds=100),
)
CALM = Pace(
    first_pause=timedelta(milliseconds=50),
    longest_pause=timedelta(seconds=30),
    silence=timedelta(seconds=60),
)


@dataclass
class Told:
    """What the reflector said changed."""

    changes: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, key: Key, old: Node | None, new: Node | None) -> None:
        was = old.metadata.resource_version if old else None
        now = new.metadata.resource_version if new else None
        self.changes.append((key[1], was, now))
        self.heard.set()

    async def until(self, satisfied: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not satisfied():
                self.heard.clear()
                await self.heard.wait()


@dataclass
class Followed:
    """A reflector that runs against a server."""

    reflector: Reflector[Node]
    told: Told
    served: Served

    def versions(self) -> dict[str, str]:
        return versions(self.reflector)


def versions(reflector: Reflector[Node]) -> dict[str, str]:
    return {key[1]: each.metadata.resource_version for key, each in reflector.items.items()}


@contextlib.asynccontextmanager
async def following(*handlers: Handler, pace: Pace = QUICK) -> AsyncIterator[Followed]:
    async with serving(*handlers) as served, HttpTransport(served.url) as transport:
        client, told = Client(transport, manager="tester", random=DICE), Told()
        reflector = Reflector(
            client, NODES, clock=clocks.wall, random=DICE, on_change=told, pace=pace
        )
        running = asyncio.create_task(reflector.run())
        try:
            yield Followed(reflector, told, served)
        finally:
            running.cancel()
            await asyncio.wait({running})


async def test_what_is_listed_and_what_changes_is_told() -> None:
    changes = (
        event("ADDED", node("c", 6)),
        event("MODIFIED", node("a", 7)),
        event("DELETED", node("b", 8)),
    )
    script = (
        saying(200, nodes(node("a"), node("b"), version=5)),
        streaming(*changes, then=silence),
    )

    async with following(*script, pace=CALM) as followed:
        await followed.told.until(lambda: len(followed.told.changes) == 5)

        assert followed.versions() == {"a": "7", "c": "6"}
        assert followed.reflector.synced.is_set()
        assert followed.told.changes[2:] == [("c", None, "6"), ("a", "1", "7"), ("b", "1", None)]


async def test_a_watch_goes_on_from_the_last_bookmark() -> None:
    script = (
        saying(200, nodes(version=5)),
        streaming(event("BOOKMARK", node("", 40))),
        streaming(event("ADDED", node("a", 41)), then=silence),
    )

    async with following(*script) as followed:
        await followed.told.until(lambda: bool(followed.told.changes))

        versions = [each.query.get("resourceVersion") for each in followed.served.requests]
        assert versions[:3] == [None, "5", "40"]


@pytest.mark.parametrize(
    "expiry",
    [
        saying(410, {"kind": "Status", "code": 410, "reason": "Expired"}),
        streaming(event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"})),
    ],
)
async def test_after_a_gap_only_the_differences_are_told(expiry: Handler) -> None:
    script = (
        saying(200, nodes(node("stays", 1), node("goes", 2), node("changes", 3), version=5)),
        expiry,
        saying(200, nodes(node("stays", 1), node("changes", 8), node("comes", 9), version=10)),
        streaming(then=silence),
    )

    async with following(*script, pace=CALM) as followed:
        await followed.told.until(lambda: len(followed.told.changes) == 6)

        assert sorted(followed.told.changes[3:]) == [
            ("changes", "3", "8"),
            ("comes", None, "9"),
            ("goes", "2", None),
        ]


async def test_a_node_that_was_made_anew_meanwhile_is_one_change() -> None:
    script = (
        saying(200, nodes(node("a", 1, uid="old"), version=5)),
        saying(410, {"kind": "Status", "code": 410}),
        saying(200, nodes(node("a", 8, uid="new"), version=9)),
        streaming(then=silence),
    )

    async with following(*script, pace=CALM) as followed:
        await followed.told.until(lambda: len(followed.told.changes) == 2)

        assert followed.reflector.items["", "a"].metadata.uid == "new-a"


@pytest.mark.parametrize(
    "trouble",
    [
        saying(502, "<html>Bad Gateway</html>", content_type="text/html"),
        saying(200, "<html>Please log in</html>", content_type="text/html"),
        saying(429, "Too many requests, please try again later.", content_type="text/plain"),
        saying(403, {"kind": "Status", "code": 403, "reason": "Forbidden"}),
        streaming(then=reset),
        streaming(then=silence),
        streaming(),
    ],
    ids=["html 502", "html 200", "overload", "forbidden", "reset", "silence", "empty"],
)
async def test_trouble_is_survived_and_nothing_is_forgotten(trouble: Handler) -> None:
    script = (
        saying(200, nodes(node("a"), version=5)),
        trouble,
        streaming(event("ADDED", node("b", 6)), then=silence),
    )

    async with following(*script) as followed:
        await followed.told.until(lambda: len(followed.told.changes) == 2)

        assert followed.versions() == {"a": "1", "b": "6"}
        assert followed.told.changes == [("a", None, "1"), ("b", None, "6")]


async def test_a_line_of_many_megabytes_is_a_line() -> None:
    huge = node("a", 6, status={"capacity": {"note": "x" * 6_000_000}})
    script = (saying(200, nodes(version=5)), streaming(event("ADDED", huge), then=silence))

    async with following(*script, pace=CALM) as followed:
        await followed.told.until(lambda: bool(followed.told.changes))

        assert len(followed.reflector.items["", "a"].status.capacity["note"]) == 6_000_000


async def test_an_object_that_does_not_fit_leaves_the_others_in_sight() -> None:
    misfit = node("b", 6, spec={"unschedulable": "perhaps"})
    script = (
        saying(200, nodes(node("a"), node("b", 4), version=5)),
        streaming(event("MODIFIED", misfit), event("ADDED", node("c", 7)), then=silence),
    )

    async with following(*script, pace=CALM) as followed:
        await followed.told.until(lambda: len(followed.told.changes) == 4)

        assert followed.versions() == {"a": "1", "c": "7"}


async def test_history_that_was_set_back_is_listed_anew() -> None:
    script = (
        saying(200, nodes(node("a", 90), node("b", 91), version=99)),
        streaming(event("BOOKMARK", node("", 12))),
        saying(200, nodes(node("a", 10), version=12)),
        streaming(then=silence),
    )

    async with following(*script, pace=CALM) as followed:
        await followed.told.until(lambda: len(followed.told.changes) == 4)

        assert followed.versions() == {"a": "10"}


async def test_a_version_that_brings_nothing_is_doubted_after_three_watches() -> None:
    script = (
        saying(200, nodes(version=99)),
        *[streaming()] * 3,
        saying(200, nodes(node("a"), version=12)),
        streaming(then=silence),
    )

    async with following(*script) as followed:
        await followed.told.until(lambda: bool(followed.told.changes))

        assert followed.versions() == {"a": "1"}


async def test_a_crash_of_the_listener_is_not_swallowed() -> None:
    def broken(key: Key, old: Node | None, new: Node | None) -> None:
        raise LookupError(key, old, new)

    server = Scripted(Answer(200, nodes(node("a"))))
    client = Client(server, manager="tester")
    reflector = Reflector(client, NODES, clock=clocks.wall, random=DICE, on_change=broken)

    with pytest.raises(LookupError):
        await reflector.run()


async def test_a_server_that_ends_every_watch_is_not_hammered() -> None:
    pace = Pace(first_pause=timedelta(milliseconds=20), longest_pause=timedelta(seconds=9))

    async with following(saying(200, nodes(version=5)), streaming(), pace=pace) as followed:
        await asyncio.sleep(0.5)

        assert len(followed.served.requests) < 12
