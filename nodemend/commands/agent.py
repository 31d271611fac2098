"""`nodemend agent`: observes one machine, and carries nothing that it does not need for that."""

import asyncio
import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from agent import main, settings
from agent.identity import IdentityError
from nodehealth.kit import logs
from nodemend import complaints
from nodemend.options import Context, JsonLogs, Kubeconfig, Verbose


def add(root: typer.Typer) -> None:
    """Put the command under the command line."""
    root.command("agent")(agent)


def agent(
    *,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    config: Annotated[Path | None, typer.Option(help="YAML with the probes' settings.")] = None,
    node: Annotated[str, typer.Option(help="The Node's name; else the token says it.")] = "",
    node_uid: Annotated[str, typer.Option(help="The Node's UID; else the token says it.")] = "",
    root: Annotated[Path | None, typer.Option(help="The host's root directory.")] = None,
    boot_id: Annotated[Path | None, typer.Option(help="The file with the boot id.")] = None,
    kmsg: Annotated[
        Path | None, typer.Option(help="The kernel's log, or a FIFO in its place.")
    ] = None,
    state_file: Annotated[Path | None, typer.Option(help="What survives a restart.")] = None,
    listen: Annotated[
        str, typer.Option(help="Where to tell /metrics and /healthz, such as :9464; else nowhere.")
    ] = "",
    json_logs: JsonLogs = False,
    verbose: Verbose = False,
) -> None:
    """Observe this machine and report what is seen as its Node's NodeHealth."""
    logs.setup(logging.DEBUG if verbose else logging.INFO, json=json_logs)
    with complaints.said(IdentityError):
        chosen = settings.load(
            os.environ,
            file=config,
            node=node,
            node_uid=node_uid,
            root=root,
            boot_id=boot_id,
            kmsg=kmsg,
            state_file=state_file,
            listen=listen,
        )
        settings.check_root(chosen)
        asyncio.run(main.serve(chosen, config=kubeconfig, context=context))
