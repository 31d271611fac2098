"""From the breakers of a policy's YAML to what is decided by."""

from typing import Final, Literal

from nodehealth import quantities
from remediator.rules import terms
from remediator.rules.breaking import NEVER, AfterChange, Breaking, Burst, PendingPods, Unmended
from remediator.rules.documents import Page

_WHERE: Final = "$.spec.breakers"
_OFF: Final = "never"


def breaking(given: Literal["never"] | terms.Breakers, page: Page) -> Breaking:
    """Read every breaker, and note what is wrong with one."""
    if not isinstance(given, terms.Breakers):
        return NEVER
    return Breaking(
        unhealthy_pool=_share(given.unhealthy_pool, "unhealthyPool", page),
        unhealthy_zone=_share(given.unhealthy_zone, "unhealthyZone", page),
        silent_agents=_share(given.silent_agents, "silentAgents", page),
        silent_nodes=_share(given.silent_nodes, "silentNodes", page),
        api_errors=_share(given.api_errors, "apiErrors", page),
        burst=_burst(given.burst, page),
        failed_replacements=given.failed_replacements if given.failed_replacements != _OFF else 0,
        unmended=_unmended(given.unmended, page),
        after_change=_after_change(given.after_change, page),
        pending_pods=_pending_pods(given.pending_pods, page),
        cool_down=page.duration(f"{_WHERE}.coolDown", given.cool_down),
        settle=page.duration(f"{_WHERE}.settle", given.settle),
    )


def _share(given: str, name: str, page: Page) -> str:
    """Read a percentage; nothing where the breaker never opens."""
    if given == _OFF:
        return ""
    fact = f"{given!r}{_meant(given)}"
    where, expected = f"{_WHERE}.{name}", f"expected a percentage or never, got {fact}"
    try:
        quantities.share(given, 100)
    except ValueError:
        page.wrong(where, expected)
        return ""
    if not given.endswith("%"):
        page.wrong(where, expected)
    return given


def _meant(given: str) -> str:
    """Guess which percentage was meant by a number without its sign, or away from it."""
    try:
        number = float(given.removesuffix("%"))
    except ValueError:
        return ""
    is_ratio = "%" not in given and 0 < number < 1
    percent = number * 100 if is_ratio else number
    return f'; did you mean "{percent:g}%"?' if 0 <= percent <= 100 else ""


def _burst(given: Literal["never"] | terms.Burst, page: Page) -> Burst | None:
    if not isinstance(given, terms.Burst):
        return None
    return Burst(
        repairs=given.repairs,
        share=_share(given.share, "burst.share", page) or "0%",
        within=page.duration(f"{_WHERE}.burst.within", given.within),
    )


def _unmended(given: Literal["never"] | terms.Unmended, page: Page) -> Unmended | None:
    if not isinstance(given, terms.Unmended):
        return None
    within = page.duration(f"{_WHERE}.unmended.within", given.within)
    return Unmended(repairs=given.repairs, within=within)


def _after_change(given: Literal["never"] | terms.AfterChange, page: Page) -> AfterChange | None:
    if not isinstance(given, terms.AfterChange):
        return None
    within = page.duration(f"{_WHERE}.afterChange.within", given.within)
    share = _share(given.share, "afterChange.share", page)
    return AfterChange(share=share, within=within) if share else None


def _pending_pods(given: Literal["never"] | terms.PendingPods, page: Page) -> PendingPods | None:
    if not isinstance(given, terms.PendingPods):
        return None
    return PendingPods(
        pods=given.pods,
        share=_share(given.share, "pendingPods.share", page) or "0%",
        within=page.duration(f"{_WHERE}.pendingPods.within", given.within),
    )
