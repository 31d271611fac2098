"""The decision log tells a whole repair, and in observe mode what would be its beginning."""

import asyncio

import msgspec

from nodehealth.repair import Mode
from remediator.decide.trail import Event, Line
from remediator.trail import Trail
from simulator import virtualtime
from tests.safety.test_stories import full, minutes, staged


def read(lines: list[str]) -> list[Line]:
    return [msgspec.json.decode(line, type=Line) for line in lines]


@virtualtime.played
async def test_a_whole_repair_is_told_from_its_evidence_to_its_end() -> None:
    written = list[str]()
    async with staged() as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator(trail=Trail(written.append, virtualtime.clock())):
            await minutes(5)

    told = read(written)
    kinds = [each.event for each in told]
    assert kinds[0] is Event.BEGUN
    assert "w-1" in {each.node for each in told}
    assert kinds.index(Event.ADMITTED) < kinds.index(Event.ORDERED)
    assert [each.action for each in told if each.event is Event.ORDERED] == ["replace"]
    assert "Recovered" in told[-1].message


@virtualtime.played
async def test_an_observer_tells_what_it_would_do_and_gets_nothing_admitted() -> None:
    written = list[str]()
    async with staged() as scene:
        scene.cluster.inject("w-1", full())
        async with scene.remediator(
            mode=Mode.OBSERVE, trail=Trail(written.append, virtualtime.clock())
        ):
            await asyncio.sleep(60)

    told = read(written)
    assert [each.event for each in told] == [Event.BEGUN, Event.DECIDED]
    assert "would cordon w-1" in told[-1].message
