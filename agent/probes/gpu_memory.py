"""Whether the memory of each GPU is sound, and what it has repaired of it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from agent import cards
from agent.cards import Reader, Told
from agent.host.linux import Host
from agent.host.nvml import answers
from agent.host.nvml.answers import ABSENT, Silence
from agent.host.nvml.facts import Card
from agent.probe import Past, Probe
from agent.readings import Answer

CORRECTED: Final = "gpu.ecc_corrected"

_ROWS: Final = "nvmlDeviceGetRemappedRows"
_ROW_FIELDS: Final = {1: 143, 2: 144, 3: 145}
"""The fields that say the same as places of NVML's answer of remapped rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GPUMemory(Probe):
    """Watches the errors of GPU memory, and the spare rows that are left to repair it."""

    async def stirred(self, host: Host) -> None:
        """Be asked as soon as more rows of a GPU are given up than before."""
        await host.gpus_changed("gpu_memory")

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:
        """Say which errors there were, and what became of the memory that had them."""
        gpus = host.gpus()
        if not gpus.cards and not past:
            return []
        uptime, now = await host.uptime(), asyncio.get_running_loop().time()
        corrected = (
            _corrected(card, cards.sampled(card, now=now, uptime=uptime))
            for card in cards.spoken(gpus)
        )
        return [
            *cards.levels(_READERS, gpus, past),
            *corrected,
            *cards.mute([CORRECTED], gpus, past),
        ]


def _corrected(card: Card, uptime: float) -> Answer:
    return cards.growing(CORRECTED, card, answers.field(card.answers, 3), uptime)


def _field(which: int, card: Card) -> Told:
    return answers.field(card.answers, which)


def _ecc_off(card: Card) -> Told:
    current = answers.number(card.answers, "nvmlDeviceGetEccMode", 0)
    return current if isinstance(current, Silence) else float(current == 0)


def _sram(card: Card) -> Told:
    call = "nvmlDeviceGetSramEccErrorStatus"
    return cards.flag(answers.number(card.answers, call, "thresholdExceeded"))


def _rows(place: int, card: Card) -> int | Silence:
    """Return what NVML says of remapped rows, by the call or, where it has none, by the field."""
    told = answers.count(card.answers, _ROWS, place)
    return answers.field(card.answers, _ROW_FIELDS[place]) if told is ABSENT else told


def _row_flag(place: int, card: Card) -> Told:
    return cards.flag(_rows(place, card))


def _exhausted(card: Card) -> Told:
    return answers.count(card.answers, "nvmlDeviceGetRowRemapperHistogram", "none")


def _retired(card: Card) -> Told:
    if _rows(1, card) is not ABSENT:
        return ABSENT
    single, double = (answers.field(card.answers, which) for which in (29, 30))
    if isinstance(single, Silence):
        return single
    return double if isinstance(double, Silence) else float(single + double)


def _retiring(card: Card) -> Told:
    is_remapping = _rows(1, card) is not ABSENT
    return ABSENT if is_remapping else cards.flag(answers.field(card.answers, 31))


def _unrepairable(card: Card) -> Told:
    return cards.flag(answers.number(card.answers, "nvmlDeviceGetUnrepairableMemoryFlag_v1"))


def _repair(card: Card) -> Told:
    call = "nvmlDeviceGetRepairStatus"
    channel, tpc = (answers.number(card.answers, call, place) for place in (0, 1))
    if isinstance(channel, Silence):
        return channel
    return tpc if isinstance(tpc, Silence) else float(bool(channel or tpc))


_READERS: Final[Mapping[str, Reader]] = {
    "gpu.ecc_uncorrected": partial(_field, 4),
    "gpu.ecc_uncorrected_ever": partial(_field, 6),
    "gpu.ecc_off": _ecc_off,
    "gpu.sram_threshold_exceeded": _sram,
    "gpu.remap_pending": partial(_row_flag, 2),
    "gpu.remap_failed": partial(_row_flag, 3),
    "gpu.remapped_rows": partial(_rows, 1),
    "gpu.remap_banks_exhausted": _exhausted,
    "gpu.retired_pages": _retired,
    "gpu.retirement_pending": _retiring,
    "gpu.memory_unrepairable": _unrepairable,
    "gpu.repair_pending": _repair,
}
