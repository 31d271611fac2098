"""Every shipped rule does what its test cases say, and its cases would notice if it did not."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import takewhile
from pathlib import Path
from typing import Final

import pytest

from nodehealth import cel
from nodehealth.catalogue import CATALOGUE
from nodehealth.signals import Kind, Unit
from remediator.decide.rehearsal import rehearse
from remediator.files import remedy
from remediator.rules import expressions, load
from remediator.rules.cases import Case
from remediator.rules.rule import Question, Rule
from remediator.rules.stories import Verdict

ROOT: Final = Path(__file__).parents[2]
RULES: Final = load.rules(ROOT / "rules", remedy)
CASES: Final = load.cases(ROOT / "rules", RULES)
SECOND: Final = timedelta(seconds=1)

every_rule = pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.name)


def of(rule: Rule) -> list[Case]:
    return [case for case in CASES if case.rule == rule.name]


def expected(rule: Rule) -> set[Verdict]:
    return {step.given.expect for case in of(rule) for step in case.steps if step.given.expect}


def changed(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """Yield rules that are a little different: their own cases must tell them from the rule."""
    yield "clears a second later", replace(rule, quiet=rule.quiet + SECOND)
    yield "clears a second earlier", replace(rule, quiet=rule.quiet - SECOND)
    if rule.after_reboot:
        yield "clears without a boot", replace(rule, after_reboot=False)
    for n, asked in enumerate(rule.questions):
        for what, other in _otherwise(asked).items():
            questions = (*rule.questions[:n], other, *rule.questions[n + 1 :])
            yield f"{asked.signal.name} {what}", replace(rule, questions=questions)


def _otherwise(asked: Question) -> dict[str, Question]:
    others = {f"asks for {where}": _asking(asked, where) for where in _nearby(asked)}
    if asked.signal.kind is Kind.EVENT:
        return others | _counting_otherwise(asked)
    if asked.lasts:
        others["holds a second later"] = replace(asked, lasts=asked.lasts + SECOND)
        others["holds a second earlier"] = replace(asked, lasts=asked.lasts - SECOND)
    return others | _excusing_nobody(asked)


def _counting_otherwise(asked: Question) -> dict[str, Question]:
    others = {"counts one more": replace(asked, count=asked.count + 1)}
    if asked.count > 1:
        others["counts one less"] = replace(asked, count=asked.count - 1)
    if asked.within is not None:
        others["looks back less"] = replace(asked, within=asked.within - SECOND)
        others["looks back further"] = replace(asked, within=asked.within + SECOND)
    if asked.since:
        others[f"counts what was before {asked.since}"] = replace(asked, since="")
    return others | _excusing_nobody(asked)


def _excusing_nobody(asked: Question) -> dict[str, Question]:
    return {"excuses nobody": replace(asked, unless=None)} if asked.unless is not None else {}


def _nearby(asked: Question) -> Iterator[str]:
    """Yield the question with each threshold moved by one step of the grid."""
    if asked.signal.unit is Unit.BOOLEAN:
        return
    for found in re.finditer(r"(?<=value )([<>]=? )(\d+\.?\d*)", asked.text):
        for step in (asked.signal.grid.step, -asked.signal.grid.step):
            moved = f"{found[1]}{float(found[2]) + step:.6f}"
            yield asked.text[: found.start()] + moved + asked.text[found.end() :]


def _asking(asked: Question, where: str) -> Question:
    return replace(asked, where=cel.compile(where, expressions.environment(asked.signal)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}: {case.name}")
def test_a_case_goes_as_expected(case: Case) -> None:
    went = rehearse(RULES.by_name[case.rule], case)

    assert [moment for moment in went.moments if not moment.is_as_expected()] == []


@every_rule
def test_the_cases_show_a_rule_from_every_side(rule: Rule) -> None:
    waits = any(asked.lasts for asked in rule.questions)
    sides = {Verdict.WELL, Verdict.HOLDS, Verdict.CLEARING}
    sides |= {Verdict.SUSPECTED} if waits else set()

    assert sides - expected(rule) == set()
    assert {Verdict.UNKNOWN, Verdict.STANDS} & expected(rule)


@every_rule
def test_the_cases_notice_every_small_change_of_a_rule(rule: Rule) -> None:
    unnoticed = [
        what
        for what, other in changed(rule)
        if all(rehearse(other, case).is_as_expected() for case in of(rule))
    ]

    assert unnoticed == []


@every_rule
def test_the_runbook_is_there(rule: Rule) -> None:
    assert rule.runbook
    assert (ROOT / rule.runbook).is_file()


def test_the_documents_tell_of_every_rule() -> None:
    lines = (ROOT / "docs" / "rules.md").read_text().splitlines()
    told = lines[lines.index("| rule | severity | what is done | about |") + 2 :]

    assert told == [
        f"| [{rule.name}]({rule.runbook.removeprefix('docs/')}) | {rule.severity} | "
        f"{', '.join(rung.action for rung in rule.ladder) or 'people are told'} | {rule.about} |"
        for rule in RULES.rules
    ]


def test_the_documents_tell_of_every_signal_that_no_rule_asks_for() -> None:
    lines = (ROOT / "docs" / "rules.md").read_text().splitlines()
    rows = lines[lines.index("| signal | why not |") + 2 :]
    told = [line.split("`")[1] for line in takewhile(str, rows)]

    assert told == sorted(set(CATALOGUE) - set(asked_for()))


def asked_for() -> Iterator[str]:
    for asked in (each for rule in RULES.rules for each in rule.questions):
        yield asked.signal.name
        yield asked.since
        if asked.unless is not None:
            yield asked.unless.signal.name
