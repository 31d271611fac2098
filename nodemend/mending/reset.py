"""Resets GPUs that nobody uses, and puts everything back as it was, however it ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from agent.host.commands import Ended, Left
from agent.host.holders import Holder
from agent.host.nvml.facts import LOST
from nodehealth import quantities
from nodemend.mending import domain, holding, need
from nodemend.mending.ending import FailedError, RefusedError
from nodemend.mending.sight import Gpu, Sight

BUSY: Final = "in use by"
"""What nvidia-smi says, in small letters, of a GPU that somebody holds."""

_LOOK: Final = timedelta(seconds=1)
"""Between two looks at who still holds the GPUs."""
_RECOVERY: Final = timedelta(seconds=60)
"""How long a GPU may take after its reset until the driver has nothing against it."""
_PAUSE: Final = timedelta(seconds=5)
"""Between two looks at that."""
_SETTING: Final = timedelta(seconds=60)
"""How long a change of the persistence mode may take."""

Smi: TypeAlias = Callable[[Sequence[str], timedelta], Awaitable[Ended | Left]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be reset, and how far one may go."""

    gpus: tuple[str, ...]
    """Their UUIDs."""
    patience: timedelta
    """How long those who hold them may take to let go."""
    resetting: timedelta
    """How long nvidia-smi may take."""
    only_if_needed: bool = False
    """Whether to leave GPUs alone that the driver has nothing against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The machine, as far as a reset touches it."""

    look: Callable[[], Awaitable[Sight]]
    """Ask the driver once, and close NVML again; raises a MendingError where it does not answer."""
    holders: Callable[[], Awaitable[tuple[Holder, ...]]]
    """Find who has NVIDIA devices open."""
    cards: Callable[[str], Collection[str]]
    """Name the graphics devices of a GPU by its address."""
    released: Callable[[], AbstractAsyncContextManager[None]]
    """Have the agent close NVML meanwhile; raises a RefusedError where somebody else is at it."""
    smi: Smi
    """Run nvidia-smi with some arguments."""
    remember: Callable[[Sequence[str]], Awaitable[None]]
    """Note GPUs whose persistence mode is off because of us: a crash must not lose that."""
    remembered: Callable[[], Awaitable[tuple[str, ...]]]
    """Return those."""
    note: Callable[[Sequence[str]], Awaitable[None]]
    """Leave word for the agent of GPUs that were reset and are well."""
    say: Callable[[str], None]
    """Tell people what is going on."""


async def rehearse(order: Order, bench: Bench) -> str:
    """Say what a reset would do at this moment, and do nothing.

    Raises:
        MendingError: it would not be done.
    """
    gpus = _known(order, await bench.look())
    if order.only_if_needed and not need.reasons(gpus):
        return f"would reset nothing: the driver has nothing against {_names(gpus)}"
    holders = await _in_the_way(gpus, bench)
    waits = f", once these have let go: {holding.told(holders)}" if holders else ""
    return f"would reset {_names(gpus)}{_besides(order, gpus)}{waits}{_instances(gpus)}"


async def reset(order: Order, bench: Bench) -> str:
    """Reset, verify, restore; return what was done in a sentence.

    Raises:
        MendingError: it was refused, or did not work.
    """
    async with bench.released():
        await _restore(bench)
        gpus = _known(order, await bench.look())
        if order.only_if_needed and not need.reasons(gpus):
            return f"nothing was reset: the driver has nothing against {_names(gpus)}"
        bench.say(f"resets {_shortly(order, gpus)}")
        await _let_go(order, gpus, bench)
        await _reset(order, gpus, bench)
        await _verify(gpus, bench)
        await bench.note([each.uuid for each in gpus])
    return f"reset {_shortly(order, gpus)}; all of them answer{_instances(gpus)}"


def _known(order: Order, sight: Sight) -> tuple[Gpu, ...]:
    """Return all that must be reset together with what was ordered."""
    if sight.code:
        raise RefusedError(f"NVML cannot be used (error {sight.code}), so no GPU can be found")
    unknown = [each for each in order.gpus if each not in sight.by_uuid]
    if unknown:
        there = ", ".join(
            each.uuid or each.pci or "one that does not answer" for each in sight.gpus
        )
        raise RefusedError(
            f"the driver has no {' and no '.join(unknown)}, only {there or 'no GPU at all'};"
            " a GPU that is lost to the driver needs a reboot"
        )
    lost = [each for each in order.gpus if sight.by_uuid[each].error == LOST]
    if lost:
        raise RefusedError(f"{', '.join(lost)}: lost to the driver, which needs a reboot")
    return domain.together(sight, order.gpus)


