"""The status of the fleet as it is drawn for a person."""

from collections.abc import Iterator, Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nodehealth.repair import Mode
from nodemend.looking.status import Leader, Scope, Status, spoken_age


def drawn(status: Status) -> RenderableType:
    """Draw it: what needs a person comes last, where the eye ends."""
    facts = Table.grid(padding=(0, 2))
    for title, said in _facts(status):
        facts.add_row(Text(title, style="bold"), said)
    scopes = Table(box=None, pad_edge=False)
    scopes.add_column("SCOPE", overflow="fold")
    for title in ("NODES", "OUT", "LIMIT", "DISRUPTED", "LIMIT"):
        scopes.add_column(title)
    for each in status.scopes:
        scopes.add_row(*_row(each))
    attention = [Text(f"! {each}", style="bold red") for each in status.attention]
    calm = [] if attention else [Text("Nothing needs a person.", style="green")]
    return Group(facts, Text(), scopes, Text(), *attention, *calm)


def _facts(status: Status) -> Iterator[tuple[str, RenderableType]]:
    style = "green" if status.mode is Mode.ENFORCE else "yellow"
    yield "mode", Text.assemble((status.mode, style), f", {status.rules} rules, by {status.by}")
    yield "leader", _leader(status.leader)
    yield (
        "nodes",
        f"{status.nodes}: {status.ready} Ready, {status.reported} with a report that counts",
    )
    yield "sick", _counted(status.sick) or "none"
    yield "repairs", _counted(status.repairs) or "none open"
    yield "held back", _counted(status.held) or "none"
    yield "ledger", status.ledger
    for n, each in enumerate(status.competitors):
        yield "" if n else "beside us", each
    for n, each in enumerate(status.unasked):
        yield "" if n else "not asked", each
    for n, each in enumerate(status.pauses):
        yield "" if n else "paused", Text(each, style="magenta")


def _leader(leader: Leader) -> str:
    ready = leader.replicas_ready
    replicas = f"; {ready} replicas Ready" if ready else ""
    if not leader.leads():
        return f"nobody{replicas}"
    return f"{leader.identity}, renewed {spoken_age(leader.renewed_seconds_ago)} ago{replicas}"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def _row(scope: Scope) -> tuple[str, str, str, str, str | Text, str]:
    full = scope.disrupted >= scope.disrupted_limit > 0
    disrupted = Text(str(scope.disrupted), style="magenta" if full else "")
    return (
        scope.scope,
        str(scope.nodes),
        str(scope.out),
        str(scope.out_limit),
        disrupted,
        str(scope.disrupted_limit),
    )
