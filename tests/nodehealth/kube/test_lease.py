"""One leads at a time, whatever the server does, and nobody waits longer than the lease."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodehealth.kit.clocks import Clock
from nodehealth.kube.client import Client
from nodehealth.kube.lease import Election, Terms
from simulator import virtualtime
from tests.nodehealth.kube.fakes import DICE, Shelf

PATH = "/apis/coordination.k8s.io/v1/namespaces/ns/leases/leader"


@dataclass
class Replica:
    """A candidate, and what it did when."""

    shelf: Shelf
    identity: str
    clock: Clock | None = None
    spans: list[tuple[float, float]] = field(default_factory=list)
    """From when to when its body ran."""
    began: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.election = Election(
            Client(self.shelf, manager="tester", random=DICE),
            name="leader",
            namespace="ns",
            identity=self.identity,
            clock=self.clock or virtualtime.clock(),
            random=DICE,
        )

    async def body(self) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.began.clear()
            self.spans.append((started, loop.time()))

    def start(self, body: Callable[[], Awaitable[None]] | None = None) -> asyncio.Task[None]:
        return asyncio.create_task(self.election.run(body or self.body), name=self.identity)


def spec(shelf: Shelf) -> dict[str, object]:
    found: dict[str, object] = shelf.objects[PATH]["spec"]
    return found


async def stopped(*tasks: asyncio.Task[None]) -> None:
    for each in tasks:
        each.cancel()
    await asyncio.wait(tasks)


def now() -> float:
    return asyncio.get_running_loop().time()


@virtualtime.played
async def test_a_lease_that_is_absent_is_made() -> None:
    shelf = Shelf()
    one = Replica(shelf, "one")
    running = one.start()

    await one.began.wait()

    assert spec(shelf)["holderIdentity"] == "one"
    assert spec(shelf)["leaseDurationSeconds"] == 15
    assert spec(shelf)["leaseTransitions"] == 0
    assert one.election.leading
    await stopped(running)


@virtualtime.played
async def test_a_lease_that_is_written_is_one_that_the_official_models_know() -> None:
    from kubernetes import client as official  # noqa: PLC0415 - slow

    shelf = Shelf()
    one = Replica(shelf, "one")
    running = one.start()
    await one.began.wait()

    text = msgspec.json.encode(shelf.objects[PATH]).decode()
    lease = official.ApiClient().deserialize(text, "V1Lease", "application/json")
    assert lease.spec.holder_identity == "one"
    assert lease.spec.renew_time == virtualtime.START
    await stopped(running)


@virtualtime.played
async def test_times_are_utc_with_six_digits_wherever_we_are() -> None:
    def new_york() -> datetime:
        whole_second = virtualtime.START.replace(microsecond=0)
        return whole_second.astimezone(timezone(timedelta(hours=-5)))

    shelf = Shelf()
    one = Replica(shelf, "one", clock=new_york)
    running = one.start()
    await one.began.wait()

    assert spec(shelf)["renewTime"] == "2026-01-01T12:00:00.000000Z"
    assert spec(shelf)["acquireTime"] == "2026-01-01T12:00:00.000000Z"
    await stopped(running)


@virtualtime.played
async def test_the_second_waits_while_the_first_renews() -> None:
    shelf = Shelf()
    one, two = Replica(shelf, "one"), Replica(shelf, "two")
    first = one.start()
    await one.began.wait()
    second = two.start()

    await asyncio.sleep(600)

    assert one.election.leading
    assert not two.election.leading
    assert two.election.leader == "one"
    await stopped(first, second)


@virtualtime.played
async def test_a_leader_that_goes_gives_the_lease_back() -> None:
    shelf = Shelf()
    one, two = Replica(shelf, "one"), Replica(shelf, "two")
    first = one.start()
    await one.began.wait()
    second = two.start()
    await asyncio.sleep(60)

    gone_at = now()
    await stopped(first)
    await two.began.wait()

    assert now() - gone_at < 3
    assert spec(shelf)["leaseTransitions"] == 1
    await stopped(second)
    assert spec(shelf)["holderIdentity"] == ""


@virtualtime.played
async def test_a_leader_that_died_is_succeeded_when_its_lease_ran_out_as_we_saw_it() -> None:
    shelf = Shelf()
    stale = "1999-12-31T00:00:00.000000Z"  # its clock was wrong: what it wrote is not compared
    held = {"holderIdentity": "dead", "leaseDurationSeconds": 30, "renewTime": stale}
    shelf.objects[PATH] = {
        "kind": "Lease",
        "metadata": {"name": "leader", "resourceVersion": "0"},
        "spec": {**held, "leaseTransitions": 7, "strategy": "unknown to us"},
    }
    one = Replica(shelf, "one")
    running = one.start()

    await one.began.wait()

    assert 30 <= now() < 33
    assert spec(shelf)["leaseTransitions"] == 8
    assert spec(shelf)["strategy"] == "unknown to us"
    await stopped(running)


@pytest.mark.parametrize("trouble", ["refuses", "hangs", "loses_answers", "dawdles"])
@virtualtime.played
async def test_a_leader_that_cannot_renew_stops_before_its_lease_runs_out(trouble: str) -> None:
    shelf = Shelf()
    one = Replica(shelf, "one")
    running = one.start()
    await one.began.wait()

    setattr(shelf, trouble, True)
    await asyncio.sleep(60)

    [(started, ended)] = one.spans
    assert 0 <= ended - started <= 10.0001
    assert not one.election.leading
    await stopped(running)


@virtualtime.played
async def test_leadership_comes_back_with_the_server() -> None:
    shelf = Shelf()
    one = Replica(shelf, "one")
    running = one.start()
    await one.began.wait()
    shelf.hangs = True
    await asyncio.sleep(60)

    shelf.hangs = False
    async with asyncio.timeout(10):
        await one.began.wait()

    assert one.election.leading
    await stopped(running)


@virtualtime.played
async def test_a_short_outage_costs_nothing() -> None:
    shelf = Shelf()
    one = Replica(shelf, "one")
    running = one.start()
    await one.began.wait()

    for _ in range(20):
        shelf.loses_answers = True
        await asyncio.sleep(4)
        shelf.loses_answers = False
        await asyncio.sleep(8)

    assert one.spans == []
    await stopped(running)


@pytest.mark.parametrize("change", ["stolen", "deleted"])
@virtualtime.played
async def test_a_lease_that_is_taken_away_ends_leadership_at_the_next_renewal(change: str) -> None:
    shelf = Shelf()
    one = Replica(shelf, "one")
    running = one.start()
    await one.began.wait()

    if change == "stolen":
        shelf.edit(PATH, {"spec": {"holderIdentity": "a person"}})
    else:
        del shelf.objects[PATH]
    await asyncio.sleep(3)

    assert len(one.spans) == 1
    await stopped(running)


@virtualtime.played
async def test_a_label_on_the_lease_disturbs_nobody() -> None:
    shelf = Shelf()
    one = Replica(shelf, "one")
    running = one.start()
    await one.began.wait()

    for _ in range(30):
        shelf.edit(PATH, {"metadata": {"labels": {"a": "b"}}})
        await asyncio.sleep(3)

    assert one.spans == []
    await stopped(running)


@virtualtime.played
async def test_a_crash_of_the_body_ends_the_election_and_frees_the_lease() -> None:
    async def crash() -> None:
        await asyncio.sleep(20)
        raise LookupError("a bug")

    shelf = Shelf()

    with pytest.raises(LookupError, match="a bug"):
        await Replica(shelf, "one").election.run(crash)

    assert spec(shelf)["holderIdentity"] == ""


@virtualtime.played
async def test_a_body_that_is_done_ends_the_election() -> None:
    async def brief() -> None:
        await asyncio.sleep(20)

    shelf = Shelf()

    await Replica(shelf, "one").election.run(brief)

    assert spec(shelf)["holderIdentity"] == ""


@virtualtime.played
async def test_a_body_that_clings_to_life_keeps_the_lease_until_its_end() -> None:
    shelf = Shelf()
    held: list[object] = []

    async def clinging() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(30)
            held.append(spec(shelf)["holderIdentity"])

    running = Replica(shelf, "one").start(clinging)
    await asyncio.sleep(5)
    await stopped(running)

    assert held == ["one"]
    assert spec(shelf)["holderIdentity"] == ""


@virtualtime.played
async def test_giving_back_does_not_wait_for_a_server_that_hangs() -> None:
    shelf = Shelf()
    one = Replica(shelf, "one")
    running = one.start()
    await one.began.wait()

    shelf.hangs = True
    began = now()
    await stopped(running)

    assert now() - began <= 2.0001


@virtualtime.played
async def test_nothing_is_left_running_after_a_cancellation() -> None:
    one = Replica(Shelf(), "one")
    running = one.start()
    await one.began.wait()

    await stopped(running)

    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_terms_that_fence_nobody_are_refused() -> None:
    with pytest.raises(ValueError, match="renew_deadline < duration"):
        Terms(renew_deadline=timedelta(seconds=15))
    with pytest.raises(ValueError, match="whole seconds"):
        Terms(duration=timedelta(seconds=15.5))


trouble = st.sampled_from(["refuses", "hangs", "loses_answers", "dawdles"])
spells = st.lists(st.tuples(trouble, st.integers(0, 2), st.floats(0, 40)), max_size=8)


@given(spells)
@settings(max_examples=60)
def test_two_never_lead_at_once(spells: list[tuple[str, int, float]]) -> None:
    async def play() -> list[Replica]:
        """Let each replica see the same objects by a path of its own, which breaks by itself."""
        one = Shelf()
        paths = [Shelf(objects=one.objects, versions=one.versions) for _ in range(3)]
        replicas = [Replica(path, str(count)) for count, path in enumerate(paths)]
        running = [each.start() for each in replicas]
        for kind, whose, seconds in spells:
            setattr(paths[whose], kind, True)
            await asyncio.sleep(seconds)
            setattr(paths[whose], kind, False)
        await asyncio.sleep(30)
        assert sum(each.election.leading for each in replicas) == 1
        await stopped(*running)
        return replicas

    spans = sorted(span for each in virtualtime.run(play()) for span in each.spans)

    assert all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(spans))