async def _let_go(order: Order, gpus: Sequence[Gpu], bench: Bench) -> None:
    """Wait until nobody holds the GPUs any more."""
    loop = asyncio.get_running_loop()
    until, last = loop.time() + order.patience.total_seconds(), ""
    while holders := await _in_the_way(gpus, bench):
        named = holding.told(holders)
        if loop.time() >= until:
            waited = quantities.spoken(order.patience)
            raise RefusedError(f"still in use after {waited}, nothing was reset: {named}")
        if named != last:
            bench.say(f"waits for {named}")
        last = named
        await asyncio.sleep(_LOOK.total_seconds())


async def _in_the_way(gpus: Sequence[Gpu], bench: Bench) -> tuple[Holder, ...]:
    cards = {card for each in gpus for card in bench.cards(each.pci)}
    return holding.standing_in_the_way(await bench.holders(), gpus, cards)


async def _reset(order: Order, gpus: Sequence[Gpu], bench: Bench) -> None:
    """Reset by nvidia-smi, and once more without the persistence mode where that is in the way."""
    words = ("--gpu-reset", "-i", ",".join(each.uuid for each in gpus))
    ended = await bench.smi(words, order.resetting)
    holders = () if _is_well(ended) else await _in_the_way(gpus, bench)
    ready = tuple(each.uuid for each in gpus if each.persistence)
    if ready and not holders and isinstance(ended, Ended) and BUSY in ended.output.lower():
        bench.say("nobody holds them but the persistence mode: puts it off for the reset")
        async with _without_persistence(ready, bench):
            ended = await bench.smi(words, order.resetting)
    _check(ended, order, holders)


def _is_well(ended: Ended | Left) -> bool:
    return isinstance(ended, Ended) and ended.is_well


def _check(ended: Ended | Left, order: Order, holders: Sequence[Holder]) -> None:
    if isinstance(ended, Left):
        how = "asleep in the kernel" if ended.state == "D" else f"in state {ended.state or '?'}"
        where = f" at {ended.wchan}" if ended.wchan else ""
        raise FailedError(
            f"nvidia-smi (PID {ended.pid}) did not end within"
            f" {quantities.spoken(order.resetting)}, {how}{where}; it was left, not killed"
        )
    if not ended.is_well:
        said = " ".join(ended.output.split()) or "it said nothing"
        raise FailedError(f"nvidia-smi ended with {ended.code}: {said}{_whose(ended, holders)}")


def _whose(ended: Ended, holders: Sequence[Holder]) -> str:
    if holders:
        return f"; in use again: {holding.told(holders)}"
    if BUSY not in ended.output.lower():
        return ""
    return "; no process has it open: a module of the kernel, such as nvidia_drm, may have"


async def _verify(gpus: Sequence[Gpu], bench: Bench) -> None:
    """Look until all of them are well, or for as long as a GPU may take to be itself again."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _RECOVERY.total_seconds()
    while complaints := need.complaints(gpus, await bench.look()):
        if loop.time() >= until:
            raise FailedError(f"reset, but {'; '.join(complaints)}")
        await asyncio.sleep(_PAUSE.total_seconds())


@contextlib.asynccontextmanager
async def _without_persistence(uuids: Sequence[str], bench: Bench) -> AsyncIterator[None]:
    await bench.remember(uuids)  # first: who is killed between the two has left word
    try:
        await bench.smi(("-pm", "0", "-i", ",".join(uuids)), _SETTING)
        yield
    finally:
        await _restore(bench)


async def _restore(bench: Bench) -> None:
    """Put the persistence mode on again where we, or a program before us, put it off."""
    uuids = await bench.remembered()
    if not uuids:
        return
    if _is_well(await bench.smi(("-pm", "1", "-i", ",".join(uuids)), _SETTING)):
        await bench.remember(())
    else:
        bench.say(f"the persistence mode of {', '.join(uuids)} could not be put on again")


def _names(gpus: Sequence[Gpu]) -> str:
    return ", ".join(each.uuid for each in gpus)


def _shortly(order: Order, gpus: Sequence[Gpu]) -> str:
    """Name those that were asked for, and count the rest: the names of a whole board fill lines."""
    asked = [each for each in gpus if each.uuid in order.gpus]
    more = len(gpus) - len(asked)
    return f"{_names(asked)}{f' and {more} that NVLink connects with it' if more else ''}"


def _besides(order: Order, gpus: Sequence[Gpu]) -> str:
    more = sum(each.uuid not in order.gpus for each in gpus)
    return f" ({more} of them because NVLink connects them with what is sick)" if more else ""


def _instances(gpus: Sequence[Gpu]) -> str:
    cut = [each.uuid for each in gpus if each.mig]
    return f"; MIG instances of {', '.join(cut)} end with it and must be made anew" if cut else ""
