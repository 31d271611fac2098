"""`nodemend resume`: lets go on what a pause held back."""

import sys
from typing import Annotated

import typer

from nodemend import asking, complaints, wishes
from nodemend.options import Context, Kubeconfig, named
from remediator.decide import pauses


def add(root: typer.Typer) -> None:
    """Put the command under the command line."""
    root.command("resume")(resume)


def resume(
    name: Annotated[str, typer.Argument(help="The name of the pause.", callback=named)],
    *,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Take a pause away: what it held back goes on."""
    with complaints.said():
        before, others = asking.ask(lambda client: wishes.resume(client, name), kubeconfig, context)
    stay = f" Still there: {', '.join(others)}." if others else ""
    if before is None:
        sys.stdout.write(f"There is no pause {name}.{stay}\n")
        return
    sys.stdout.write(f"Taken away: {pauses.sentence(name, before)}.{stay}\n")
