"""The command line: what a person types."""

import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from agent import main as agent_main
from agent import settings as agent_settings
from agent.identity import IdentityError
from nodehealth.kit import clocks, logs
from nodehealth.kit.settings import SettingsError
from nodehealth.kube import errors
from nodemend import probe as probing
from nodemend import shipped, verdicts
from nodemend.demo import performance
from nodemend.demo.play import DemoError
from nodemend.demo.realhost import NoNamespaceError
from remediator import main as remediator_main
from remediator.rules import load
from remediator.rules.documents import ProblemsError

USAGE: Final = 2
"""The exit code for what the person who typed the command can mend."""

app = typer.Typer(
    name="nodemend",
    help="Finds sick nodes in a Kubernetes fleet and repairs them, within limits.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
rules_app = typer.Typer(help="Check the rules and the policy that SREs edit.", no_args_is_help=True)
app.add_typer(rules_app, name="rules")

Kubeconfig = Annotated[
    Path | None,
    typer.Option(help="The kubeconfig; else $KUBECONFIG, the pod's account, ~/.kube/config."),
]
Context = Annotated[str | None, typer.Option(help="Another context than the current one.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")]
JsonLogs = Annotated[bool, typer.Option("--json-logs", help="Write one JSON object a log line.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")]


@app.command()
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
    good = performance.perform(
        nodes=nodes, scenario=scenario, rules=rules, most=most, report=report, console=Console()
    )
    raise typer.Exit(0 if good else 1)


@app.command()
def probe(
    *,
    json: Json = False,
    root: Annotated[
        Path | None, typer.Option(help="Where the host's root directory is mounted.")
    ] = None,
    rules: Annotated[Path, typer.Option(help="The rules to judge by.")] = shipped.RULES,
) -> None:
    """Ask every probe of this machine once and judge what it says; needs no cluster.

    Exits with 0 when the machine is healthy, 1 when a rule holds, 2 when too little is known.
    """
    settings = agent_settings.load(os.environ, root=root)
    status = asyncio.run(probing.sweep_once(settings))
    found = verdicts.faults(status, rules, clocks.wall())
    if json:
        sys.stdout.write(probing.as_json(status, found) + "\n")
    else:
        Console().print(probing.render(status, found))
    raise typer.Exit(probing.verdict(status, found))


@app.command()
def agent(
    *,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    config: Annotated[Path | None, typer.Option(help="YAML with the probes' settings.")] = None,
    node: Annotated[str, typer.Option(help="The Node's name; else the token says it.")] = "",
    node_uid: Annotated[str, typer.Option(help="The Node's UID; else the token says it.")] = "",
    root: Annotated[Path | None, typer.Option(help="The host's root directory.")] = None,
    boot_id: Annotated[Path | None, typer.Option(help="The file with the boot id.")] = None,
    state_file: Annotated[Path | None, typer.Option(help="What survives a restart.")] = None,
    json_logs: JsonLogs = False,
    verbose: Verbose = False,
) -> None:
    """Observe this machine and report what is seen as its Node's NodeHealth."""
    logs.setup(logging.DEBUG if verbose else logging.INFO, json=json_logs)
    settings = agent_settings.load(
        os.environ,
        file=config,
        node=node,
        node_uid=node_uid,
        root=root,
        boot_id=boot_id,
        state_file=state_file,
    )
    asyncio.run(agent_main.serve(settings, config=kubeconfig, context=context))


@app.command()
def remediator(
    *,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    rules: Annotated[Path, typer.Option(help="The directory of the rules.")] = shipped.RULES,
    policy: Annotated[
        Path | None, typer.Option(help="The policy; else policy.yaml beside the rules.")
    ] = None,
    identity: Annotated[str, typer.Option(help="Our name among the replicas.")] = "",
    json_logs: JsonLogs = False,
    verbose: Verbose = False,
) -> None:
    """Judge what the agents report and repair sick nodes, as far as the policy goes."""
    logs.setup(logging.DEBUG if verbose else logging.INFO, json=json_logs)
    settings = remediator_main.Settings(
        rules=rules, policy=policy or rules / load.POLICY_FILE, identity=identity
    )
    asyncio.run(remediator_main.serve(settings, config=kubeconfig, context=context))


@rules_app.command("check")
def check(
    path: Annotated[Path, typer.Argument(help="A directory of rules.")] = shipped.RULES,
) -> None:
    """Say all that is wrong with the rules and the policy, with file, line and what is valid."""
    found = load.rules(path, remediator_main.remedy)
    policy = load.policy(path / load.POLICY_FILE)
    remediator_main.owner(policy.provider)
    sys.stdout.write(f"{len(found.rules)} rules and the policy are good (mode {policy.mode}).\n")


def main() -> None:
    """Run the command line; what a person can mend is said without a traceback."""
    try:
        app()
    except (
        ProblemsError,
        SettingsError,
        errors.SettingsError,
        IdentityError,
        errors.KubeError,
        DemoError,
        NoNamespaceError,
    ) as wrong:
        sys.stderr.write(f"nodemend: {wrong}\n")
        sys.exit(USAGE)


if __name__ == "__main__":
    main()
