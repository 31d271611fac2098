"""Who cannot renew stops itself, and two never lead at once, whatever the server does."""

import asyncio
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import virtualtime
from tests.nodehealth.kube.candidates import PATH, Replica, stopped
from tests.nodehealth.kube.fakes import Shelf


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
