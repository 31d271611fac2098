"""However long it runs and wherever its watches are cut, the copy ends as the server is."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, Node
from nodehealth.kube.reflector import Key, Reflector
from nodehealth.kube.transport import Request, Response, Transport
from simulator import virtualtime
from tests.nodehealth.kube.fakes import DICE, Answer, event, failure, node, nodes


@dataclass
class Laconic(Transport):
    """Lists nothing, and ends every watch after a while without a word."""

    lasting: float
    watches: list[float] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def open(self, request: Request, *, deadline: timedelta) -> AsyncIterator[Response]:
        if "watch" not in request.query:
            yield Answer(200, nodes(version=1))
            return
        self.watches.append(asyncio.get_running_loop().time())
        await asyncio.sleep(min(self.lasting, deadline.total_seconds()))
        yield Answer(200, b"")


async def watched(server: Transport, seconds: float) -> Reflector[Node]:
    client = Client(server, manager="tester", random=DICE)
    reflector = Reflector(client, NODES, clock=virtualtime.clock(), random=DICE)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await reflector.run()
    return reflector


@virtualtime.played
async def test_watches_that_end_at_once_come_ever_more_rarely() -> None:
    server = Laconic(lasting=0)

    await watched(server, 600)

    assert len(server.watches) < 45


@virtualtime.played
async def test_a_watch_that_lived_long_is_followed_at_once() -> None:
    server = Laconic(lasting=80)

    await watched(server, 800)

    assert server.watches == [80 * count for count in range(10)]


@virtualtime.played
async def test_the_copy_says_how_old_it_is() -> None:
    start = virtualtime.clock()()

    reflector = await watched(Laconic(lasting=89), 80)

    assert reflector.fresh_at == start
    assert virtualtime.clock()() == start + timedelta(seconds=80)


@dataclass
class History(Transport):
    """Tells a history of nodes that come and go, in watches that are cut as told.

    A cut is how many events the next watch brings before it ends; none is an expired version.
    """

    events: list[tuple[str, bool]]
    cuts: list[int | None]
    told: int = 0

    def state(self, version: int) -> dict[str, int]:
        found: dict[str, int] = {}
        for at, (name, present) in enumerate(self.events[:version], 1):
            found.pop(name, None)
            found |= {name: at} if present else {}
        return found

    @contextlib.asynccontextmanager
    async def open(self, request: Request, *, deadline: timedelta) -> AsyncIterator[Response]:
        assert deadline
        if "watch" in request.query:
            yield await self._watch(int(request.query["resourceVersion"]))
            return
        self.told = min(self.told + 2, len(self.events))
        present = self.state(self.told)
        yield Answer(
            200, nodes(*(node(name, at) for name, at in present.items()), version=self.told or 1)
        )

    async def _watch(self, since: int) -> Answer:
        cut = self.cuts.pop(0) if self.cuts else len(self.events)
        if cut is None:
            return failure(410, "Expired")
        told = range(since + 1, min(since + cut, len(self.events)) + 1)
        self.told = max(self.told, *told, 0)
        lines = (json.dumps(self._line(at)).encode() + b"\n" for at in told)
        return Answer(200, b"".join(lines))

    def _line(self, at: int) -> dict[str, object]:
        name, present = self.events[at - 1]
        known = name in self.state(at - 1)
        kind = ("MODIFIED" if known else "ADDED") if present else "DELETED"
        return event(kind, node(name, at))


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=12),
    st.lists(st.one_of(st.none(), st.integers(0, 4)), max_size=6),
)
def test_the_copy_ends_as_the_server_is_and_so_does_what_was_told(
    events: list[tuple[str, bool]], cuts: list[int | None]
) -> None:
    history, told = History(events, cuts), dict[str, str]()

    def listen(key: Key, old: Node | None, new: Node | None) -> None:
        assert told.pop(key[1], None) == (old and old.metadata.resource_version)
        told.update({key[1]: new.metadata.resource_version} if new else {})

    async def follow() -> Reflector[Node]:
        client = Client(history, manager="tester", random=DICE)
        clock = virtualtime.clock()
        reflector = Reflector(client, NODES, clock=clock, random=DICE, on_change=listen)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(600):
                await reflector.run()
        return reflector

    reflector = virtualtime.run(follow())

    expected = {name: str(at) for name, at in history.state(len(events)).items()}
    assert told == expected
    known = {key[1]: each.metadata.resource_version for key, each in reflector.items.items()}
    assert known == expected
