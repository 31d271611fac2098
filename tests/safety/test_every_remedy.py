"""Each remedy there is has a story that dies at every one of its writes."""

import importlib
from pathlib import Path

from nodehealth.kit import discovery
from remediator import actions
from tests.safety.stage import Case


def cases() -> list[Case]:
    """Return what is told in modules that play their `CASES` with a crash at every write."""
    names = sorted(each.stem for each in Path(__file__).parent.glob("test_*.py"))
    modules = [importlib.import_module(f"tests.safety.{name}") for name in names]
    return [case for each in modules for case in getattr(each, "CASES", {}).values()]


def test_every_remedy_is_in_a_story_that_dies_at_every_write() -> None:
    rules = [rule for case in cases() for rule in case.rules.rules]
    told = {rung.action for rule in rules for rung in rule.ladder}

    assert told >= {name.replace("_", "-") for name in discovery.names(actions.__name__)}
