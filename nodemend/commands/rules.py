"""`nodemend rules`: looks after the rules and the policy that SREs edit."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from agent.host.complaints import own
from nodehealth.kit.settings import SettingsError
from nodemend import complaints, paper, rehearsals, shipped
from nodemend.looking import sheet
from remediator import files
from remediator.decide import rehearsal
from remediator.rules import load
from remediator.rules.documents import ProblemsError
from remediator.rules.policy import Policy
from remediator.rules.rule import RuleSet


def add(root: typer.Typer) -> None:
    """Put the command and those below it under the command line."""
    below = typer.Typer(no_args_is_help=True)
    below.callback()(rules)
    below.command()(check)
    below.command("test")(play)
    root.add_typer(below, name="rules")


def rules() -> None:
    """Check and test the rules and the policy that SREs edit."""


def check(
    path: Annotated[
        Path,
        typer.Argument(
            help="A directory of rules with its policy, or the file of one rule or of patterns."
        ),
    ] = shipped.RULES,
) -> None:
    """Say all that is wrong with rules, policy and patterns, with file, line and what is valid.

    AT MOST is how long a repair may take from its slot until the node is well or a person is
    called.
    """
    with complaints.said(ProblemsError):
        patterns = _patterns(path)
        if path.name.endswith(load.PATTERNS):
            sys.stdout.write(f"{patterns}\n")
            return
        found, policy, good = _checked(path)
        cases = load.cases(path, found)
    paper.put(sheet.drawn(found.rules, policy, cases), paper.console())
    sys.stdout.write("\n".join(("", good, *filter(None, (patterns,)), "")))
    untested = sheet.untested(found.rules, cases)
    if untested:
        sys.stdout.write(f"Without test cases: {', '.join(untested)}.\n")


def _checked(path: Path) -> tuple[RuleSet, Policy, str]:
    checks = replace(files.CHECKS, runbook=load.runbook_above(path))
    if path.is_file():
        return load.rules(path, checks.rung, checks.runbook), Policy(), "The rule is good."
    found, policy = load.book(path, path / load.POLICY_FILE, checks)
    good = f"{_rules(len(found.rules))} and the policy are good (mode {policy.mode})."
    lacking = sheet.unprovided(found.rules, policy)
    provider = files.owner(policy.provider, policy.provider_settings)
    uncycled = sheet.uncycled(found.rules, policy, provider)
    if lacking:
        good += (
            "\nThe policy enforces and names no provider, so where these rules come to replace "
            f"a machine, a person is called: {', '.join(lacking)}."
        )
    if uncycled:
        good += (
            f"\nThe provider {policy.provider} has no way to power-cycle a machine, so these rules "
            f"go on to their next remedy: {', '.join(uncycled)}."
        )
    unhooked = sheet.unhooked(found.rules, policy)
    if unhooked:
        good += (
            "\nThe policy's webhooks lack one that these rules name, so they go on to their next "
            f"remedy: {', '.join(unhooked)}."
        )
    return found, policy, good


def _patterns(path: Path) -> str:
    """Say how many patterns of the kernel's log there are, all of them good."""
    found = own.read(load.pattern_files(path))
    if found.problems:
        raise SettingsError("\n".join(found.problems))
    count = len(found.good)
    are = "is" if count == 1 else "are"
    return f"{count} pattern{'' if count == 1 else 's'} of the kernel's log {are} good." * (
        count > 0
    )


def play(
    path: Annotated[
        Path, typer.Argument(help="A directory of rules, or the file of one rule.")
    ] = shipped.RULES,
) -> None:
    """Play the test cases beside the rules; exits with 1 when a rule does something unexpected."""
    with complaints.said(ProblemsError):
        known = load.rules(path, files.remedy)
        cases = load.cases(path, known)
    played = [rehearsal.rehearse(known.by_name[case.rule], case) for case in cases]
    for line in rehearsals.report(played):
        sys.stdout.write(f"{line}\n")
    bad = sum(not each.is_as_expected() for each in played)
    rules = len({case.rule for case in cases})
    if not cases:
        sys.stdout.write(f"There are no test cases below {path}.\n")
    elif bad:
        sys.stdout.write(f"{bad} of {len(cases)} cases went otherwise than expected.\n")
    else:
        sys.stdout.write(f"{len(cases)} cases of {_rules(rules)} went as expected.\n")
    raise typer.Exit(1 if bad or not cases else 0)


def _rules(count: int) -> str:
    return f"{count} rule{'' if count == 1 else 's'}"
