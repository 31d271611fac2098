"""From the YAML of a burn-in to what is decided by."""

from datetime import timedelta

from remediator.rules import language
from remediator.rules.documents import Page
from remediator.rules.policy import BurnIn


def made(written: language.BurnIn, where: str, page: Page) -> BurnIn:
    """Read which Job has to pass, and in what time."""
    deadline = page.duration(f"{where}.deadline", written.deadline)
    if deadline <= timedelta():
        page.wrong(f"{where}.deadline", f"expected more than nothing, got {written.deadline}")
    return BurnIn(template=written.template, deadline=deadline)
