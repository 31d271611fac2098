"""All replicas count by one clock, however wrong their own ones are."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from nodehealth.kit.clocks import Clock
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES
from remediator.agreed import Agreed
from simulator import virtualtime
from simulator.api.local import LocalTransport
from simulator.api.server import ApiServer


@dataclass(slots=True)
class Watch:
    """A clock that is wrong."""

    by: timedelta = field(default_factory=timedelta)
    truth: Clock = field(default_factory=virtualtime.clock)

    def __call__(self) -> datetime:
        """Return the wrong time."""
        return self.truth() + self.by


async def asked(watch: Watch) -> tuple[Agreed, Client]:
    """Return the agreed clock of somebody who has asked the server something."""
    client = Client(LocalTransport(ApiServer(clock=watch.truth)), manager="test")
    await client.listing(NODES)
    return Agreed(watch, client), client


@pytest.mark.parametrize("minutes", [-5, -1, 1, 5])
@virtualtime.played
async def test_a_clock_that_is_wrong_is_put_right_by_the_servers(minutes: int) -> None:
    watch = Watch(timedelta(minutes=minutes))
    agreed, _ = await asked(watch)

    assert abs(agreed() - watch.truth()) <= timedelta(seconds=1)


@virtualtime.played
async def test_a_clock_that_jumps_is_put_right_at_once() -> None:
    watch = Watch()
    agreed, client = await asked(watch)
    watch.by = timedelta(minutes=5)
    jumped = agreed()
    watch.by = timedelta()
    await client.listing(NODES)

    assert abs(jumped - watch.truth()) <= timedelta(seconds=1)
    assert agreed() == watch.truth()


@virtualtime.played
async def test_a_clock_that_is_right_to_a_second_is_left_alone() -> None:
    watch = Watch(timedelta(milliseconds=900))
    agreed, _ = await asked(watch)

    assert agreed() == watch()


@virtualtime.played
async def test_before_the_server_said_anything_our_own_clock_counts() -> None:
    watch = Watch(timedelta(minutes=5))
    client = Client(LocalTransport(ApiServer(clock=watch.truth)), manager="test")

    assert Agreed(watch, client)() == watch()
