"""`nodemend remediator`: judges and repairs."""

import asyncio
import logging
from pathlib import Path
from typing import Annotated

import typer

from nodehealth.kit import logs, web
from nodemend import complaints, shipped
from nodemend.options import Context, JsonLogs, Kubeconfig, Verbose
from remediator import main
from remediator.files import Place
from remediator.rules import load
from remediator.rules.documents import ProblemsError


def add(root: typer.Typer) -> None:
    """Put the command under the command line."""
    root.command("remediator")(remediator)


def remediator(
    *,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    rules: Annotated[Path, typer.Option(help="The directory of the rules.")] = shipped.RULES,
    policy: Annotated[
        Path | None, typer.Option(help="The policy; else policy.yaml beside the rules.")
    ] = None,
    identity: Annotated[str, typer.Option(help="Our name among the replicas.")] = "",
    listen: Annotated[
        str, typer.Option(help="Where to serve /metrics, /healthz, /readyz: HOST:PORT or :PORT.")
    ] = "",
    json_logs: JsonLogs = False,
    verbose: Verbose = False,
) -> None:
    """Judge what the agents report and repair sick nodes, as far as the policy goes."""
    logs.setup(logging.DEBUG if verbose else logging.INFO, json=json_logs)
    with complaints.said(ProblemsError):
        settings = main.Settings(
            place=Place(rules=rules, policy=policy or rules / load.POLICY_FILE),
            identity=identity,
            listen=web.address(listen) if listen else None,
        )
        asyncio.run(main.serve(settings, config=kubeconfig, context=context))
