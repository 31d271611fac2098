"""Reads rules and policy from files: the only part of the rules that does I/O."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from nodehealth.kit.settings import SettingsError
from remediator.rules import cases as stories
from remediator.rules import compile as compiling
from remediator.rules import documents, policies, routing
from remediator.rules.cases import Case
from remediator.rules.compile import CheckRunbook, CheckRung
from remediator.rules.documents import Document, Problem, ProblemsError
from remediator.rules.people import Known
from remediator.rules.policies import CheckProvider
from remediator.rules.policy import Policy
from remediator.rules.routing import CheckReceiver
from remediator.rules.rule import Rule, RuleSet

POLICY_FILE: Final = "policy.yaml"
PATTERNS: Final = "_patterns.yaml"
"""How names end of files for agents alone: lines of the kernel's log that somebody wants."""
_TESTS: Final = "_test.yaml"
_YAML: Final = ".yaml"
_YML: Final = ".yml"
"""No rule is read from such a file, and it would be a pity to pass one over silently."""
_NAME: Final = "$.metadata.name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """Who says whether a name and its settings mean something; each raises SettingsError if not."""

    rung: CheckRung
    receiver: CheckReceiver = routing.unchecked
    provider: CheckProvider = routing.unchecked
    runbook: CheckRunbook = compiling.unchecked
    actions: tuple[str, ...] = ()
    """All remedies that there are; without any, their names go unchecked."""


def rule_files(path: Path) -> list[Path]:
    """Find the rules below a directory, or of one file, and what is named as no rule may be.

    Raises:
        ProblemsError: there is nothing there.
    """
    if path.is_file() and path.suffix == _YML:
        return [path]
    if path.name == POLICY_FILE:
        _refuse(path, "expected rules, got the policy; give the directory that holds both")
    if path.is_file() and path.suffix != _YAML:
        _refuse(path, f"expected a file of a rule, whose name ends in {_YAML}")
    if path.is_file():
        return [path.with_name(path.name.removesuffix(_TESTS).removesuffix(_YAML) + _YAML)]
    return [each for each in _below(path) if not each.name.endswith(_TESTS)]


def flat(path: Path, below: Path) -> str:
    """Name a file as one folder or a ConfigMap holds it beside all others."""
    return ".".join(path.relative_to(below).parts) if below.is_dir() else path.name


def files(rules_path: Path, policy_path: Path) -> list[Path]:
    """Name all files that say something now, there or not."""
    found = rule_files(rules_path) if rules_path.exists() else [rules_path]
    return [*found, policy_path]


def case_files(path: Path) -> list[Path]:
    """Find the rules' test cases below a directory, or of one rule.

    Raises:
        ProblemsError: there is nothing there.
    """
    if path.is_file():
        beside = (each.with_name(each.stem + _TESTS) for each in rule_files(path))
        return [each for each in beside if each.is_file()]
    return [each for each in _below(path) if each.name.endswith(_TESTS)]


def rules(
    path: Path, check_rung: CheckRung, check_runbook: CheckRunbook = compiling.unchecked
) -> RuleSet:
    """Load all rules below a directory, or those of one file.

    Raises:
        ProblemsError: says all that is wrong with any of them.
    """
    made: list[tuple[Document, Rule]] = []
    texts, problems = [], list[Problem]()
    for each in rule_files(path):
        try:
            text = _text(_named_well(each))
            texts.append(text)
            document = documents.parse(str(each), text)
            made.append((document, compiling.rule(document, check_rung, check_runbook)))
        except ProblemsError as wrong:
            problems += wrong.problems
    problems += _namesakes(made)
    if problems:
        raise ProblemsError(tuple(problems))
    return compiling.rule_set((rule for _, rule in made), texts)


def book(rules_path: Path, policy_path: Path, checks: Checks) -> tuple[RuleSet, Policy]:
    """Load rules and policy.

    Raises:
        ProblemsError: says all that is wrong with any of them.
    """
    loaded_rules, loaded_policy, problems = None, None, list[Problem]()
    try:
        loaded_rules = rules(rules_path, checks.rung, checks.runbook)
    except ProblemsError as wrong:
        problems += wrong.problems
    try:
        known = {"action": checks.actions} if checks.actions else {}
        if loaded_rules is not None:
            known["rule"] = tuple(loaded_rules.by_name)
        loaded_policy = policy(policy_path, checks.receiver, checks.provider, known)
    except ProblemsError as wrong:
        problems += wrong.problems
    if loaded_rules is None or loaded_policy is None:
        raise ProblemsError(tuple(problems))
    return loaded_rules, loaded_policy


def cases(path: Path, known: RuleSet) -> tuple[Case, ...]:
    """Load all test cases below a directory, or those of one rule's file.

    Raises:
        ProblemsError: says all that is wrong with any of them.
    """
    made, problems = list[Case](), list[Problem]()
    for each in case_files(path):
        try:
            made += stories.cases(documents.parse(str(each), _text(each)), known.by_name)
        except ProblemsError as wrong:
            problems += wrong.problems
    if problems:
        raise ProblemsError(tuple(problems))
    return tuple(made)


def runbook_above(path: Path) -> CheckRunbook:
    """Return a check that looks for runbooks from every directory around the rules."""

    def check(runbook: str) -> None:
        absent = not any((around / runbook).is_file() for around in path.resolve().parents)
        if runbook and "://" not in runbook and absent:
            raise SettingsError(f"expected a URL or a file of a directory around, got {runbook}")

    return check


def policy(
    path: Path,
    check_receiver: CheckReceiver = routing.unchecked,
    check_provider: CheckProvider = routing.unchecked,
    known: Known = policies.NOTHING,
) -> Policy:
    """Load the policy.

    Raises:
        ProblemsError: the file is not there, or says all that is wrong with it.
    """
    document = documents.parse(str(path), _text(path))
    return policies.policy(document, check_receiver, check_provider, known)


def _below(directory: Path) -> list[Path]:
    if not directory.is_dir():
        _refuse(directory, "expected a directory of rules, found none")
    found = (each for each in _files(directory) if not each.name.endswith(PATTERNS))
    return sorted(each for each in found if each.name != POLICY_FILE)


def pattern_files(path: Path) -> list[Path]:
    """Find the files of patterns below a directory, or the one that a path is."""
    if path.is_dir():
        return sorted(each for each in _files(path) if each.name.endswith(PATTERNS))
    return [path] if path.name.endswith(PATTERNS) else []


def _files(directory: Path) -> Iterator[Path]:
    """Find YAML, through links too: a mounted ConfigMap links into a directory with a dot."""
    for each in directory.iterdir():
        if each.name.startswith("."):
            continue
        if each.is_dir():
            yield from _files(each)
        elif each.name.endswith((_YAML, _YML)):
            yield each


def _named_well(path: Path) -> Path:
    if path.suffix == _YML:
        _refuse(
            path, f"expected a name that ends in {_YAML}, got {path.name}; nothing is read from it"
        )
    return path


def _refuse(path: Path, message: str) -> NoReturn:
    raise ProblemsError((Problem(path=str(path), line=1, message=message),))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        fact = wrong.strerror if isinstance(wrong, OSError) else "it is no UTF-8 text"
        message = f"cannot be read: {fact}"
        raise ProblemsError((Problem(path=str(path), line=1, message=message),)) from wrong


def _namesakes(made: Iterable[tuple[Document, Rule]]) -> Iterator[Problem]:
    seen: dict[str, Document] = {}
    for document, rule in made:
        first = seen.setdefault(rule.name, document)
        if first is not document:
            other = f"{first.path}:{first.line(_NAME)}"
            yield document.problem(_NAME, f"{other} is named {rule.name} too")
