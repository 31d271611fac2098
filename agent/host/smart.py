"""What disks say of their own health, as smartctl and nvme-cli write it down."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Final

import msgspec

from agent.host.checks.facts import Check, Manner

UNTOLD: Final = "the program does not tell the disk's health"

_TIMEOUT: Final = timedelta(seconds=30)
_MOST_SAID: Final = 64 * 1024
"""An ATA disk has some thirty attributes, of 330 bytes each."""
_MOST: Final = (1 << 63) - 1
_PERCENT: Final = 100

_ASLEEP: Final = 3
"""The exit code that we choose for a disk that rests: whoever asked it would have it spin up."""
_UNREAD: Final = 0b011
"""Bits of smartctl's exit code: it was called wrongly, or the disk could not be opened or named."""
_DOUBTFUL: Final = 0b100
"""Some question of the disk failed, or its answer was garbled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One NVMe disk's log of its health."""

    warning: int
    """Bits: 1 few spares, 2 too hot or cold, 4 unreliable, 8 read-only, 16 no backup power."""
    used: int
    """Percent of its life as its maker reckons it; may be more than 100."""
    media_errors: int
    """What it could not give back as it was written, in all its life."""
    spare: float | None
    """Share of its spare blocks that is left until its maker calls them too few; None where the
    maker names no such bound, as where a hypervisor makes the disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """What a SATA or SAS disk says; None is what it keeps no account of."""

    fails: bool | None
    """Whether it says of itself that it fails, or is about to."""
    unreadable: int | None
    """Sectors that it could not read and were not written to since."""
    reallocated: int | None
    """Sectors that others took the place of, in all its life."""
    uncorrected: int | None
    """Errors that it could not correct and told the host of, in all its life."""


def program(command: str, name: str, device: str, every: timedelta) -> Check:
    """Return what asks a disk.

    Args:
        command: The path of smartctl or nvme.
        name: What to call it, such as `nvme0` or `sda`.
        device: The path of its device. smartctl knows its kind by that, and only below /dev.
        every: How often.
    """
    smartctl = ("--json=c", "-n", f"standby,{_ASLEEP}", "-i", "-H", "-A", device)
    words = ("smart-log", "-o", "json", device) if is_nvme(command) else smartctl
    return Check(
        name=name,
        command=(command, *words),
        manner=Manner.VERBATIM,
        every=every,
        timeout=_TIMEOUT,
        most_said=_MOST_SAID,
    )


def is_nvme(command: str) -> bool:
    """Say whether a program asks NVMe disks alone."""
    return PurePosixPath(command).name.startswith("nvme")


def health(said: str) -> Health | str:
    """Read what either program wrote of an NVMe disk, or return why nothing is known of it.

    What it says is good counts only if all of its questions were answered.
    """
    told = _decoded(said)
    log = told.get("nvme_smart_health_information_log", told)
    warning = _number(log, "critical_warning")
    used = _number(log, "percentage_used", "percent_used")
    errors = _number(log, "media_errors")
    refusal = _refusal(told, is_bad=bool(warning))
    if refusal or warning is None or used is None or errors is None:
        return refusal or UNTOLD
    return Health(warning=warning, used=used, media_errors=errors, spare=_spare(log))


def disk(said: str) -> Disk | str:
    """Read what smartctl wrote of another disk, or likewise return why nothing is known of it."""
    told = _decoded(said)
    passed = _at(told, "smart_status", "passed")
    refusal = _refusal(told, is_bad=passed is False)
    if refusal:
        return refusal
    has_account = isinstance(passed, bool)
    if not has_account and _at(told, "smart_support", "available") is not False:
        return UNTOLD
    counts = _attributes(told)
    unreadable = [counts[each] for each in (197, 198) if each in counts]
    return Disk(
        fails=not passed if has_account else None,
        unreadable=max(unreadable, default=None),
        reallocated=counts.get(5, _number(told, "scsi_grown_defect_list")),
        uncorrected=counts.get(187),
    )


def _decoded(said: str) -> Mapping[str, object]:
    try:
        told: object = msgspec.json.decode(said)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return {}
    return told if isinstance(told, dict) else {}


def _refusal(told: Mapping[str, object], *, is_bad: bool = False) -> str:
    """Return why smartctl could not ask a disk; nothing if it could."""
    code = _at(told, "smartctl", "exit_status")
    if not isinstance(code, int):
        return ""
    if code == _ASLEEP:
        return "the disk rests, and is not woken up for this"
    if not code & (_UNREAD if is_bad else _UNREAD | _DOUBTFUL):
        return ""
    messages = _at(told, "smartctl", "messages")
    errors = [_at(each, "string") for each in messages] if isinstance(messages, list) else []
    why = next((each for each in errors if isinstance(each, str)), "")
    return why or f"smartctl could not ask all of it: exit code {code}"


def _attributes(told: Mapping[str, object]) -> Mapping[int, int]:
    """Return the raw attributes of an ATA disk, as far as they begin with a number.

    smartctl knows how each maker packs several numbers into one, and writes the first one first.
    """
    table = _at(told, "ata_smart_attributes", "table")
    found = dict[int, int]()
    for each in table if isinstance(table, list) else ():
        number, raw = _at(each, "id"), _at(each, "raw", "string")
        first = raw.partition(" ")[0] if isinstance(raw, str) else ""
        if isinstance(number, int) and first.isascii() and first.isdecimal():
            found[number] = min(int(first), _MOST)
    return found


def _spare(log: object) -> float | None:
    left = _number(log, "available_spare", "avail_spare")
    bound = _number(log, "available_spare_threshold", "spare_thresh")
    if left is None or not bound:
        return None
    if bound >= _PERCENT:
        return float(left >= bound)
    return min(max(left - bound, 0) / (_PERCENT - bound), 1.0)


def _number(log: object, *names: str) -> int | None:
    """Read a number that may be written as text, or with its parts taken apart."""
    if not isinstance(log, dict):
        return None
    told = next((log[name] for name in names if name in log), None)
    if isinstance(told, dict):
        told = told.get("value")
    if isinstance(told, str) and told.isascii() and told.isdecimal():
        told = int(told)
    if not isinstance(told, int) or isinstance(told, bool) or not 0 <= told <= _MOST:
        return None
    return told


def _at(told: object, *path: str) -> object:
    """Follow names into what was told; None where it does not go so far."""
    for name in path:
        told = told.get(name) if isinstance(told, dict) else None
    return told
