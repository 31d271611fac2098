"""What an NVMe disk says of its own health, as smartctl and nvme-cli write it down."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Final

import msgspec

from agent.host.checks.facts import Check, Manner

_TIMEOUT: Final = timedelta(seconds=30)
_MOST: Final = (1 << 63) - 1
_SMARTCTL: Final = "nvme_smart_health_information_log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One disk's log of its health."""

    warning: int
    """Bits: 1 few spares, 2 too hot or cold, 4 unreliable, 8 read-only, 16 no backup power."""
    used: int
    """Percent of its life as its maker reckons it; may be more than 100."""
    media_errors: int
    """What it could not give back as it was written, in all its life."""


def program(command: str, controller: str, device: str, every: timedelta) -> Check:
    """Return what asks a controller.

    Args:
        command: The path of smartctl or nvme.
        controller: Its name, such as `nvme0`.
        device: The path of its device.
        every: How often.
    """
    is_nvme = PurePosixPath(command).name.startswith("nvme")
    words = ("smart-log", "-o", "json", device) if is_nvme else ("--json=c", "-A", device)
    return Check(
        name=controller,
        command=(command, *words),
        manner=Manner.VERBATIM,
        every=every,
        timeout=_TIMEOUT,
    )


def health(said: str) -> Health | None:
    """Read what the program wrote; None where that is no such log."""
    try:
        told: object = msgspec.json.decode(said)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    log = told.get(_SMARTCTL, told) if isinstance(told, dict) else None
    if not isinstance(log, dict):
        return None
    warning = _number(log, "critical_warning")
    used = _number(log, "percentage_used", "percent_used")
    errors = _number(log, "media_errors")
    if warning is None or used is None or errors is None:
        return None
    return Health(warning=warning, used=used, media_errors=errors)


def _number(log: Mapping[str, object], *names: str) -> int | None:
    """Read a number that may be written as text, or with its parts taken apart."""
    told = next((log[name] for name in names if name in log), None)
    if isinstance(told, dict):
        told = told.get("value")
    if isinstance(told, str) and told.isdecimal():
        told = int(told)
    if not isinstance(told, int) or isinstance(told, bool) or not 0 <= told <= _MOST:
        return None
    return told
