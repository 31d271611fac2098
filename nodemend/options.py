"""The options that several commands share."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Kubeconfig: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="The kubeconfig; else $KUBECONFIG, the pod's account, ~/.kube/config."),
]
Context: TypeAlias = Annotated[
    str | None, typer.Option(help="Another context than the current one.")
]
By: TypeAlias = Annotated[
    str, typer.Option(help="Who wants it; else whom the API server takes you for.")
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")]
JsonLogs: TypeAlias = Annotated[
    bool, typer.Option("--json-logs", help="Write one JSON object a log line.")
]
Verbose: TypeAlias = Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")]


def named(name: str) -> str:
    """Refuse a name that is empty, as of a variable that nobody set."""
    if not name.strip():
        raise typer.BadParameter("expected a name, got nothing")
    return name
