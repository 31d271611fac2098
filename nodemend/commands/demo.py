"""`nodemend demo`: a cluster on this laptop in which this very machine falls sick."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nodemend import complaints, shipped
from nodemend.demo import performance
from nodemend.demo.play import DemoError
from nodemend.demo.realhost import NoNamespaceError
from remediator.rules.documents import ProblemsError


def add(root: typer.Typer) -> None:
    """Put the command under the command line."""
    root.command("demo")(demo)


def demo(
    *,
    nodes: Annotated[int, typer.Option(min=1, max=5000, help="How many synthetic nodes.")] = 5,
    scenario: Annotated[
        Path | None, typer.Option(help="A scenario of your own, in place of the built-in one.")
    ] = None,
    rules: Annotated[Path, typer.Option(help="The rules to judge by.")] = shipped.RULES,
    most: Annotated[str, typer.Option("--for", help="How long it may last, as in 5m.")] = "5m",
    report: Annotated[Path | None, typer.Option(help="Where to write the JSON report.")] = None,
) -> None:
    """Repair this very machine in a cluster on this laptop: needs nothing but Python.

    Simulates a Kubernetes cluster on loopback with this machine as one of its nodes, really fills
    a small filesystem, and lets the real agent and the real remediator do the rest. Exits with 0
    only if every repair ended well and no limit was broken.
    """
    with complaints.said(ProblemsError, DemoError, NoNamespaceError):
        good = performance.perform(
            nodes=nodes, scenario=scenario, rules=rules, most=most, report=report, console=Console()
        )
    raise typer.Exit(0 if good else 1)
