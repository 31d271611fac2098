"""`nodemend probe`: one sweep of this machine, without a cluster."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from agent import settings
from nodehealth.kit import clocks
from nodemend import complaints, paper, shipped, verdicts
from nodemend import probe as probing
from nodemend.options import Json
from remediator.rules.documents import ProblemsError


def add(root: typer.Typer) -> None:
    """Put the command under the command line."""
    root.command("probe")(probe)


def probe(
    *,
    json: Json = False,
    root: Annotated[
        Path | None, typer.Option(help="Where the host's root directory is mounted.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML with the probes' settings.")] = None,
    rules: Annotated[Path, typer.Option(help="The rules to judge by.")] = shipped.RULES,
) -> None:
    """Ask every probe of this machine once and judge what it says; needs no cluster.

    Exits with 0 when the machine is healthy, 1 when a rule holds, 2 when too little is known.
    """
    with complaints.said(ProblemsError):
        environ = {**os.environ, **({"HOST_ROOT": f"{root}"} if root else {})}
        chosen = settings.load(environ, file=config)
        settings.check_root(chosen)
        with Console(stderr=True).status("asks every probe …"):
            swept = asyncio.run(probing.sweep_once(chosen))
        found = verdicts.faults(swept.status, rules, clocks.wall())
    if json:
        sys.stdout.write(probing.as_json(swept, found) + "\n")
    else:
        paper.put(probing.render(swept, found), paper.console())
    raise typer.Exit(probing.verdict(swept, found))
