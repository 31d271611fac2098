"""Whether heat or a lack of power slows each GPU down, and how near it is to that."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agent import cards
from agent.cards import Told
from agent.host.linux import Host
from agent.host.nvml import answers
from agent.host.nvml.answers import ABSENT, Silence
from agent.host.nvml.facts import LOST, RESET_REQUIRED, Card, Gpus
from agent.probe import Past, Probe
from agent.readings import Answer, Reading
from nodehealth.health import Level

HARDWARE: Final = "gpu.hw_slowdown_ratio"
SOFTWARE: Final = "gpu.sw_thermal_slowdown_ratio"
MARGIN: Final = "gpu.thermal_margin"
MEMORY_MARGIN: Final = "gpu.memory_thermal_margin"
POWER: Final = "gpu.power_unreadable"

MOST: Final = 10
"""Degrees of a margin that are told: further away, a GPU at work goes up and down all day."""
_SW_THERMAL, _HW_THERMAL, _POWER_BRAKE, _MEMORY, _SLOWDOWN_MARGIN = 269, 270, 271, 82, 194
_NANOSECOND: Final = 1e-9
_REASONS: Final = "nvmlDeviceGetCurrentClocksEventReasons"
_BIT_HARDWARE, _BIT_SW_THERMAL, _BIT_HW_THERMAL, _BIT_POWER_BRAKE = 0x8, 0x20, 0x40, 0x80
_WORDS: Final = {
    _BIT_HW_THERMAL: "thermal",
    _BIT_POWER_BRAKE: "power-brake",
    _BIT_HW_THERMAL | _BIT_POWER_BRAKE: "both",
}
_THRESHOLD: Final = "nvmlDeviceGetTemperatureThreshold"
_THRESHOLD_SLOWDOWN, _THRESHOLD_MEMORY = "1", "2"


@dataclass(frozen=True, slots=True, kw_only=True)
class GPUHeat(Probe):
    """Watches for how much of the time GPUs are slowed down, and how far they are from it."""

    interval: timedelta = timedelta(minutes=1)
    """How often: a share of a minute says more than one of a few seconds."""

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:
        """Say how much GPUs were slowed down since the last look, and how warm they are."""
        gpus = host.gpus()
        if not gpus.cards and not past:
            return []
        uptime, now = await host.uptime(), asyncio.get_running_loop().time()
        seen = [(card, cards.sampled(card, now=now, uptime=uptime)) for card in cards.spoken(gpus)]
        return [
            *(_slowed(card, at, past.get((HARDWARE, cards.subject(card)))) for card, at in seen),
            *(_warm(card, at) for card, at in seen),
            *cards.mute([HARDWARE, SOFTWARE], gpus, past),
            *cards.levels({MARGIN: _margin, MEMORY_MARGIN: _memory_margin}, gpus, past),
            *_power(gpus, past),
        ]


def _slowed(card: Card, uptime: float, before: Level | None) -> Answer:
    """Say for how long the hardware slowed a GPU down; where it does not count, whether it does."""
    bits = answers.count(card.answers, _REASONS)
    reason = _reason(bits)
    thermal, brake = (answers.field(card.answers, each) for each in (_HW_THERMAL, _POWER_BRAKE))
    if isinstance(thermal, Silence) or isinstance(brake, Silence):
        told = bits if isinstance(bits, Silence) else float(bool(reason))
        return cards.reading(HARDWARE, card, told, {"reason": reason})
    last = str(before.fields.get("reason", "")) if before is not None else ""
    only = _only(thermal, brake)
    fields = {"reason": only if only is not None else reason or last}
    total = thermal + brake
    return cards.growing(HARDWARE, card, total, uptime, scale=_NANOSECOND, fields=fields)


def _reason(bits: int | Silence) -> str:
    """Say why the hardware slows a GPU down at this moment; nothing when it does not."""
    if isinstance(bits, Silence):
        return ""
    named = _WORDS.get(bits & (_BIT_HW_THERMAL | _BIT_POWER_BRAKE))
    return named or ("hardware" if bits & _BIT_HARDWARE else "")


def _only(thermal: int, brake: int) -> str | None:
    """Return the one reason for which it ever did, if it did for one only."""
    if thermal and brake:
        return None
    return "thermal" if thermal else "power-brake" if brake else ""


def _warm(card: Card, uptime: float) -> Answer:
    total = answers.field(card.answers, _SW_THERMAL)
    if isinstance(total, int):
        return cards.growing(SOFTWARE, card, total, uptime, scale=_NANOSECOND)
    bits = answers.count(card.answers, _REASONS)
    told = bits if isinstance(bits, Silence) else float(bool(bits & _BIT_SW_THERMAL))
    return cards.reading(SOFTWARE, card, told)


def _margin(card: Card) -> Told:
    """Return the greater of the two margins that NVML may tell.

    A GPU that is near its limit is so by both; some of Hopper's tell a margin of nothing while they
    are cool, and on newer ones the old threshold is only there for old programs.
    """
    margin = answers.number(card.answers, "nvmlDeviceGetMarginTemperature")
    slowdown = answers.number(card.answers, answers.FIELDS, f"{_SLOWDOWN_MARGIN}")
    if isinstance(margin, int) and isinstance(slowdown, int) and slowdown < 0:
        margin -= slowdown
    threshold = _below(card, _THRESHOLD_SLOWDOWN, "nvmlDeviceGetTemperatureV")
    known = [each for each in (margin, threshold) if isinstance(each, int)]
    if known:
        return float(min(MOST, max(known)))
    return margin if threshold is ABSENT else threshold


def _memory_margin(card: Card) -> Told:
    margin = _below(card, _THRESHOLD_MEMORY, answers.FIELDS, f"{_MEMORY}")
    return margin if isinstance(margin, Silence) else float(min(MOST, margin))


def _below(card: Card, threshold: str, call: str, *within: str) -> int | Silence:
    """Return by how much a temperature is below a threshold of the card's own."""
    most = answers.count(card.answers, _THRESHOLD, threshold)
    now = answers.number(card.answers, call, *within)
    if isinstance(most, int) and isinstance(now, int):
        return most - now if most > 0 and now > 0 else ABSENT
    return most if isinstance(most, Silence) else now


def _power(gpus: Gpus, past: Past) -> Iterator[Reading]:
    """Say which GPUs do not tell their power any more; one that never did cannot."""
    for card in cards.spoken(gpus):
        power = answers.number(card.answers, "nvmlDeviceGetPowerUsage")
        if isinstance(power, int):
            yield cards.reading(POWER, card, 0.0)
        elif _is_missed(card, past.get((POWER, cards.subject(card)))):
            yield cards.reading(POWER, card, 1.0)
        else:
            yield cards.reading(POWER, card, power)
    yield from cards.mute([POWER], gpus, past)


def _is_missed(card: Card, before: Level | None) -> bool:
    """Say whether a GPU told its power before, and nothing worse keeps it from telling it now."""
    refused = dict(answers.codes(card.answers)).get("nvmlDeviceGetPowerUsage", 0)
    return cards.was_known(before) and refused not in {LOST, RESET_REQUIRED}
