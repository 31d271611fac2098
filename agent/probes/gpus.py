"""Whether the machine's GPUs are all there, as NVML and the PCI bus say."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agent import cards
from agent.cards import Told
from agent.host.linux import Host
from agent.host.nvml import answers
from agent.host.nvml.answers import ABSENT, Silence
from agent.host.nvml.facts import Card, Driver, Gpus, Standing
from agent.probe import Past, Probe
from agent.readings import Answer, Aside, Gap, Reading
from nodehealth.health import Fields, Level
from nodehealth.signals import Knowledge

COUNT: Final = "gpu.count"
LOST: Final = "gpu.lost"

_BLIND: Final = "what is on the PCI bus could not be seen for a minute or more"


@dataclass(frozen=True, slots=True, kw_only=True)
class GPUs(Probe):
    """Counts GPUs, and finds those that are lost, also while NVML cannot be asked."""

    expected: int = 0
    """How many there are to be; by default the most that were on the bus in this boot."""

    async def stirred(self, host: Host) -> None:
        """Be asked as soon as the driver or a GPU stands otherwise than before."""
        await host.gpus_changed("gpus")

    async def check(self, host: Host, past: Past) -> Sequence[Answer | Aside]:
        """Say how many there are, and which of those that were in this boot are gone."""
        gpus = host.gpus()
        lost = [await _presence(host, gpus, each, past) for each in _known(gpus, past)]
        blind = [Gap(why=_BLIND)] if gpus.is_blind else []
        telling = (each for each in lost if _is_telling(each, past))
        return [self._count(gpus, lost, past), *telling, *blind]

    def _count(self, gpus: Gpus, lost: Sequence[Reading], past: Past) -> Reading:
        expected = self.expected or _learned(gpus, lost, past)
        fields = {"pci": len(gpus.bus.gpus), "expected": expected}
        told = self._told(gpus, expected, is_known=cards.was_known(past.get((COUNT, ""))))
        return cards.said(COUNT, "", told, None if told is ABSENT else fields)

    def _told(self, gpus: Gpus, expected: int, *, is_known: bool) -> Told:
        if gpus.driver is Driver.ABSENT and not is_known:
            is_missed = self.expected > 0 and not gpus.bus.gpus
            return 0.0 if is_missed else ABSENT
        if not expected:
            return ABSENT
        if any(each.standing is Standing.RESTING for each in gpus.cards):
            return answers.unknown("a GPU is left alone for a while")
        if cards.are_all_asked(gpus):
            return float(sum(each.standing is Standing.ANSWERS for each in gpus.cards))
        return cards.unasked(gpus) or answers.unknown("not every GPU was asked yet")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A GPU that was there in this boot."""

    subject: str
    pci: str
    serial: str
    card: Card | None = None
    """Nothing if the driver never spoke of it to this agent, but to an earlier one."""

    def is_answering(self, driver: Driver) -> bool:
        answers_last = self.card is not None and self.card.standing is Standing.ANSWERS
        return answers_last and driver is Driver.UP


def _known(gpus: Gpus, past: Past) -> Iterator[_Known]:
    """Give the GPUs of this boot: those that there are, and those that an earlier agent saw."""
    earlier = {
        str(level.fields.get("pci", "")): level
        for (name, about), level in past.items()
        if name == LOST and about not in {each.uuid for each in gpus.cards}
    }
    for card in gpus.cards:
        was = None if card.uuid else earlier.get(card.pci)
        about = was.subject if was is not None else cards.subject(card)
        yield _Known(subject=about, pci=card.pci, serial=card.serial or _serial(was), card=card)
    for pci, level in earlier.items():
        if pci not in {each.pci for each in gpus.cards}:
            yield _Known(subject=level.subject, pci=pci, serial=_serial(level))


def _serial(level: Level | None) -> str:
    return str(level.fields.get("serial", "")) if level is not None else ""


async def _presence(host: Host, gpus: Gpus, known: _Known, past: Past) -> Reading:
    fields: Fields = {"pci": known.pci, **({"serial": known.serial} if known.serial else {})}
    told = _lost(gpus, known, past.get((LOST, known.subject)))
    if told == "pci" and await host.is_driven(known.pci):
        told = ABSENT  # vfio-pci has it, for a virtual machine
    if isinstance(told, Silence):
        return cards.said(LOST, known.subject, told, fields)
    return cards.said(
        LOST, known.subject, float(bool(told)), {**fields, "why": told} if told else fields
    )


def _lost(gpus: Gpus, known: _Known, before: Level | None) -> str | Silence:
    """Say by what a GPU is seen to be lost; an empty text when it is there."""
    if not cards.are_seen(gpus):
        return answers.unknown("nothing is known of the GPUs yet")
    if known.pci in gpus.bus.fallen:
        return "config"
    if known.is_answering(gpus.driver):
        return ""
    if known.pci not in gpus.bus.gpus:
        return "pci"
    return _unanswered(gpus, known, before)


def _unanswered(gpus: Gpus, known: _Known, before: Level | None) -> str | Silence:
    """Say whether NVML has lost a GPU that the bus has."""
    is_gone = known.card is None and cards.are_all_asked(gpus)
    if is_gone or (known.card is not None and known.card.standing is Standing.LOST):
        return "nvml"
    if before is not None and before.value == 1.0:
        return cards.unasked(gpus) or answers.unknown("it was lost, and was not asked since")
    return ""


def _is_telling(reading: Reading, past: Past) -> bool:
    """Say whether there is something to say: that a GPU without a name is there, is nothing."""
    has_name = reading.subject != reading.fields.get("pci")
    return has_name or reading.value == 1.0 or (LOST, reading.subject) in past


def _learned(gpus: Gpus, lost: Sequence[Reading], past: Past) -> int:
    """Return how many there were at most, but for those that went to another driver."""
    before = past.get((COUNT, ""))
    most = int(before.fields.get("expected", 0)) if before is not None else 0
    away = [each for each in lost if each.knowledge is Knowledge.NOT_APPLICABLE]
    left = sum(_was_ours(past.get((LOST, each.subject))) for each in away)
    return max(most - left, len(gpus.bus.gpus), len(lost) - len(away))


def _was_ours(level: Level | None) -> bool:
    return level is not None and level.knowledge is not Knowledge.NOT_APPLICABLE
