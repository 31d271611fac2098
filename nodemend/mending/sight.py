"""What one look at the driver tells of the GPUs, as far as a reset needs to know."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agent.host.nvml import calls
from agent.host.nvml.facts import LOST, RESET_REQUIRED, Answers

HANDLE: Final = "nvmlDeviceGetHandleByIndex_v2"
"""What stands for a GPU that NVML has, and gives nobody."""
RECOVERY_ACTION: Final = "230"
"""NVML's field of what the driver recommends to do with a GPU."""
ACTIONS: Final[Mapping[int, str]] = {
    0: "nothing",
    1: "a reset",
    2: "a reboot",
    3: "a drain of its peers",
    4: "a drain and a reset",
    5: "recovery of the IMEX domain",
    6: "a reset of the bus",
    7: "a reboot of the system",
}
"""What the values of that field mean."""

_SWITCH: Final = 2
_NO_FABRIC: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU."""

    uuid: str
    pci: str = ""
    """Its address on the bus as sysfs has it, such as 0000:3b:00.0."""
    minor: int | None = None
    """Which /dev/nvidiaN is its own."""
    error: int = 0
    """What NVML returned for the GPU itself, or for anything that was asked of it, where that says
    that it is lost or must be reset; 0 where it answers."""
    action: int | None = None
    """The recovery action; None where the driver tells none."""
    pending: bool | None = None
    """Whether rows wait to be remapped by a reset; None where that is not told."""
    mig: bool = False
    """Whether it is cut into instances."""
    persistence: bool = False
    """Whether the driver keeps it ready while nobody uses it."""
    peers: frozenset[str] = frozenset()
    """The addresses of those at the other ends of its links."""
    switched: bool = False
    """Whether a switch connects it with others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The driver and its GPUs."""

    code: int = 0
    """What nvmlInit returned; 0 where NVML can be used."""
    gpus: tuple[Gpu, ...] = ()
    by_uuid: Mapping[str, Gpu] = field(default_factory=dict)


def read(told: Mapping[str, Any], *, switches: bool = False) -> Sight:
    """Read what a look told.

    Args:
        told: What NVML answered, as `agent.host.nvml.once` writes it.
        switches: Whether the machine has NVSwitches on its bus. Then all its NVLinks lead to them,
            also those that are down and do not say so.
    """
    gpus = tuple(_gpu(answers, switches=switches) for answers in told.get("gpus", ()))
    return Sight(
        code=told.get("code", 0), gpus=gpus, by_uuid={each.uuid: each for each in gpus if each.uuid}
    )


def address(pci: str) -> str:
    """Write an address on the bus as sysfs does, or nothing for none."""
    return calls.pci_address(pci) if pci else ""


def _gpu(answers: Answers, *, switches: bool) -> Gpu:
    pci = answers.get("nvmlDeviceGetPciInfo_v3")
    fields = answers.get("nvmlDeviceGetFieldValues")
    rows = answers.get("nvmlDeviceGetRemappedRows")
    mig = answers.get("nvmlDeviceGetMigMode")
    kinds = _of(answers.get("nvmlDeviceGetNvLinkRemoteDeviceType")).values()
    peers = _of(answers.get("nvmlDeviceGetNvLinkRemotePciInfo_v2")).values()
    fabric = _of(answers.get("nvmlDeviceGetGpuFabricInfoV")).get("state", _NO_FABRIC)
    states = _of(answers.get("nvmlDeviceGetNvLinkState")).values()
    switched = fabric != _NO_FABRIC or _SWITCH in kinds or (switches and bool(states))
    return Gpu(
        uuid=_text(answers.get("nvmlDeviceGetUUID")),
        pci=address(_text(_of(pci).get("busId"))),
        minor=_number(answers.get("nvmlDeviceGetMinorNumber")),
        error=_error(answers),
        action=_number(_of(fields).get(RECOVERY_ACTION)),
        pending=bool(rows[2]) if isinstance(rows, list) else None,
        mig=isinstance(mig, list) and bool(mig[0]),
        persistence=answers.get("nvmlDeviceGetPersistenceMode") == 1,
        peers=frozenset(address(_text(each)) for each in peers) - {""},
        switched=switched,
    )


def _error(answers: Answers) -> int:
    values = [*answers.values(), *_of(answers.get("nvmlDeviceGetFieldValues")).values()]
    codes = [_of(each).get("error", 0) for each in values]
    given = _of(answers.get(HANDLE)).get("error", 0)
    return given or next((each for each in (LOST, RESET_REQUIRED) if each in codes), 0)


def _of(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
