"""Each decision gets one Event, whoever crashed between it and the Event."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import structs

from nodehealth import keys
from nodehealth.kube import events
from nodehealth.kube.client import Client
from nodehealth.repair import Decision, NodeRepair, NodeRepairStatus
from remediator.noting import Noting
from remediator.tell import Tell
from simulator import virtualtime
from simulator.api.faults import Html, Match
from simulator.api.local import LocalTransport
from simulator.api.server import ApiServer
from tests.builders import repair


class World:
    """An API server, and whoever tells it of repairs."""

    def __init__(self) -> None:
        self.api = ApiServer(clock=virtualtime.clock())
        self.client = Client(LocalTransport(self.api), manager=keys.REMEDIATOR_MANAGER)

    @asynccontextmanager
    async def noting(self, *repairs: NodeRepair) -> AsyncIterator[Noting]:
        """Let somebody who remembers nothing tell for a while."""
        clock = virtualtime.clock()
        one = Noting(Tell(client=self.client, clock=clock), clock)
        running = asyncio.create_task(one.run(repairs))
        try:
            yield one
            await asyncio.sleep(1)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def told(self) -> dict[str, tuple[str, int]]:
        """Return what was told, by reason, and how often."""
        found = (await self.client.listing(events.EVENTS, namespace="default")).items
        return {each.reason: (each.message, each.count) for each in found}


def line(repair_: NodeRepair, text: str) -> NodeRepair:
    """Return the repair with one more line, of now."""
    log = (*repair_.status.log, Decision(at=virtualtime.clock()(), text=text))
    return structs.replace(repair_, status=structs.replace(repair_.status, log=log))


FRESH = repair(status=NodeRepairStatus())


@virtualtime.played
async def test_each_line_is_told_once_though_the_phase_stays() -> None:
    world = World()
    async with world.noting() as one:
        first = line(FRESH, "Repairing: reset-gpu goes on")
        one.see(FRESH, first)
        await asyncio.sleep(5)
        second = line(first, "Repairing: reset-gpu failed; next reboot")
        one.see(first, second)
        one.see(second, second)

    assert await world.told() == {
        "RepairRepairing": (f"{FRESH.spec.rule}: reset-gpu failed; next reboot", 2)
    }


@virtualtime.played
async def test_what_a_crash_left_untold_is_told_by_the_next_leader_and_nothing_twice() -> None:
    world = World()
    first = line(FRESH, "Waiting (NoSlot): n2 has it")
    async with world.noting(first):
        await asyncio.sleep(5)
    second = line(first, "Draining: begins")

    for _ in range(2):
        async with world.noting(second):
            await asyncio.sleep(5)

    rule = FRESH.spec.rule
    assert await world.told() == {
        "RepairWaiting": (f"{rule}: n2 has it", 1),
        "RepairDraining": (f"{rule}: begins", 1),
    }


@virtualtime.played
async def test_two_who_tell_of_the_same_decision_tell_it_once() -> None:
    world, said = World(), line(FRESH, "Waiting (NoSlot): n2 has it")
    async with world.noting() as one, world.noting() as other:
        one.see(FRESH, said)
        other.see(FRESH, said)

    assert await world.told() == {"RepairWaiting": (f"{FRESH.spec.rule}: n2 has it", 1)}


@virtualtime.played
async def test_what_cannot_be_told_now_is_told_later_and_what_is_old_by_then_is_not() -> None:
    world = World()
    async with world.noting() as one:
        with world.api.faults.active(Html(code=503, match=Match(path="/events"))):
            old = line(FRESH, "Waiting (NoSlot): n2 has it")
            one.see(FRESH, old)
            await asyncio.sleep(11 * 60)
            new = line(old, "Draining: begins")
            one.see(old, new)
            await asyncio.sleep(60)
        await asyncio.sleep(60)

    assert await world.told() == {"RepairDraining": (f"{FRESH.spec.rule}: begins", 1)}


@virtualtime.played
async def test_a_record_that_is_deleted_is_forgotten() -> None:
    world, said = World(), line(FRESH, "Waiting (NoSlot): n2 has it")
    async with world.noting() as one:
        with world.api.faults.active(Html(code=503, match=Match(path="/events"))):
            one.see(FRESH, said)
            await asyncio.sleep(1)
            one.see(said, None)
            await asyncio.sleep(1)

    assert await world.told() == {}
