"""`nodemend inject`: makes a simulated machine sick; it has no way to break a real one."""

import sys
from dataclasses import fields
from typing import Annotated

import typer
import yaml

from nodehealth.kit.settings import SettingsError
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodemend import asking, complaints, nearest
from nodemend.options import Context, Kubeconfig
from simulator import scenario
from simulator.machines import FAULT_ANNOTATION, MACHINES, REAL_AGENT_ANNOTATION

_NOT_SIMULATED = (
    "this is no simulated cluster, for it serves no machines.simulator.nodemend.dev; "
    "nothing can be injected into a real one"
)

_SCENARIOS = frozenset({"at", "node", "pool", "count"})


def add(root: typer.Typer) -> None:
    """Put the command under the command line."""
    root.command("inject")(inject)


def inject(
    fault: Annotated[str, typer.Argument(help="What shall go wrong; see --list.")] = "",
    node: Annotated[str, typer.Argument(help="On which node.")] = "",
    settings: Annotated[
        list[str] | None, typer.Argument(help="Such as `mount=/scratch` or `lasts=30s`.")
    ] = None,
    *,
    known: Annotated[bool, typer.Option("--list", help="List the faults.")] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Make a node of a simulated cluster sick; a real cluster is refused."""
    if known:
        sys.stdout.write("\n".join(_listed()) + "\n")
        return
    with complaints.said():
        wish = _wish(fault, node, settings or [])

        async def ask(client: Client) -> None:
            await _strike(client, node, wish)

        asking.ask(ask, kubeconfig, context)
    sys.stdout.write(f"{node} has {fault} now; `nodemend why {node}` says what comes of it.\n")


def _wish(fault: str, node: str, settings: list[str]) -> str:
    """Write the fault as the machine's annotation has it, if it makes sense.

    Raises:
        nodehealth.kit.settings.SettingsError: says what does not.
    """
    if not fault or not node:
        raise SettingsError("expected a fault and a node, as in: nodemend inject disk-full web-03")
    given: dict[str, object] = {}
    for each in settings:
        name, equals, value = each.partition("=")
        if not equals:
            raise SettingsError(f"expected a setting such as mount=/scratch, got {each!r}")
        if name in _SCENARIOS:
            raise SettingsError(f"{name}: only a scenario may say this")
        given[name] = yaml.safe_load(value)
    wish = {fault: given} if given else fault
    scenario.injection(wish, "inject")
    return yaml.safe_dump(wish, default_flow_style=True).removesuffix("...\n").strip()


async def _strike(client: Client, node: str, wish: str) -> None:
    try:
        machines = (await client.listing(MACHINES)).items
    except errors.GoneError as real:
        raise SettingsError(_NOT_SIMULATED) from real
    found = {each.metadata.name: each for each in machines}
    if node not in found:
        raise SettingsError(nearest.none_named("machine", node, found))
    if _is_reported(wish) and REAL_AGENT_ANNOTATION in found[node].metadata.annotations:
        raise SettingsError(
            f"{node} has a real agent, which sees what is there and not what is simulated; "
            "take another node"
        )
    if found[node].metadata.annotations.get(FAULT_ANNOTATION) == wish:
        raise SettingsError(f"{node} has this fault already")
    patch = {"metadata": {"annotations": {FAULT_ANNOTATION: wish}}}
    await client.merge_patch(MACHINES, node, patch)


def _is_reported(wish: str) -> bool:
    """Say whether a fault shows in what a simulated agent reports."""
    shown = scenario.injection(yaml.safe_load(wish), "inject").fault.symptoms()
    return bool(shown.readings or shown.occurrences or shown.agent_silent)


def _listed() -> list[str]:
    lines = []
    for name, kind in scenario.known_faults().items():
        about = (kind.__doc__ or "").partition("\n")[0]
        own = [each.name.replace("_", "-") for each in fields(kind)]
        lines.append(f"{name:<15} {about} Settings: {', '.join(own)}.")
    return [*lines, "", "Each also takes `lasts`, after which it passes by itself."]
