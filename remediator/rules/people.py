"""From what a policy leaves to people, as it is written, to what is decided by; mistakes named."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from nodehealth.cel.errors import choices
from remediator.rules import terms
from remediator.rules.approvals import Approval
from remediator.rules.documents import Page
from remediator.rules.windows import Window, Windows

Known: TypeAlias = Mapping[str, Collection[str]]
"""By what is named (`action`, `rule`, `pool`), all names that there are; others go unchecked."""

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK: Final = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")
_DAY: Final = 24 * 60
_HOUR: Final = 60


def approvals(
    written: tuple[terms.Approval, ...], page: Page, known: Known
) -> tuple[Approval, ...]:
    """Read for which repairs a person is asked, and note every mistake."""
    return tuple(_approval(n, each, page, known) for n, each in enumerate(written))


def _approval(n: int, written: terms.Approval, page: Page, known: Known) -> Approval:
    for kind, names in known.items():
        for m, name in enumerate(getattr(written, kind)):
            if name not in names:
                where = f"$.spec.approvals[{n}].{kind}[{m}]"
                page.wrong(where, f"no {kind} named {name}; {choices(name, names)}")
    return Approval(
        actions=frozenset(written.action),
        severities=frozenset(written.severity),
        pools=frozenset(written.pool),
        rules=frozenset(written.rule),
    )


def windows(written: terms.Windows, where: str, page: Page) -> Windows:
    """Read when disruption may begin, and note every mistake."""
    read = tuple(_windows(written.open, f"{where}.open", page))
    return Windows(open=read, excepted=frozenset(written.except_))


def _windows(written: tuple[terms.Window, ...], where: str, page: Page) -> Iterator[Window]:
    for n, each in enumerate(written):
        here = f"{where}[{n}]"
        yield Window(
            days=frozenset(_days(each.days, f"{here}.days", page)),
            opens=_minute(each.opens, f"{here}.from", page, most=_DAY - 1),
            closes=_minute(each.closes, f"{here}.to", page, most=_DAY),
            zone=_zone(each.zone, f"{here}.zone", page),
        )


def _days(written: tuple[str, ...], where: str, page: Page) -> Iterator[int]:
    """Read days and spans of days; a span may pass Sunday."""
    if not written:
        page.wrong(where, "expected at least one day, such as mon or mon-fri, got none")
    for n, each in enumerate(written):
        first, dash, last = each.partition("-")
        if first not in _DAYS or (dash and last not in _DAYS):
            page.wrong(f"{where}[{n}]", f"expected a day or days such as mon-fri, got {each!r}")
            continue
        begin = _DAYS.index(first)
        length = (_DAYS.index(last or first) - begin) % len(_DAYS)
        yield from ((begin + more) % len(_DAYS) for more in range(length + 1))


def _minute(written: str | int, where: str, page: Page, *, most: int) -> int:
    """Read a time of day; YAML takes one without quotes, such as 22:00, for so many minutes."""
    if isinstance(written, int):
        minute = written if written >= _HOUR else -1
    else:
        clock = _CLOCK.fullmatch(written)
        minute = int(clock[1]) * _HOUR + int(clock[2]) if clock else -1
    if not 0 <= minute <= most:
        latest = f"{most // _HOUR}:{most % _HOUR:02}"
        page.wrong(where, f'expected a time from "00:00" to "{latest}", got {written!r}')
        return 0
    return minute


def _zone(name: str, where: str, page: Page) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        page.wrong(where, f"no time zone named {name!r}; {choices(name, available_timezones())}")
        return ZoneInfo("UTC")
