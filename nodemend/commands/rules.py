"""`nodemend rules`: looks after the rules and the policy that SREs edit."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from nodemend import complaints, shipped
from remediator import main
from remediator.rules import load
from remediator.rules.documents import ProblemsError


def add(root: typer.Typer) -> None:
    """Put the command and those below it under the command line."""
    below = typer.Typer(no_args_is_help=True)
    below.callback()(rules)
    below.command()(check)
    root.add_typer(below, name="rules")


def rules() -> None:
    """Check the rules and the policy that SREs edit."""


def check(
    path: Annotated[Path, typer.Argument(help="A directory of rules.")] = shipped.RULES,
) -> None:
    """Say all that is wrong with the rules and the policy, with file, line and what is valid."""
    with complaints.said(ProblemsError):
        found = load.rules(path, main.remedy)
        policy = load.policy(path / load.POLICY_FILE)
        main.owner(policy.provider)
    sys.stdout.write(f"{len(found.rules)} rules and the policy are good (mode {policy.mode}).\n")
