"""What NVML says on one machine, function by function, as a file holds it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

Answers: TypeAlias = Mapping[str, Any]
"""What one GPU, or the driver, answers, by the name of NVML's function."""

SHIPPED: Final = Path(__file__).parent / "recordings"
UUID: Final = "nvmlDeviceGetUUID"
PCI: Final = "nvmlDeviceGetPciInfo_v3"
FIELDS: Final = "nvmlDeviceGetFieldValues"
MOST_GPUS: Final = 64
"""As many as the library has handles for."""

_FUNCTION: Final = re.compile(r"nvml[A-Z]\w+")
_FIELD: Final = re.compile(r"\d+(/\d+)?")
_BUS_ID: Final = re.compile(r"[0-9A-F]{8}:[0-9A-F]{2}:[0-9A-F]{2}\.0")


class RecordingError(Exception):
    """A recording that says nothing, or something else than a machine can say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A machine with its GPUs in NVML's order."""

    about: str
    system: Answers
    gpus: tuple[Answers, ...]
    absent: tuple[str, ...] = ()
    """Functions that the library of this driver does not have."""

    def pci(self, gpu: int) -> str:
        """Return the GPU's address as sysfs has it, such as 0000:3b:00.0."""
        return sysfs_address(self.gpus[gpu][PCI]["busId"])


def sysfs_address(bus_id: str) -> str:
    """Turn NVML's 00000000:3B:00.0 into 0000:3b:00.0."""
    domain, rest = bus_id.lower().split(":", 1)
    return f"{int(domain, 16):04x}:{rest}"


def shipped() -> tuple[str, ...]:
    """Name the recordings that come with the simulator."""
    return tuple(sorted(file.stem for file in SHIPPED.glob("*.yaml")))


def load(source: str | Path) -> Recording:
    """Read a recording: one that comes with the simulator by its name, or a file.

    Raises:
        RecordingError: It is not there, or it is not a recording.
    """
    path = SHIPPED / f"{source}.yaml" if str(source) in shipped() else Path(source)
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as unreadable:
        names = ", ".join(shipped())
        raise RecordingError(f"{path}: a file or one of {names}; {unreadable}") from unreadable
    except yaml.YAMLError as broken:
        raise RecordingError(f"{path}: must be YAML; {broken}") from broken
    return parse(content, str(path))


def parse(content: object, path: str) -> Recording:
    """Make a recording of what a file or a pipe held; `path` says where it came from.

    Raises:
        RecordingError: It is not a recording.
    """
    top = _mapping(content, path)
    if unknown := set(top) - {"about", "system", "gpus", "absent"}:
        raise RecordingError(
            f"{path}: has about, system, gpus and absent, not {', '.join(sorted(unknown))}"
        )
    listed = top.get("gpus")
    if not isinstance(listed, list) or len(listed) > MOST_GPUS:
        raise RecordingError(f"{path}.gpus: must be a list of at most {MOST_GPUS} GPUs")
    gpus = tuple(_gpu(gpu, f"{path}.gpus[{at}]") for at, gpu in enumerate(listed))
    if len({gpu[UUID] for gpu in gpus}) < len(gpus):
        raise RecordingError(f"{path}.gpus: each {UUID} must be there once")
    return Recording(
        about=str(top.get("about", "")),
        system=_answers(top.get("system"), f"{path}.system"),
        gpus=gpus,
        absent=_absent(top.get("absent", []), f"{path}.absent"),
    )


def _mapping(content: object, path: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise RecordingError(f"{path}: must be a mapping, is {type(content).__name__}")
    return {str(key): value for key, value in content.items()}


def _absent(content: object, path: str) -> tuple[str, ...]:
    if not isinstance(content, list):
        raise RecordingError(f"{path}: must be a list of functions, is {type(content).__name__}")
    for name in content:
        _function(name, path)
    return tuple(content)


def _function(name: object, path: str) -> None:
    if not isinstance(name, str) or not _FUNCTION.fullmatch(name):
        raise RecordingError(f"{path}: functions are called nvml…, not {name!r}")


def _answers(content: object, path: str) -> Answers:
    answers = _mapping(content, path)
    for name, value in answers.items():
        _function(name, path)
        answers[name] = plain(value, f"{path}.{name}")
    return answers


def _gpu(content: object, path: str) -> Answers:
    answers = _answers(content, path)
    if not isinstance(answers.get(UUID), str):
        raise RecordingError(f"{path}.{UUID}: must be a text, is {answers.get(UUID)!r}")
    bus_id = (answers.get(PCI) or {}).get("busId")
    if not isinstance(bus_id, str) or not _BUS_ID.fullmatch(bus_id):
        raise RecordingError(f"{path}.{PCI}.busId: must be like 00000000:3B:00.0, is {bus_id!r}")
    for key in answers.get(FIELDS) or {}:
        if key != "error" and not _FIELD.fullmatch(key):
            raise RecordingError(f"{path}.{FIELDS}: keys are like 230 or 165/3, not {key!r}")
    return answers


def plain(value: object, path: str) -> object:
    """Return an answer with texts for all keys, once it is certain that it is one.

    Raises:
        RecordingError: It is neither a number, a text, nothing, nor a list or mapping of them.
    """
    if value is None or isinstance(value, int | float | str):
        return value
    if isinstance(value, list):
        return [plain(item, f"{path}[{at}]") for at, item in enumerate(value)]
    if isinstance(value, dict):
        return {str(key): plain(item, f"{path}.{key}") for key, item in value.items()}
    raise RecordingError(
        f"{path}: must be a number, a text, a list or a mapping, is {type(value).__name__}"
    )
