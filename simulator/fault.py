"""What a fault is: a value that says which symptoms a sick machine shows."""

import abc
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from nodehealth.health import Fields


class Survives(StrEnum):
    """What a fault outlives."""

    NOTHING = "nothing"
    REBOOT = "reboot"
    REPLACEMENT = "replacement"
    """The fault does not lie in the machine: its successor has it too."""


class Trouble(StrEnum):
    """How a program that is sent to a sick machine comes to nothing."""

    REFUSE = "refuse"
    FAIL = "fail"
    HANG = "hang"
    """It never ends by itself."""
    NO_IMAGE = "no-image"
    """It is never started, for its image cannot be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A level that a sick machine shows instead of the healthy one."""

    name: str
    subject: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """An event that happens on a machine when it falls sick."""

    name: str
    subject: str
    fields: Fields
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptoms:
    """Everything that a machine's sickness changes about it; the default is health."""

    readings: tuple[Reading, ...] = ()
    occurrences: tuple[Occurrence, ...] = ()
    kubelet_dead: bool = False
    agent_silent: bool = False
    powerless: bool = False
    """The machine is off, although nobody switched it off."""
    never_replaced: bool = False
    """Once it is deleted, no successor comes up."""
    never_boots: bool = False
    """Once it goes down to boot anew, it stays down."""
    same_boot: bool = False
    """When it went down and comes up again, it says that it never did: its boot is the old one."""
    driver: str = ""
    """The version of the GPU driver that is loaded, where it is another than before."""
    troubles: tuple[tuple[str, Trouble], ...] = ()
    """What becomes of programs sent to it, by their names; the empty name is all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(abc.ABC):
    """One way for a machine to be sick; its fields are what may be said about it."""

    survives: Survives = Survives.NOTHING
    mended_by: tuple[str, ...] = ()
    """The programs that mend it when they are sent to the node, such as `reset-gpu`."""

    @abc.abstractmethod
    def symptoms(self) -> Symptoms:
        """Say what the machine shows."""


def merged(many: Iterable[Symptoms]) -> Symptoms:
    """Lay the symptoms of several faults over each other; the later reading of a level wins."""
    all_of_them = tuple(many)
    levels = {(each.name, each.subject): each for one in all_of_them for each in one.readings}
    return Symptoms(
        readings=tuple(levels.values()),
        occurrences=tuple(each for one in all_of_them for each in one.occurrences),
        kubelet_dead=any(one.kubelet_dead for one in all_of_them),
        agent_silent=any(one.agent_silent for one in all_of_them),
        powerless=any(one.powerless for one in all_of_them),
        never_replaced=any(one.never_replaced for one in all_of_them),
        never_boots=any(one.never_boots for one in all_of_them),
        same_boot=any(one.same_boot for one in all_of_them),
        driver=next((one.driver for one in reversed(all_of_them) if one.driver), ""),
        troubles=tuple(each for one in all_of_them for each in one.troubles),
    )
