"""How each GPU is connected to the machine: over how many PCIe lanes, how fast, how cleanly."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agent import cards
from agent.host.linux import Host
from agent.host.nvml import answers
from agent.host.nvml.answers import ABSENT, Silence
from agent.host.nvml.facts import Card, Gpus
from agent.probe import Past, Probe
from agent.readings import Answer, Reading
from nodehealth.health import Level

LANES: Final = "gpu.pcie_lanes"
SLOW: Final = "gpu.pcie_slow"
REPLAYS: Final = "gpu.pcie_replays"

_REPLAYS: Final = 94
_WIDEST: Final = 32
"""Lanes that PCIe knows at most: a device that sleeps says 63, and one that is gone 255."""
_P0: Final = 0
_BUSY: Final = 5
"""Percent of the last moment in which a GPU must have worked: its link has woken up by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GPUPCIe(Probe):
    """Watches the PCIe links of GPUs."""

    interval: timedelta = timedelta(minutes=1)
    """How often."""
    lanes: int = 0
    """How many each GPU is to have; by default the most that it had in this boot, or both ends of
    its link are made for."""

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:
        """Say how wide and how fast the links are, and how often they had to send again."""
        gpus = host.gpus()
        if not gpus.cards and not past:
            return []
        uptime, now = await host.uptime(), asyncio.get_running_loop().time()
        return [
            *self._widths(gpus, past),
            *_speeds(gpus, past),
            *(
                _replays(card, cards.sampled(card, now=now, uptime=uptime))
                for card in cards.spoken(gpus)
            ),
            *cards.mute([REPLAYS], gpus, past),
        ]

    def _widths(self, gpus: Gpus, past: Past) -> Iterator[Reading]:
        for card in cards.spoken(gpus):
            present, possible = gpus.bus.lanes.get(card.pci, (0, 0))
            told = _width(card, present)
            if isinstance(told, Silence):
                yield cards.reading(LANES, card, told)
                continue
            before = past.get((LANES, cards.subject(card)))
            most = int(before.fields.get("expected", 0)) if before is not None else 0
            learned = max(most, told, possible if possible <= _WIDEST else 0)
            yield cards.reading(LANES, card, float(told), {"expected": self.lanes or learned})
        yield from cards.mute([LANES], gpus, past)


def _width(card: Card, present: int) -> int | Silence:
    """Return the width that sysfs tells, or else the driver."""
    told: int | Silence = present
    if not 0 < present <= _WIDEST:
        told = answers.count(card.answers, "nvmlDeviceGetCurrPcieLinkWidth")
    if isinstance(told, int) and not 0 < told <= _WIDEST:
        return answers.unknown("the link tells no width")
    return told


def _speeds(gpus: Gpus, past: Past) -> Iterator[Reading]:
    """Say which GPUs at work have a slow link; of one that rests, what was seen when it worked."""
    for card in cards.spoken(gpus):
        yield _speed(card, past.get((SLOW, cards.subject(card))))
    yield from cards.mute([SLOW], gpus, past)


def _speed(card: Card, before: Level | None) -> Reading:
    now = answers.count(card.answers, "nvmlDeviceGetCurrPcieLinkGeneration")
    most = answers.count(card.answers, "nvmlDeviceGetMaxPcieLinkGeneration")
    if isinstance(now, Silence) or isinstance(most, Silence):
        return cards.reading(SLOW, card, now if isinstance(now, Silence) else most)
    if _is_at_work(card):
        fields = {"generation": f"{now}", "expected": f"{most}"} if now < most else None
        return cards.reading(SLOW, card, float(now < most), fields)
    if before is not None and before.value is not None:
        return cards.reading(SLOW, card, before.value, before.fields)
    return cards.reading(SLOW, card, ABSENT)


def _is_at_work(card: Card) -> bool:
    """Say whether a GPU works: many do not leave P0 when they rest, but their link does slow."""
    state = answers.number(card.answers, "nvmlDeviceGetPerformanceState")
    busy = answers.number(card.answers, "nvmlDeviceGetUtilizationRates", "gpu")
    return state == _P0 and (isinstance(busy, Silence) or busy >= _BUSY)


def _replays(card: Card, uptime: float) -> Answer:
    total = answers.field(card.answers, _REPLAYS)
    if total is ABSENT:
        total = answers.count(card.answers, "nvmlDeviceGetPcieReplayCounter")
    return cards.growing(REPLAYS, card, total, uptime)
