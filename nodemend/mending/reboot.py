"""Reboots the machine in order, and only when told so without asking it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from agent.host.commands import Ended, Left
from nodehealth import quantities
from nodemend.mending.ending import FailedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How the machine is to go down."""

    patience: timedelta
    """How long systemd may take to go down, once it was asked to."""
    force: bool = False
    """Whether the kernel is told to start anew at once when systemd does not do it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The machine, as far as a reboot touches it."""

    sync: Callable[[], Awaitable[bool]]
    """Write to the disks what waits for it; false where they do not answer in time."""
    systemctl: Callable[[str], Awaitable[Ended | Left]]
    """Give systemd one command."""
    sysrq: Callable[[], Awaitable[None]]
    """Let the kernel start anew at once."""
    ordered: Callable[[str], None]
    """Leave last words: from now on the machine may go at any moment."""
    say: Callable[[str], None]
    """Tell people what is going on."""


async def rehearse(order: Order, bench: Bench) -> str:
    """Say what a reboot would do, and do nothing."""
    del bench
    then = "the kernel is told to start anew" if order.force else "it has failed"
    waits = quantities.spoken(order.patience)
    return f"would reboot the machine by systemd; if it is still up after {waits}, {then}"


async def reboot(order: Order, bench: Bench) -> str:
    """Ask systemd to reboot, and wait to be taken along.

    Raises:
        FailedError: the machine is still up.
    """
    if not await bench.sync():
        bench.say("the disks do not take what waits for them; goes on without")
    bench.ordered("a reboot is ordered")  # before it is: nobody knows how much time is left then
    try:
        why = await _stays_up(order, bench)
    except asyncio.CancelledError:  # a machine that goes down takes its programs along
        return "a reboot is ordered, and ended this program"
    if not order.force:
        raise FailedError(f"{why}; the machine is still up")
    bench.say(f"{why}: tells the kernel to start anew at once")
    return await _forced(why, bench)


async def _stays_up(order: Order, bench: Bench) -> str:
    """Order the reboot, and say why the machine is still there."""
    ended = await bench.systemctl("reboot")
    if isinstance(ended, Left) or not ended.is_well:
        return _why(ended)
    bench.say("systemd reboots the machine")
    await asyncio.sleep(order.patience.total_seconds())
    return f"systemd did not go down within {quantities.spoken(order.patience)}"


async def _forced(why: str, bench: Bench) -> str:
    bench.ordered(f"{why}; a reboot is forced by the kernel")
    try:
        await bench.sysrq()
    except OSError as error:
        raise FailedError(f"{why}, and the kernel takes no command: {error}") from error
    raise FailedError(f"{why}, and the kernel did not start anew either")


def _why(ended: Ended | Left) -> str:
    if isinstance(ended, Left):
        return f"systemctl (PID {ended.pid}, state {ended.state or '?'}) does not end"
    said = " ".join(ended.output.split())
    return f"systemctl reboot ended with {ended.code}: {said or 'it said nothing'}"
