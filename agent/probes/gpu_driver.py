"""Whether NVIDIA's driver can be asked at all, and whether a call into it never returns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agent import cards
from agent.cards import Told
from agent.host.linux import Host
from agent.host.nvml import answers
from agent.host.nvml.answers import ABSENT
from agent.host.nvml.facts import Driver, Gpus, Hang, Standing
from agent.probe import Past, Probe
from agent.readings import Answer, Reading
from nodehealth.health import Fields, Level

DRIVER_HUNG: Final = "gpu.driver_hung"
DRIVER_FAILED: Final = "gpu.driver_failed"
HUNG: Final = "gpu.hung"

_NOT_LOADED: Final = 9
_UNPROVEN: Final = "a call does not return, though it does not sleep in the kernel"


@dataclass(frozen=True, slots=True, kw_only=True)
class GPUDriver(Probe):
    """Watches the driver as far as one can while it does not answer."""

    async def stirred(self, host: Host) -> None:
        """Be asked as soon as the driver or a GPU stands otherwise than before."""
        await host.gpus_changed("gpu_driver")

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:
        """Say how the driver stands, and which GPUs it does not come back from."""
        gpus = host.gpus()
        failed = _failed(gpus, past.get((DRIVER_FAILED, "")))
        if not cards.are_seen(gpus) and not past:
            return [failed]
        return [failed, _driver_hung(gpus), *_hung(gpus, past)]


def _failed(gpus: Gpus, before: Level | None) -> Reading:
    told = _failure(gpus, is_known=cards.was_known(before))
    code = gpus.code if gpus.driver is Driver.FAILED else _NOT_LOADED
    fields: Fields = {"code": code, "error": answers.words(code)}
    return cards.said(DRIVER_FAILED, "", told, fields if told == 1.0 else None)


def _failure(gpus: Gpus, *, is_known: bool) -> Told:
    """Say whether NVML cannot be used; one that was there before this agent cannot be absent."""
    if not (gpus.bus.gpus or gpus.cards):
        is_blind = is_known and not cards.are_seen(gpus)
        return answers.unknown("nothing is known of the GPUs yet") if is_blind else ABSENT
    match gpus.driver:
        case Driver.UP:
            return 0.0
        case Driver.STARTING:
            return ABSENT
        case Driver.FAILED:
            return 1.0
        case Driver.ABSENT:
            return 1.0 if is_known else ABSENT
        case _:
            return cards.unasked(gpus) or 0.0


def _driver_hung(gpus: Gpus) -> Reading:
    if gpus.driver is Driver.HUNG:
        return _stuck(DRIVER_HUNG, "", gpus.hang)
    if gpus.driver in {Driver.UP, Driver.FAILED}:
        return cards.said(DRIVER_HUNG, "", 0.0)
    is_absent = gpus.driver is Driver.ABSENT
    return cards.said(DRIVER_HUNG, "", ABSENT if is_absent else cards.unasked(gpus) or ABSENT)


def _hung(gpus: Gpus, past: Past) -> Iterator[Reading]:
    """Say which GPUs do not return; one that rests, or is lost, has returned."""
    is_up = gpus.driver is Driver.UP
    told = [each for each in gpus.cards if is_up and each.standing is not Standing.UNASKED]
    for card in told:
        if card.standing is Standing.HUNG:
            yield _stuck(HUNG, cards.subject(card), card.hang)
        else:
            yield cards.reading(HUNG, card, 0.0)
    yield from cards.mute([HUNG], gpus, past, told)


def _stuck(name: str, about: str, hang: Hang | None) -> Reading:
    """Say that a call hangs, if its thread is seen to sleep where nothing ends it."""
    if hang is None or not hang.is_proven:
        return cards.said(name, about, answers.unknown(_UNPROVEN))
    fields = {"call": hang.call, **({"wchan": hang.wchan} if hang.wchan else {})}
    return cards.said(name, about, 1.0, fields)
