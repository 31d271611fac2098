"""`nodemend rules`: looks after the rules and the policy that SREs edit."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from nodemend import complaints, rehearsals, shipped
from remediator import main
from remediator.decide import rehearsal
from remediator.rules import load
from remediator.rules.documents import ProblemsError


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
    path: Annotated[Path, typer.Argument(help="A directory of rules.")] = shipped.RULES,
) -> None:
    """Say all that is wrong with the rules and the policy, with file, line and what is valid."""
    with complaints.said(ProblemsError):
        found = load.rules(path, main.remedy)
        policy = load.policy(path / load.POLICY_FILE, main.sink, main.owner)
    sys.stdout.write(f"{len(found.rules)} rules and the policy are good (mode {policy.mode}).\n")


def play(
    path: Annotated[
        Path, typer.Argument(help="A directory of rules, or the file of one rule.")
    ] = shipped.RULES,
) -> None:
    """Play the test cases beside the rules; exits with 1 when a rule does something unexpected."""
    with complaints.said(ProblemsError):
        known = load.rules(path, main.remedy)
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
