"""Whether each GPU is a sound part of the NVLink fabric that NVSwitches form."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agent import cards
from agent.host.linux import Host
from agent.host.nvml import answers
from agent.host.nvml.answers import ABSENT, Silence
from agent.host.nvml.facts import Card, Gpus
from agent.probe import Past, Probe
from agent.readings import Answer, Reading
from nodehealth.health import Level

FABRIC: Final = "gpu.fabric_unhealthy"

_INFO: Final = "nvmlDeviceGetGpuFabricInfoV"
_NOT_STARTED, _IN_PROGRESS, _COMPLETED = 1, 2, 3
_SUMMARIES: Final = {2: "unhealthy", 3: "limited capacity"}
_MASK: Final = {
    0: "degraded bandwidth",
    2: "route recovery",
    4: "route unhealthy",
    6: "access timeout recovery",
}
"""Where two bits of the health mask say 1 for what is the case."""
_CONFIGURATION: Final = {
    2: "incorrect system GUID",
    3: "incorrect chassis serial number",
    4: "no partition",
    5: "insufficient NVLinks",
    6: "incompatible GPU firmware",
    7: "invalid location",
    8: "invalid GPU state",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GPUFabric(Probe):
    """Watches the registration of GPUs with their fabric, and the health that it tells of them."""

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:
        """Say which GPUs are not, or not wholly, part of their fabric."""
        gpus = host.gpus()
        known = (
            _fabric(gpus, card, past.get((FABRIC, cards.subject(card))))
            for card in cards.spoken(gpus)
        )
        return [*known, *cards.mute([FABRIC], gpus, past)]


def _fabric(gpus: Gpus, card: Card, before: Level | None) -> Reading:
    state = answers.number(card.answers, _INFO, "state")
    if isinstance(state, Silence):
        return cards.reading(FABRIC, card, state)
    is_expected = bool(gpus.bus.switches) or cards.was_known(before)
    if state not in {_NOT_STARTED, _IN_PROGRESS, _COMPLETED}:
        return cards.reading(FABRIC, card, ABSENT)
    if state == _NOT_STARTED and not is_expected:
        return cards.reading(FABRIC, card, ABSENT)
    why = ", ".join(_ailments(card, state))
    return cards.reading(FABRIC, card, float(bool(why)), {"why": why} if why else None)


def _ailments(card: Card, state: int) -> Iterator[str]:
    """Say what is wrong with a GPU's part in its fabric."""
    if state != _COMPLETED:
        yield "not started" if state == _NOT_STARTED else "in progress"
        return
    status = answers.number(card.answers, _INFO, "status")
    if isinstance(status, int) and status:
        yield answers.words(status)
    summary = answers.number(card.answers, _INFO, "healthSummary")
    if isinstance(summary, int) and summary in _SUMMARIES:
        yield _SUMMARIES[summary]
    mask = answers.count(card.answers, _INFO, "healthMask")
    if isinstance(mask, int):
        yield from _masked(mask)


def _masked(mask: int) -> Iterator[str]:
    for shift, ailment in _MASK.items():
        if mask >> shift & 0b11 == 1:
            yield ailment
    configuration = mask >> 8 & 0b1111
    if configuration > 1:
        yield _CONFIGURATION.get(configuration, f"configuration {configuration}")
