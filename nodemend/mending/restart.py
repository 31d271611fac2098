"""Restarts one service of the machine's operating system, and sees that it stays up."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agent.host.commands import Ended, Left
from nodehealth import quantities
from nodehealth.units import Service
from nodemend.mending.ending import FailedError, RefusedError

SETTLED: Final = timedelta(seconds=10)
"""How long a service must stay up to be well: many a one dies a moment after its start."""
SHOWN: Final = ("LoadState", "ActiveState", "SubState", "InvocationID")
"""What systemd is asked of a unit."""

_LOOK: Final = timedelta(seconds=1)
_ANSWER: Final = timedelta(seconds=30)
"""How long systemd may take to say how a unit fares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be restarted."""

    service: Service
    patience: timedelta
    """How long it may take until the service is up and has stayed up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The machine, as far as a restart touches it."""

    systemctl: Callable[[Sequence[str], timedelta], Awaitable[Ended | Left]]
    """Give systemd a command: its words, and how long it may take."""
    say: Callable[[str], None]
    """Tell people what is going on."""


def service(name: str) -> Service:
    """Find a service that may be restarted.

    Raises:
        RefusedError: it may not.
    """
    try:
        return Service(name.removesuffix(".service"))
    except ValueError as unknown:
        known = ", ".join(sorted(Service))
        raise RefusedError(f"{name} is never restarted; these are: {known}") from unknown


async def rehearse(order: Order, bench: Bench) -> str:
    """Say what a restart would do at this moment, and do nothing."""
    shown = await _shown(order.service, bench)
    return f"would restart {order.service.unit}, which is {_state(shown)}"


async def restart(order: Order, bench: Bench) -> str:
    """Restart, and wait until the service has been up for a while.

    Raises:
        MendingError: there is no such service here, or it does not stay up.
    """
    unit, before = order.service.unit, await _shown(order.service, bench)
    until = asyncio.get_running_loop().time() + order.patience.total_seconds()
    bench.say(f"restarts {unit}, which is {_state(before)}")
    ended = await bench.systemctl(("restart", unit), order.patience)
    if isinstance(ended, Left):
        raise FailedError(f"systemctl restart {unit} (PID {ended.pid}) does not end; it was left")
    if not ended.is_well:
        raise FailedError(f"{unit} did not start: {' '.join(ended.output.split())}")
    return await _settled(order, bench, before.get("InvocationID", ""), until)


async def _settled(order: Order, bench: Bench, before: str, until: float) -> str:
    loop = asyncio.get_running_loop()
    since, last = loop.time(), before
    while True:
        shown, now = await _shown(order.service, bench), loop.time()
        run = shown.get("InvocationID", "") if shown.get("ActiveState") == "active" else ""
        if run != last:
            since, last = now, run
        if run not in ("", before) and now - since >= SETTLED.total_seconds():
            return f"{order.service.unit} was restarted and stays up"
        if now >= until:
            waited = quantities.spoken(order.patience)
            raise FailedError(
                f"{order.service.unit} did not stay up within {waited}: {_state(shown)}"
            )
        await asyncio.sleep(_LOOK.total_seconds())


async def _shown(service: Service, bench: Bench) -> Mapping[str, str]:
    wanted = f"--property={','.join(SHOWN)}"
    ended = await bench.systemctl(("show", wanted, service.unit), _ANSWER)
    if isinstance(ended, Left):
        raise FailedError(f"systemd does not answer: systemctl show (PID {ended.pid}) does not end")
    if not ended.is_well:
        raise FailedError(f"systemd cannot be asked: {' '.join(ended.output.split())}")
    shown = dict(line.partition("=")[::2] for line in ended.output.splitlines())
    if shown.get("LoadState") != "loaded":
        raise RefusedError(f"this machine has no {service.unit}: {shown.get('LoadState', '?')}")
    return shown


def _state(shown: Mapping[str, str]) -> str:
    return f"{shown.get('ActiveState', 'unknown')} ({shown.get('SubState', '?')})"
