"""The repairs as a table for people and as JSON for scripts."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from rich.table import Table
from rich.text import Text

from nodehealth import quantities
from nodehealth.repair import Mode, NodeRepair, Phase
from remediator.decide import joined, plan

STYLES: Final = {
    Phase.CONFIRMED: "red",
    Phase.CORDONED: "yellow",
    Phase.WAITING: "magenta",
    Phase.DRAINING: "yellow",
    Phase.FENCING: "yellow",
    Phase.REPAIRING: "yellow",
    Phase.VERIFYING: "cyan",
    Phase.RECOVERED: "green",
    Phase.PARKED: "magenta",
    Phase.NEEDS_HUMAN: "bold red",
}


def chosen(
    repairs: Iterable[NodeRepair], *, name: str = "", ended: bool = False
) -> list[NodeRepair]:
    """Pick repairs, those that need a person first, then the oldest.

    Args:
        repairs: All that are known.
        name: That of a node, or of one repair, which may have ended.
        ended: Whether those that ended are of interest.
    """
    picked = [
        each
        for each in repairs
        if name == each.metadata.name
        or ((ended or plan.is_open(each)) and name in {"", each.spec.target.node})
    ]
    return sorted(picked, key=_order)


def none(repairs: Iterable[NodeRepair], *, name: str, ended: bool) -> str:
    """Say that there is nothing to show, and how to see what ended."""
    whose = f" of {name}" if name else ""
    said = f"No repair{whose} is {'known' if ended else 'open'}.\n"
    over = len(chosen(repairs, name=name, ended=True))
    if not over:
        return said
    command = " ".join(filter(None, ("nodemend repairs", name, "--all")))
    return f"{said}{over} ended; shown by: {command}\n"


def table(repairs: Sequence[NodeRepair], now: datetime) -> Table:
    """Draw repairs, one a line."""
    drawn = Table("NODE", "RULE", "PHASE", "FOR", box=None, pad_edge=False)
    drawn.add_column("WHAT IT WAITS FOR", ratio=1, overflow="fold")
    for each in repairs:
        phase = Text(phase_of(each), style=STYLES.get(each.status.phase, ""))
        drawn.add_row(
            each.spec.target.node,
            ", ".join(joined.rules(each)),
            phase,
            since(each, now),
            each.status.message,
        )
    return drawn


def phase_of(repair: NodeRepair) -> str:
    """Say where a repair stands, in a word or two."""
    status, observed = repair.status, repair.spec.mode is Mode.OBSERVE
    reason = f" ({status.reason})" if status.reason and not observed else ""
    return f"{status.phase}{' (observed)' if observed else reason}"


def since(repair: NodeRepair, now: datetime) -> str:
    """Say for how long a repair has been in its phase."""
    timeline, created = repair.status.timeline, repair.metadata.creation_timestamp
    began = timeline[-1].at if timeline else created or now
    return quantities.spoken(timedelta(seconds=max(0, round((now - began).total_seconds()))))


def as_json(repairs: Sequence[NodeRepair]) -> str:
    """Write repairs as they are in the cluster."""
    return msgspec.json.format(msgspec.json.encode(repairs), indent=2).decode()


def _order(repair: NodeRepair) -> tuple[bool, float, str]:
    created = repair.metadata.creation_timestamp
    calls = repair.status.phase is Phase.NEEDS_HUMAN
    return not calls, created.timestamp() if created else 0.0, repair.metadata.name
