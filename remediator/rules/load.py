"""Reads rules and policy from files: the only part of the rules that does I/O."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from remediator.rules import compile as compiling
from remediator.rules import documents, policies
from remediator.rules.compile import CheckRung
from remediator.rules.documents import Problem, ProblemsError
from remediator.rules.policy import Policy
from remediator.rules.rule import Rule, RuleSet

POLICY_FILE: Final = "policy.yaml"
_TESTS: Final = "_test.yaml"


def rule_files(directory: Path) -> list[Path]:
    """Find the rules below a directory: every YAML file but the policy and the rules' tests.

    Raises:
        ProblemsError: the directory is not there.
    """
    if not directory.is_dir():
        message = "expected a directory of rules, found none"
        raise ProblemsError((Problem(path=str(directory), line=1, message=message),))
    found = directory.rglob("*.yaml")
    return sorted(
        path for path in found if path.name != POLICY_FILE and not path.name.endswith(_TESTS)
    )


def rules(directory: Path, check_rung: CheckRung) -> RuleSet:
    """Load all rules below a directory.

    Raises:
        ProblemsError: says all that is wrong with any of them.
    """
    made: list[Rule] = []
    texts, problems = [], list[Problem]()
    for path in rule_files(directory):
        text = _text(path)
        texts.append(text)
        try:
            made.append(compiling.rule(documents.parse(str(path), text), check_rung))
        except ProblemsError as wrong:
            problems += wrong.problems
    problems += _namesakes(made, directory)
    if problems:
        raise ProblemsError(tuple(problems))
    return compiling.rule_set(made, texts)


def policy(path: Path) -> Policy:
    """Load the policy.

    Raises:
        ProblemsError: the file is not there, or says all that is wrong with it.
    """
    return policies.policy(documents.parse(str(path), _text(path)))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        message = f"cannot be read: {wrong}"
        raise ProblemsError((Problem(path=str(path), line=1, message=message),)) from wrong


def _namesakes(rules: Iterable[Rule], directory: Path) -> list[Problem]:
    names, problems = set[str](), []
    for rule in rules:
        if rule.name in names:
            message = f"two rules are named {rule.name}"
            problems.append(Problem(path=str(directory), line=1, message=message))
        names.add(rule.name)
    return problems
