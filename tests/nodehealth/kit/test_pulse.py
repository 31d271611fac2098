"""A pulse is there while the loop turns, and missing when nobody renews it."""

import asyncio
from datetime import timedelta

from nodehealth.kit.pulse import Pulse
from simulator import virtualtime


@virtualtime.played
async def test_a_loop_that_turns_has_a_pulse() -> None:
    pulse = Pulse(timedelta(seconds=30))
    beating = asyncio.create_task(pulse.run())
    await asyncio.sleep(600)

    assert pulse.missing() == ""

    beating.cancel()


@virtualtime.played
async def test_a_pulse_that_stopped_says_for_how_long() -> None:
    pulse = Pulse(timedelta(seconds=30))
    await asyncio.sleep(45)

    assert pulse.missing() == "the event loop has not turned for 45 s; 30 s are allowed"
