"""One leads, the others are ready, and what is done at the end is done whatever the end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from random import Random

import msgspec
import pytest

from nodehealth.kube.lease import Terms
from nodehealth.kube.transport import Request, Response, Transport
from simulator import virtualtime
from tests.nodehealth.kube.candidates import PATH, Replica, now, spec, stopped
from tests.nodehealth.kube.fakes import Shelf


@virtualtime.played
async def test_a_lease_that_is_absent_is_made() -> None:
    shelf = Shelf()
    one = Replica(shelf, "one")
    running = one.start()

    await one.began.wait()

    assert spec(shelf)["holderIdentity"] == "one"
    assert spec(shelf)["leaseDurationSeconds"] == 10
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


@dataclass(slots=True, kw_only=True)
class Noted(Transport):
    """Writes down when a candidate looks."""

    inner: Transport
    looks: list[float] = field(default_factory=list)

    @asynccontextmanager
    async def open(self, request: Request, *, deadline: timedelta) -> AsyncIterator[Response]:
        """Send a request on."""
        if request.method == "GET":
            self.looks.append(now())
        async with self.inner.open(request, deadline=deadline) as response:
            yield response


@virtualtime.played
async def test_candidates_that_begin_together_do_not_look_together_for_long() -> None:
    shelf = Shelf()
    leader = Replica(shelf, "leader")
    leading = leader.start()
    await leader.began.wait()
    ways = [Noted(inner=shelf) for _ in range(2)]
    waiting = [Replica(way, f"next-{n}", random=Random(n)).start() for n, way in enumerate(ways)]

    await asyncio.sleep(60)
    one, other = (tuple(way.looks) for way in ways)
    await stopped(leading, *waiting)

    pauses = [after - before for looks in (one, other) for before, after in pairwise(looks)]
    assert set(one) & set(other) == {one[0]}
    assert all(1.2 - 1e-6 <= each <= 1.8 + 1e-6 for each in pauses)
    assert max(pauses) - min(pauses) > 0.4


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
