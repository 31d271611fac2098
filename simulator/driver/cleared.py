"""What is forgotten when a GPU is reset, and what is not."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from simulator.driver.recording import FIELDS, Answers

_RESET_REQUIRED: Final = {"error": 16}
_VOLATILE: Final = frozenset(
    {
        *("3", "4"),  # memory errors since the driver was loaded
        *("31", "92", "93"),  # pages that wait to be retired
        *("38", "45", "52", "59", "160", "161", "162", "163"),  # NVLink errors
        *map(str, range(201, 223)),
        *map(str, range(235, 251)),
        *("74", "75", "269", "270", "271"),  # times slowed down
        *("94", "169", "173", "176", "178", "179", "180", "182", "183"),  # PCIe errors
        *("144", "226", "227", "230"),  # what waits for a reset
    }
)
"""Fields that begin anew, of each link too."""


def by_reset(now: Answers, recorded: Answers) -> dict[str, Any]:
    """Return what a GPU says once it was reset.

    Rows that could not be replaced, errors of its whole life and what is unrepairable stay.

    Args:
        now: What it says.
        recorded: What it said when it was well.
    """
    after = {
        name: recorded.get(name) if value == _RESET_REQUIRED and name in recorded else value
        for name, value in now.items()
    }
    for name, clear in _CLEARED.items():
        value = after.get(name)
        if value is not None and not _is_error(value):
            after[name] = clear(value, recorded.get(name))
    return after


def _fields(now: Mapping[str, Any], recorded: Mapping[str, Any] | None) -> dict[str, Any]:
    """Let counters begin anew; a count of bits that stand for `none` is what it was at first."""
    well = recorded or {}
    return {
        key: well.get(key, 0) if _begins_anew(key, value) else value for key, value in now.items()
    }


def _begins_anew(key: str, value: object) -> bool:
    return key.split("/", maxsplit=1)[0] in _VOLATILE and (
        not _is_error(value) or value == _RESET_REQUIRED
    )


def _is_error(value: object) -> bool:
    return isinstance(value, Mapping) and "error" in value


def _pending_rows(now: list[int], _recorded: object) -> list[int]:
    corrected, uncorrected, _, failed = now
    return [corrected, uncorrected, 0, failed]


def _mode(now: list[int], _recorded: object) -> list[int]:
    return [now[1], now[1]]


def _sram(now: Mapping[str, Any], _recorded: object) -> dict[str, Any]:
    return {key: 0 if key.startswith("volatile") else value for key, value in now.items()}


def _ecc_totals(now: Mapping[str, Any], _recorded: object) -> dict[str, Any]:
    return {key: 0 if key.endswith("/0") else value for key, value in now.items()}


def _zero(_now: object, _recorded: object) -> int:
    return 0


def _nothing_pending(_now: object, _recorded: object) -> list[int]:
    return [0, 0]


def _as_recorded(now: object, recorded: object) -> object:
    return now if recorded is None else recorded


_CLEARED: Final[Mapping[str, Callable[[Any, Any], Any]]] = MappingProxyType(
    {
        FIELDS: _fields,
        "nvmlDeviceGetRemappedRows": _pending_rows,
        "nvmlDeviceGetEccMode": _mode,
        "nvmlDeviceGetMigMode": _mode,
        "nvmlDeviceGetSramEccErrorStatus": _sram,
        "nvmlDeviceGetTotalEccErrors": _ecc_totals,
        "nvmlDeviceGetRetiredPagesPendingStatus": _zero,
        "nvmlDeviceGetPcieReplayCounter": _zero,
        "nvmlDeviceGetRepairStatus": _nothing_pending,
        "nvmlDeviceGetCurrentClocksEventReasons": _as_recorded,
        "nvmlDeviceGetNvLinkState": _as_recorded,
    }
)
