"""Who comes from another tool is told of signals, rules and settings that there are."""

import re
from pathlib import Path
from typing import Final

from agent.settings import load
from nodehealth.catalogue import CATALOGUE
from remediator.files import remedy
from remediator.rules import load as rules

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")
AREAS: Final = "|".join(sorted({name.partition(".")[0] for name in CATALOGUE}))


def test_every_signal_that_is_named_is_there() -> None:
    named = set(re.findall(rf"`((?:{AREAS})\.[a-z_0-9]+)`", TEXT))

    assert len(named) > 10
    assert named - set(CATALOGUE) == set()


def test_every_rule_that_is_named_is_there() -> None:
    lists = re.findall(r"; rules? ((?:`[a-z-]+`(?:, )?)+)", TEXT)
    named = {each for some in lists for each in re.findall(r"[a-z-]+", some)}
    known = set(rules.rules(ROOT / "rules", remedy).by_name)

    assert len(named) > 5
    assert named - known == set()


def test_every_setting_that_is_named_is_there() -> None:
    probes = load({}).probes
    named = re.findall(r"`probes\.([a-z]+)\.([a-z]+)`", TEXT)

    assert len(named) > 2
    assert [(probe, name) for probe, name in named if not hasattr(probes[probe], name)] == []
