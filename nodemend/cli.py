"""The command line: what a person types."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import typer

from nodemend import commands

_COMPLETION: Final = "_NODEMEND_COMPLETE"
"""Set by the shell that wants to complete what is being typed."""

_INTERRUPTED: Final = 130
"""The exit code of a program that was ended by Ctrl-C, as shells have it."""


def app(words: Sequence[str], environ: Mapping[str, str]) -> typer.Typer:
    """Put the command line together: whole is only the command that was typed."""
    root = typer.Typer(
        name="nodemend",
        help="Finds sick nodes in a Kubernetes fleet and repairs them, within limits.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",  # else the line breaks of docstrings are kept
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    root.callback()(_anything)
    for name in commands.ABOUT:
        if name in words[:1] or _COMPLETION in environ:
            commands.add(root, name)
        else:
            commands.announce(root, name)
    return root


def main() -> None:
    """Run the command line."""
    try:
        app(sys.argv[1:], os.environ)(prog_name="nodemend")
    except KeyboardInterrupt:  # while a command was still being imported
        sys.stderr.write("nodemend: ended before anything was done.\n")
        sys.exit(_INTERRUPTED)


def _told(version: bool) -> None:  # noqa: FBT001 - as typer calls it
    if version:
        from agent.settings import installed  # noqa: PLC0415 - who asks nothing else pays nothing

        sys.stdout.write(f"nodemend {installed() or 'of a source tree'}\n")
        raise typer.Exit


def _anything(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_told, is_eager=True, help="Say which version it is."),
    ] = False,
) -> None:
    """Keep a command line of one command a command line of many."""


if __name__ == "__main__":
    main()
