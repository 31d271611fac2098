"""What probes say of GPUs: each level of each card known, unknown, or not applicable."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from agent.host.nvml import answers
from agent.host.nvml.answers import Silence
from agent.host.nvml.facts import LOST, Bus, Card, Driver, Gpus, Standing
from agent.probe import Past
from agent.readings import Answer, Counter, Reading
from nodehealth.health import Fields, Level
from nodehealth.signals import Knowledge

Told: TypeAlias = float | Silence
"""The value of a level, or why it has none."""
Reader: TypeAlias = Callable[[Card], Told]
"""Reads one level off what NVML said of a card."""

HANDLE: Final = "nvmlDeviceGetHandleByPciBusId_v2"
"""The call without which no other one can be made to a GPU."""
_WAITING: Final = "it was not asked yet"
_BY_DRIVER: Final[Mapping[Driver, str]] = {
    Driver.ABSENT: "there is no driver",
    Driver.STARTING: "the driver is being loaded or exchanged",
    Driver.RELEASED: "NVML was given back for a reset",
    Driver.BARRED: "the agent may not open NVIDIA's devices",
    Driver.FAILED: "NVML cannot be used",
    Driver.HUNG: "the driver hangs",
    Driver.UNKNOWN: "NVML could not be asked",
}
_BY_STANDING: Final[Mapping[Standing, str]] = {
    Standing.LOST: "it is lost",
    Standing.HUNG: "a call to it does not return",
    Standing.RESTING: "it is not asked for a while",
    Standing.UNASKED: _WAITING,
}


def subject(card: Card) -> str:
    """Return what a card is called: by its UUID, which it keeps wherever it is plugged in."""
    return card.uuid or card.pci


def reading(name: str, card: Card, told: Told, fields: Fields | None = None) -> Reading:
    """Say one level of a card."""
    return said(name, subject(card), told, fields)


def said(name: str, about: str, told: Told, fields: Fields | None = None) -> Reading:
    """Say one level."""
    if isinstance(told, Silence):
        return Reading(
            name=name, subject=about, knowledge=told.knowledge, why=told.why, fields=fields or {}
        )
    return Reading(name=name, subject=about, value=float(told), fields=fields or {})


def sampled(card: Card, *, now: float, uptime: float) -> float:
    """Return for how long the machine had been up when a card answered, which was before now.

    Args:
        card: The card.
        now: What the event loop's clock says, by which it is known when the card answered.
        uptime: For how long the machine has been up now.
    """
    return uptime - max(0.0, now - card.at) if card.at else uptime


def growing(
    name: str,
    card: Card,
    total: int | Silence,
    uptime: float,
    *,
    scale: float = 1.0,
    fields: Fields | None = None,
) -> Answer:
    """Say how far a counter of a card stands; of one that cannot be read, why."""
    if isinstance(total, Silence):
        return reading(name, card, total)
    about = subject(card)
    return Counter(
        name=name, subject=about, total=total, uptime=uptime, scale=scale, fields=fields or {}
    )


def unasked(gpus: Gpus) -> Silence | None:
    """Say why the driver tells nothing now, if it does not."""
    why = _BY_DRIVER.get(gpus.driver)
    return answers.unknown(why) if why else None


def silent(gpus: Gpus, card: Card) -> Silence | None:
    """Say why NVML tells nothing of a card now, if it does not."""
    why = _BY_STANDING.get(card.standing)
    return unasked(gpus) or (answers.unknown(why) if why else None)


def are_seen(gpus: Gpus) -> bool:
    """Say whether anybody has looked for GPUs yet: the bus, or the driver, says anything at all."""
    blind = {Driver.ABSENT, Driver.STARTING, Driver.UNKNOWN}
    return gpus.bus != Bus() or gpus.driver not in blind


def are_all_asked(gpus: Gpus) -> bool:
    """Say whether the driver is there, and each GPU that it has was asked once."""
    is_counted = gpus.count is not None and len(gpus.cards) >= gpus.count
    waiting = any(each.standing is Standing.UNASKED for each in gpus.cards if not refusal(each))
    return gpus.driver is Driver.UP and is_counted and not waiting


def spoken(gpus: Gpus) -> tuple[Card, ...]:
    """Return the cards that NVML speaks of."""
    return tuple(card for card in gpus.cards if silent(gpus, card) is None)


def refusal(card: Card) -> int:
    """Return the error with which NVML refuses to let us speak to a card; 0 if it does not."""
    code = answers.error(card.answers, HANDLE) or 0
    return 0 if code == LOST else code


def refused(gpus: Gpus, codes: Collection[int]) -> tuple[Card, ...]:
    """Return the cards to which NVML does not let us speak, for one of some reasons."""
    waiting = (each for each in gpus.cards if each.standing is Standing.UNASKED)
    return tuple(each for each in waiting if gpus.driver is Driver.UP and refusal(each) in codes)


def mute(
    names: Iterable[str], gpus: Gpus, past: Past, told: Iterable[Card] | None = None
) -> Iterator[Reading]:
    """Say levels of GPUs that NVML does not speak of: unknown, unless they do not apply anyway.

    A GPU whose name nobody could read so far has none, and one that is gone has none any more.

    Args:
        names: The levels.
        gpus: The GPUs.
        past: What was said of them last.
        told: The GPUs of which the levels are told; by default those that NVML speaks of.
    """
    known = {subject(each) for each in (spoken(gpus) if told is None else told)}
    why = {subject(each): silent(gpus, each) for each in gpus.cards if each.uuid}
    waiting = unasked(gpus) or (None if are_all_asked(gpus) else answers.unknown(_WAITING))
    for name in names:
        earlier = (about for which, about in past if which == name)
        for about in dict.fromkeys((*why, *earlier)):
            if about not in known and (silence := why.get(about, waiting)):
                yield _kept(name, about, silence, past.get((name, about)))


def levels(readers: Mapping[str, Reader], gpus: Gpus, past: Past) -> list[Reading]:
    """Read levels that need nothing but the answers, off every card."""
    known = [
        reading(name, card, read(card)) for card in spoken(gpus) for name, read in readers.items()
    ]
    return [*known, *mute(readers, gpus, past)]


def flag(told: int | Silence) -> Told:
    """Return whether a number is not zero, as a level."""
    return told if isinstance(told, Silence) else float(told != 0)


def was_known(level: Level | None) -> bool:
    """Say whether a level ever had a value in this boot."""
    return level is not None and level.value is not None


def _kept(name: str, about: str, why: Silence, before: Level | None) -> Reading:
    is_absent = before is not None and before.knowledge is Knowledge.NOT_APPLICABLE
    return said(name, about, answers.ABSENT if is_absent else why)
