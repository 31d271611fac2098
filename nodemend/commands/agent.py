"""`nodemend agent`: reads what is asked for, and becomes the agent."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from agent import __main__ as process
from agent import settings
from agent.identity import IdentityError
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
    typed: dict[str, object] = {
        "KUBECONFIG": kubeconfig,
        process.CONTEXT: context,
        process.CONFIG: config,
        "NODE_NAME": node,
        "NODE_UID": node_uid,
        "HOST_ROOT": root,
        "BOOT_ID_FILE": boot_id,
        "KMSG_PATH": kmsg,
        "STATE_FILE": state_file,
        "LISTEN": listen,
        process.JSON_LOGS: "1" if json_logs else "",
        process.VERBOSE: "1" if verbose else "",
    }
    told = {settings.VERSION: settings.installed()}
    environ = {**os.environ, **told, **{name: f"{said}" for name, said in typed.items() if said}}
    with complaints.said(IdentityError):
        process.chosen_by(environ)
    os.execve(sys.executable, [sys.executable, "-m", "agent"], environ)  # noqa: S606 - ourselves
