"""From the YAML of what operators bring along, Jobs and web services, to what is decided by."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from remediator.rules import language, terms
from remediator.rules.documents import Page
from remediator.rules.policy import BurnIn, Hook

_LONGEST: Final = timedelta(seconds=30)
"""How long a web service may take to answer."""


def made(written: language.BurnIn, where: str, page: Page) -> BurnIn:
    """Read which Job has to pass, and in what time."""
    deadline = page.duration(f"{where}.deadline", written.deadline)
    if deadline <= timedelta():
        page.wrong(f"{where}.deadline", f"expected more than nothing, got {written.deadline}")
    return BurnIn(template=written.template, deadline=deadline)


def hooks(written: Mapping[str, terms.Hook], page: Page) -> Mapping[str, Hook]:
    """Read which web services there are."""
    made = dict[str, Hook]()
    for name, each in written.items():
        where = f"$.spec.webhooks.{name}.timeout"
        timeout = page.duration(where, each.timeout)
        if not timedelta() < timeout <= _LONGEST:
            page.wrong(where, f"expected more than nothing and at most 30s, got {each.timeout}")
        made[name] = Hook(url=each.url, secret_file=each.secret_file, timeout=timeout)
    return made
