"""The shipped rules with their waits cut short: nobody watches a demo for five minutes.

Only waits are changed, and each of them only if it is longer: how long a fault must last, how long
it must be gone, how long a mended node must be well. What is asked and what is done stays the same,
but for one rule that ships observing and is enforced: the demo is about the disk that it fills.
"""

from collections.abc import Collection, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from nodehealth import quantities
from remediator.rules import load

LASTS: Final = timedelta(seconds=4)
QUIET: Final = timedelta(seconds=3)
VERIFY: Final = timedelta(seconds=3)
ENFORCED: Final = "scratch-full"
SAID: Final = (
    f"the shipped rules, with their waits cut to {quantities.spoken(LASTS)} until a fault counts, "
    f"{quantities.spoken(QUIET)} until it is over and {quantities.spoken(VERIFY)} of proof; "
    f"enforces {ENFORCED}, which ships observing"
)


def copied(rules: Path, to: Path, without: Collection[str] = ()) -> None:
    """Write rules into a folder with shorter waits, but for those that are left out."""
    for path in load.rule_files(rules):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        if document["metadata"]["name"] in without:
            continue
        _cut(document["spec"])
        if document["metadata"]["name"] == ENFORCED:
            document["spec"]["mode"] = "enforce"
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
        (to / load.flat(path, rules)).write_text(text, encoding="utf-8")


def _cut(spec: dict[str, Any]) -> None:
    for question in _questions(spec["when"]):
        _shorten(question, "for", LASTS)
    clears = spec.setdefault("clears", {})
    if isinstance(clears, dict):
        clears.setdefault("quiet", "1m")
        _shorten(clears, "quiet", QUIET)
    spec.setdefault("verify", "5m")
    _shorten(spec, "verify", VERIFY)


def _questions(when: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield when
    for group in ("any", "all"):
        yield from when.get(group, ())


def _shorten(where: dict[str, Any], key: str, most: timedelta) -> None:
    if key in where and quantities.duration(str(where[key])) > most:
        where[key] = quantities.spoken(most)
