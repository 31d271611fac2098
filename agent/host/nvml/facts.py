"""What is known of a machine's NVIDIA GPUs at one moment, as the driver and the PCI bus say it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias

Answers: TypeAlias = Mapping[str, Any]
"""What NVML said of one GPU, or of the driver, by the name of NVML's own function.

The value is what the function gave, as JSON has it: a number, a text, a list, a mapping by field
id (`"230"`, with a scope `"165/3"`) or by argument (`"3"` for link 3); nothing for a function that
gives nothing. Where NVML returned an error it is `{"error": code}` in that value's place. A
recording of a machine holds the same.
"""

NOT_SUPPORTED: Final = frozenset({3, 4, 13, 25, 26})
"""NVML's ways to say that there is no such thing here: not supported, no permission, no such
function, another version of an argument, deprecated."""
LOST: Final = 15
RESET_REQUIRED: Final = 16
INFOROM_CORRUPT: Final = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Hang:
    """A call that does not return."""

    call: str
    """The NVML function."""
    since: float
    """When it was made, by the event loop's clock."""
    state: str
    """The state of its thread, as /proc has it: D, where nothing can end it, or another one."""
    wchan: str = ""
    """Where in the kernel it sleeps; empty where that is not told."""

    @property
    def is_proven(self) -> bool:
        """Say whether it is the kernel in which it sleeps, and not we who are slow."""
        return self.state == "D"


class Driver(StrEnum):
    """How the driver stands, as far as NVML can be used."""

    ABSENT = "absent"
    """There is none, and there was none in this boot."""
    STARTING = "starting"
    """It is being loaded, or it went away a short while ago, as in a roll-out: `code` says how NVML
    refused last, if it did."""
    UP = "up"
    RELEASED = "released"
    """We closed NVML because a GPU is to be reset."""
    BARRED = "barred"
    """It may be well, but we may not open its devices: our container has no privileges."""
    FAILED = "failed"
    """NVML cannot be used: `code` says why."""
    HUNG = "hung"
    """No call returns: `hang` says which."""
    UNKNOWN = "unknown"
    """We could not ask: our own process does not do its work."""


class Standing(StrEnum):
    """Whether what is known of a GPU is fresh."""

    ANSWERS = "answers"
    LOST = "lost"
    """NVML says that it is lost, or has it no more."""
    HUNG = "hung"
    """A call to it does not return; `hang` says which."""
    RESTING = "resting"
    """It is not asked for a while, because of what the driver said of it."""
    UNASKED = "unasked"
    """The driver cannot be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One GPU that was seen in this boot."""

    pci: str
    """Its address on the bus as sysfs has it, such as 0000:3b:00.0."""
    uuid: str
    serial: str = ""
    standing: Standing = Standing.ANSWERS
    hang: Hang | None = None
    answers: Answers = field(default_factory=dict)
    """All that NVML said of it last, newest first come: calls that are made seldom stay."""
    at: float = 0.0
    """When it answered last, by the event loop's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bus:
    """What the PCI bus and /dev say, for which no driver is asked."""

    gpus: tuple[str, ...] = ()
    """Addresses of the NVIDIA GPUs that the host is to drive, such as 0000:3b:00.0."""
    fallen: tuple[str, ...] = ()
    """Those of them whose configuration space reads ff."""
    switches: tuple[str, ...] = ()
    """Addresses of the NVSwitches."""
    lanes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By address the present and the largest possible link width."""
    nodes: int = 0
    """How many /dev/nvidia0, /dev/nvidia1 … there are."""
    module: str = ""
    """The version of the kernel module nvidia; empty while it is not loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpus:
    """All of it."""

    bus: Bus = field(default_factory=Bus)
    is_blind: bool = False
    """Whether nobody knows what is on the bus now: `bus` is of a while ago."""
    driver: Driver = Driver.ABSENT
    code: int = 0
    """How NVML refused last, while the driver is starting or has failed."""
    hang: Hang | None = None
    """The call that does not return, while the driver hangs."""
    system: Answers = field(default_factory=dict)
    """What NVML says of itself and of the driver."""
    count: int | None = None
    """How many GPUs the driver has, as it said last; nothing while it cannot be asked."""
    cards: tuple[Card, ...] = ()
    """In the order of their addresses."""

    @property
    def version(self) -> str:
        """Return the version of the driver, or of the last one that told; empty if none did."""
        said = self.system.get("nvmlSystemGetDriverVersion")
        return self.bus.module or (said if isinstance(said, str) else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class NvmlEvent:
    """Something that NVML told without being asked."""

    kind: int
    """NVML's bit for it: 0x8 an XID, 0x2 a double bit error, 0x8000 another recovery action …"""
    pci: str
    uuid: str
    data: int
    """The XID's code, for an XID."""
    at: datetime
    """When the agent heard of it."""
