"""What a machine's GPUs say, as a file that a stand-in driver can say after them.

Who owns the machine cannot be told from it: every UUID and serial is another one, and the same one
wherever it stands.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final, TypeAlias

from agent.host.nvml.calls import CALLS
from agent.host.nvml.facts import NOT_SUPPORTED, Answers, Gpus

Recording: TypeAlias = dict[str, Any]

_MISSING: Final = 13
"""The library has no such function."""
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NONE: Final = "00000000-0000-0000-0000-000000000000"
_SERIAL: Final = "nvmlDeviceGetSerial"
_PIDS: Final = "nvmlDeviceGetComputeRunningProcesses_v3"


def recorded(gpus: Gpus, missing: Mapping[str, Collection[str]]) -> Recording:
    """Write down what is known.

    Args:
        gpus: What was asked, every tier of it.
        missing: The ways of asking that there are not, by GPU.
    """
    scrubbed = _Scrubbed()
    cards = [card for card in gpus.cards if card.uuid]
    absent = sorted(
        {
            name
            for card in cards
            for name, answer in card.answers.items()
            if answer == {"error": _MISSING}
        }
    )
    return {
        "about": _about(gpus),
        "system": dict(gpus.system),
        "gpus": [
            scrubbed.gpu(_told(card.answers, frozenset(missing.get(card.pci, ()))))
            for card in cards
        ],
        **({"absent": absent} if absent else {}),
    }


def _about(gpus: Gpus) -> str:
    names = [str(card.answers.get("nvmlDeviceGetName", "")) for card in gpus.cards if card.uuid]
    counted = ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names))
    return f"{counted}, driver {gpus.version or 'unknown'}"


def _told(answers: Answers, missing: Collection[str]) -> dict[str, Any]:
    """Leave out what there is not, and call the rest by the function that said it."""
    return {
        _spoken_by(name, missing): value
        for name, value in answers.items()
        if not (isinstance(value, Mapping) and value.get("error") in NOT_SUPPORTED)
    }


def _spoken_by(name: str, missing: Collection[str]) -> str:
    for call in CALLS:
        if call.name == name:
            spoken = next((way for way, _ in call.ways if way not in missing), name)
            function = spoken.partition(" ")[0]
            return name if function.startswith(name) else function
    return name


class _Scrubbed:
    """Gives each identity another one that says nothing, the same one each time."""

    def __init__(self) -> None:
        self._uuids: dict[str, str] = {_NONE: _NONE}
        self._serials: dict[str, str] = {}

    def gpu(self, answers: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a GPU said without what tells which one it is."""
        told: dict[str, Any] = {name: self._value(value) for name, value in answers.items()}
        serial = told.get(_SERIAL)
        if isinstance(serial, str):
            known = self._serials.setdefault(serial, f"{len(self._serials) + 1:0{len(serial)}}")
            told[_SERIAL] = known
        running = told.get(_PIDS)
        if isinstance(running, list):
            told[_PIDS] = [{**each, "pid": 1000 + at} for at, each in enumerate(running)]
        return told

    def _value(self, value: object) -> object:
        if isinstance(value, str):
            return _UUID.sub(lambda found: self._other(found[0]), value)
        if isinstance(value, Mapping):
            return {name: self._value(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(each) for each in value]
        return value

    def _other(self, uuid: str) -> str:
        return self._uuids.setdefault(
            uuid.lower(), f"00000000-0000-0000-0000-{len(self._uuids):012d}"
        )
