"""`nodemend demo`: a cluster on this laptop in which this very machine falls sick."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from nodemend import complaints, paper
from nodemend.demo import performance
from nodemend.demo.namespaces import NoNamespaceError
from nodemend.demo.performance import Wishes
from nodemend.demo.play import EndedError
from nodemend.demo.scene import DemoError
from remediator.rules.documents import ProblemsError

_INTERRUPTED = 130


def add(root: typer.Typer) -> None:
    """Put the command under the command line."""
    root.command("demo")(demo)


def demo(
    *,
    nodes: Annotated[int, typer.Option(min=1, max=5000, help="How many synthetic nodes.")] = 100,
    scenario: Annotated[
        Path | None, typer.Option(help="A scenario of your own, in place of the built-in one.")
    ] = None,
    rules: Annotated[
        Path | None, typer.Option(help="Rules to judge by as they are; else the shipped, in haste.")
    ] = None,
    most: Annotated[str, typer.Option("--for", help="How long it may last, as in 3m.")] = "3m",
    report: Annotated[Path | None, typer.Option(help="Where to write the JSON report.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Lines in place of a screen.")] = False,
) -> None:
    """Repair this very machine in a cluster on this laptop: needs nothing but Python.

    Simulates a Kubernetes cluster on loopback with this machine as one of its nodes, really fills
    a small filesystem, lets other nodes die, and leaves the rest to the real agent and the real
    remediator. Exits with 0 only if every repair ended and no limit was broken.
    """
    wishes = Wishes(
        nodes=nodes, scenario=scenario, rules=rules, most=most, report=report, plain=plain
    )
    with complaints.said(ProblemsError, DemoError, NoNamespaceError):
        try:
            good = performance.perform(wishes, paper.console())
        except (EndedError, KeyboardInterrupt) as ended:
            sys.stderr.write("nodemend: the demo was ended early; nothing of it is left.\n")
            raise typer.Exit(_INTERRUPTED) from ended
    raise typer.Exit(0 if good else 1)
