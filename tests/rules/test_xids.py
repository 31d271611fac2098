"""Every XID is dealt with by exactly one rule, and every one of them has a test case of its own."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from nodehealth import cel
from remediator.decide.rehearsal import rehearse
from remediator.files import remedy
from remediator.rules import load
from remediator.rules.cases import Case
from remediator.rules.rule import Question, Rule
from remediator.rules.stories import Verdict

ROOT: Final = Path(__file__).parents[2]
RULES: Final = load.rules(ROOT / "rules", remedy)
CASES: Final = load.cases(ROOT / "rules", RULES)
SIGNAL: Final = "gpu.xid"
KNOWN: Final = range(1, 173)
"""The codes that NVIDIA's catalogue has."""
BEYOND: Final = range(1, 401)
UNKNOWN: Final = "gpu-xid-unknown"
NVLINK5: Final = frozenset(range(144, 151))
FATAL: Final = {"severity": "Fatal", "action": "RESET_GPU"}

FAMILIES: Final[Mapping[str, frozenset[int]]] = {
    "gpu-fallen-off-the-bus": frozenset({79}),
    "gpu-xid-reset": frozenset({46, 48, 62, 95, 110, 140, 143, 156, 158}),
    "gpu-gsp-failed": frozenset({119, 120}),
    "gpu-nvlink-failed": frozenset({74, 136, 155}),
    "gpu-nvlink-reported": NVLINK5,
    "gpu-context-switch-timeouts": frozenset({109}),
    "gpu-xid-reboot": frozenset({151}),
    "gpu-xid-inspect": frozenset({54, 142}),
    "gpu-xid-remapping": frozenset({63, 64, 94}),
    "gpu-xid-warning": frozenset(
        {
            *(32, 37, 38, 44, 56, 57, 58, 61, *range(65, 70), 73, 78, 80, 81, 88, 92, 93, 121),
            *(152, 153, 157, 159, 160, 161, *range(163, 173)),
        }
    ),
    "gpu-xid-application": frozenset(
        {
            *(8, 11, 13, 25, 31, 39, 40, 41, 43, 45, 60, 70, 71, 72, 75, 76, 77, 82, 83, 84, 85),
            *(86, 89, *range(96, 106), 108, *range(126, 136), 137, 139, 141),
        }
    ),
}
"""Who deals with which code, where nothing more is said of it; every other one is unknown."""
IGNORED: Final = frozenset({106, 107, 154, 162})
"""Codes that no rule is for: tests of the board, what the card says better, and good news."""
HARMLESS: Final = frozenset(
    {"gpu-xid-application", "gpu-xid-warning", "gpu-xid-remapping", UNKNOWN}
)


def asking() -> Iterator[tuple[Rule, Question]]:
    for rule in RULES.rules:
        for question in rule.questions:
            if question.signal.name == SIGNAL:
                yield rule, question


def families(code: int, **said: str) -> list[str]:
    """Name the rule of each question that an XID answers."""
    found = []
    for rule, question in asking():
        names = {"pci": "", "severity": "", "unit": "", "link": 0, "action": "", **said}
        if question.where({"subject": "GPU-1", "node": {}, "code": code, **names}):
            found.append(rule.name)
    return found


def expected(code: int) -> list[str]:
    if code in IGNORED:
        return []
    return [name for name, codes in FAMILIES.items() if code in codes] or [UNKNOWN]


@pytest.mark.parametrize("code", BEYOND)
def test_every_xid_has_exactly_one_rule(code: int) -> None:
    assert families(code) == expected(code)


@pytest.mark.parametrize("code", sorted(NVLINK5))
def test_an_nvlink_5_error_is_as_bad_as_its_line_and_nvidia_say(code: int) -> None:
    assert families(code, **FATAL) == ["gpu-nvlink-failed"]
    assert families(code, severity="Fatal") == ["gpu-nvlink-failed"]
    assert families(code, severity="Fatal", action="IGNORE") == ["gpu-nvlink-reported"]
    assert families(code, severity="Nonfatal", action="RESET_GPU") == ["gpu-nvlink-reported"]


def told_of(case: Case) -> Iterator[int]:
    """Yield the codes that a case is about: those after which the rule holds."""
    for step in case.steps:
        codes = [int(each.fields["code"]) for each in step.given.events if each.signal == SIGNAL]
        if step.given.expect is Verdict.HOLDS and len(codes) == 1:
            yield codes[0]


@pytest.mark.parametrize("code", [each for each in KNOWN if each not in IGNORED])
def test_every_xid_has_a_test_case_in_which_its_rule_holds(code: int) -> None:
    (family,) = expected(code)

    assert code in {each for case in CASES if case.rule == family for each in told_of(case)}


@pytest.mark.parametrize("code", sorted(IGNORED))
def test_an_ignored_xid_has_a_test_case_in_which_nothing_holds(code: int) -> None:
    cases = [case for case in CASES if case.name == f"leaves XID {code} to others"]

    assert [case.rule for case in cases] == [UNKNOWN]
    assert all(rehearse(RULES.by_name[UNKNOWN], case).is_as_expected() for case in cases)


def test_no_node_goes_for_a_mistake_of_a_job_or_for_what_nobody_knows() -> None:
    assert [name for name in sorted(HARMLESS) if RULES.by_name[name].ladder] == []


def test_the_documents_have_the_policy_that_the_rules_have() -> None:
    lines = (ROOT / "docs" / "rules.md").read_text().splitlines()
    start = lines.index("| rule | XIDs |") + 2
    told = {}
    for line in lines[start : lines.index("", start)]:
        name, codes = (cell.strip() for cell in line.strip("|").split("|"))
        told[name.strip("`")] = set(spelled(codes))

    nobody = {"no rule": set(IGNORED)}
    fatal = {"gpu-nvlink-failed": FAMILIES["gpu-nvlink-failed"] | NVLINK5}
    assert told == {**FAMILIES, **fatal, **nobody, UNKNOWN: set()}


def spelled(codes: str) -> Iterator[int]:
    """Read `13, 39 to 41` as numbers; words between them are for people."""
    for low, high in re.findall(r"(\d+)(?: to (\d+))?", codes):
        yield from range(int(low), int(high or low) + 1)


def test_a_question_about_xids_is_one_that_every_xid_answers() -> None:
    unanswered = []
    for rule, question in asking():
        try:
            question.where({"subject": "", "node": {}, "code": 1, "severity": "", "action": ""})
        except cel.EvaluationError:
            unanswered.append(rule.name)

    assert unanswered == []
