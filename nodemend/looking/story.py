"""A repair from its first evidence to where it stands, in sentences with times."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nodehealth import quantities
from nodehealth.repair import ENDED, NodeRepair, PhaseTime
from nodemend.looking.repairs import STYLES, phase_of
from remediator.decide import joined, obstacles

_OWNERS: Final = 3
"""How many owners of pods are named."""


def told(repair: NodeRepair, now: datetime) -> RenderableType:
    """Draw the whole story of one repair."""
    lines = Table.grid(padding=(0, 2))
    for title, sentence in _about(repair):
        lines.add_row(Text(title, style="bold"), sentence)
    said = Table.grid(padding=(0, 2))
    began = repair.metadata.creation_timestamp
    for each in repair.status.log:
        since = f"+{_spoken(each.at - began)}" if began and each.at > began else ""
        said.add_row(f"{each.at:%m-%d %H:%M:%S}", since, each.text)
    head = Text.assemble(
        (repair.metadata.name, "bold"),
        "  ",
        (phase_of(repair), STYLES.get(repair.status.phase, "")),
    )
    return Group(head, lines, said, *(Text(each) for each in _sums(repair, now)))


def _about(repair: NodeRepair) -> Iterator[tuple[str, str]]:
    spec, target = repair.spec, repair.spec.target
    kind = f", {target.instance_type}" if target.instance_type else ""
    gpus = f", {target.gpus} GPUs" if target.gpus else ""
    yield "node", f"{target.node} of pool {target.pool or 'default'}{kind}{gpus}"
    yield "faults", f"{', '.join(joined.rules(repair))} ({spec.severity}, {spec.mode})"
    for n, each in enumerate(spec.evidence):
        yield "" if n else "because", each
    for fault in repair.status.faults:
        for each in fault.evidence:
            yield "", f"{fault.rule}: {each}"
    yield "ladder", ", then ".join(rung.action for rung in spec.ladder) or "none"
    if spec.approved is not None:
        yield "approved", f"by {spec.approved.by or 'somebody'}"
    if spec.request is not None:
        request = spec.request
        why = f": {request.reason}" if request.reason else ""
        yield "asked", f"{request.what} by {request.by or 'somebody'}{why}"
    for found in repair.status.obstacles:
        yield "obstacle", obstacles.said(found)


def _sums(repair: NodeRepair, now: datetime) -> Iterator[str]:
    evictions = repair.status.evictions
    if evictions:
        owners = Counter(each.owner or "no owner" for each in evictions).most_common(_OWNERS)
        named = ", ".join(f"{count} of {owner}" for owner, count in owners)
        pods = "1 pod was" if len(evictions) == 1 else f"{len(evictions)} pods were"
        yield f"{pods} asked to leave: {named}."
    timeline = repair.status.timeline
    if timeline:
        spent = ", ".join(f"{name} {_spoken(lasted)}" for name, lasted in _lasted(repair, now))
        whole = _end(repair, now) - timeline[0].at
        took = "It took" if timeline[-1].phase in ENDED else "So far it took"
        yield f"{took} {_spoken(whole)}: {spent}." if spent else f"{took} {_spoken(whole)}."


def _lasted(repair: NodeRepair, now: datetime) -> list[tuple[str, timedelta]]:
    """Add up how long each phase lasted, in the order in which they came first."""
    timeline = repair.status.timeline
    spans = zip(timeline, (*timeline[1:], None), strict=True)
    lasted: dict[str, timedelta] = {}
    for begun, following in spans:
        until = following.at if isinstance(following, PhaseTime) else _end(repair, now)
        if begun.phase not in ENDED:
            lasted[begun.phase] = lasted.get(begun.phase, timedelta()) + until - begun.at
    return [(phase, span) for phase, span in lasted.items() if span >= timedelta(seconds=1)]


def _end(repair: NodeRepair, now: datetime) -> datetime:
    last = repair.status.timeline[-1]
    return last.at if last.phase in ENDED else now


def _spoken(span: timedelta) -> str:
    return quantities.spoken(timedelta(seconds=max(0, round(span.total_seconds()))))
