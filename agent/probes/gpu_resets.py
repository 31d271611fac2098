"""Which GPUs were reset or initialised anew: what they did before need not trouble anybody."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from agent import cards
from agent.host.linux import Host
from agent.host.nvml import answers
from agent.host.nvml.facts import Driver, Gpus
from agent.probe import Past, Probe
from agent.readings import Answer, Memo, Occurrence

RESET: Final = "gpu.reset"

_ACTION: Final = 230
_DRIVER: Final = "driver"
_WANTED: Final = "reset wanted"
_RESETS: Final = frozenset({1, 4, 6})
"""What field 230 says while a reset is wanted: of the GPU, once it is drained, or of its bus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GPUResets(Probe):
    """Notices resets by what notes, drivers and GPUs say, each once."""

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:
        """Say which GPUs were reset since the last look, and remember which await it."""
        gpus = host.gpus()
        if not gpus.cards and not past:
            return []
        now, was_gone = host.now(), ("", f"{_DRIVER} gone") in past
        return [
            *_noted(gpus, await host.gpu_resets()),
            *(_anew(gpus, now) if was_gone and gpus.driver is Driver.UP else ()),
            *_obeyed(gpus, past, now),
            *_remembered(gpus, past, was_gone=was_gone),
        ]


def _noted(gpus: Gpus, noted: Mapping[str, datetime]) -> Iterator[Occurrence]:
    """Give what whoever reset a GPU left word of; its time numbers it, so that it counts once."""
    for card in gpus.cards:
        at = noted.get(card.uuid)
        if at is not None:
            number = round(at.timestamp() * 1000)
            source = f"{RESET} {card.uuid}"
            yield Occurrence(name=RESET, subject=card.uuid, at=at, source=source, position=number)


def _anew(gpus: Gpus, now: datetime) -> Iterator[Occurrence]:
    """Give all that a driver found that was loaded anew."""
    for card in cards.spoken(gpus):
        yield Occurrence(name=RESET, subject=cards.subject(card), at=now)


def _obeyed(gpus: Gpus, past: Past, now: datetime) -> Iterator[Occurrence]:
    """Give those of which the driver wanted a reset, and does not want it any more."""
    for card in cards.spoken(gpus):
        about = cards.subject(card)
        wanted = ("", f"{_WANTED} {about}") in past
        if wanted and answers.field(card.answers, _ACTION) == 0:
            yield Occurrence(name=RESET, subject=about, at=now)


def _remembered(gpus: Gpus, past: Past, *, was_gone: bool) -> Iterator[Memo]:
    """Keep in mind that the driver is gone, and of which GPUs it wants a reset."""
    if gpus.driver is not Driver.UP and (was_gone or not gpus.bus.module):
        yield Memo(subject=f"{_DRIVER} gone", fields={})
    spoken = {cards.subject(card): card for card in cards.spoken(gpus)}
    for about, card in spoken.items():
        if answers.field(card.answers, _ACTION) in _RESETS:
            yield Memo(subject=f"{_WANTED} {about}", fields={})
    for name, subject in past:
        about = subject.removeprefix(f"{_WANTED} ")
        if not name and about != subject and about not in spoken:
            yield Memo(subject=subject, fields={})
