"""Requests of the last minute count, by the loop's time alone."""

import asyncio

from nodehealth.kube.metered import UNANSWERED
from remediator.decide.trips import Crowd
from remediator.wire import Wire
from simulator import virtualtime


@virtualtime.played
async def test_what_failed_or_took_too_long_is_told_for_a_minute() -> None:
    wire = Wire()
    for verb, code, seconds in (
        ("get", "200", 0.1),
        ("get", "409", 0.1),
        ("patch", UNANSWERED, 0.1),
        ("patch", "503", 0.1),
        ("get", "200", 11.0),
        ("watch", "200", 11.0),
    ):
        wire.requested(verb, code, seconds)
        await asyncio.sleep(3)
    lately = wire.lately()
    await asyncio.sleep(120)

    assert lately == Crowd(all=6, amiss=3)
    assert wire.lately() == Crowd()
