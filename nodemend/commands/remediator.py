"""`nodemend remediator`: judges and repairs."""

import asyncio
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from nodehealth.kit import logs, web
from nodehealth.kit.settings import SettingsError
from nodemend import complaints, shipped
from nodemend.options import Context, JsonLogs, Kubeconfig, Verbose
from remediator import main
from remediator.files import Place
from remediator.rules import load
from remediator.rules.documents import ProblemsError

_STDOUT: Final = Path("-")


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
    decisions: Annotated[
        Path | None,
        typer.Option(help="Append each decision to this file as a line of JSON; - is stdout."),
    ] = None,
    json_logs: JsonLogs = False,
    verbose: Verbose = False,
) -> None:
    """Judge what the agents report and repair sick nodes, as far as the policy goes."""
    logs.setup(logging.DEBUG if verbose else logging.INFO, json=json_logs)
    with complaints.said(ProblemsError), _opened(decisions) as write:
        settings = main.Settings(
            place=Place(rules=rules, policy=policy or rules / load.POLICY_FILE),
            identity=identity,
            listen=web.address(listen) if listen else None,
            decisions=write,
        )
        asyncio.run(main.serve(settings, config=kubeconfig, context=context))


@contextmanager
def _opened(decisions: Path | None) -> Iterator[Callable[[str], None] | None]:
    """Give what writes a line of the decision log; nothing where none is asked for.

    Raises:
        nodehealth.kit.settings.SettingsError: the file cannot be written.
    """
    if decisions is None:
        yield None
        return
    try:
        file = sys.stdout if decisions == _STDOUT else decisions.open("a", encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"--decisions {decisions}: expected a file to append to: {error.strerror}"
        ) from error

    def write(line: str) -> None:
        file.write(f"{line}\n")
        file.flush()

    yield write
