"""What the demo's screen shows at one moment: pure, from what the audience sees."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from rich.text import Text

from nodehealth.repair import NodeRepair, Phase
from remediator.decide import plan, ready
from remediator.decide.counting import Usage
from remediator.observe import Fleet
from remediator.rules.policy import Policy


class Look(Enum):
    """How a node stands: its sign, its colour and what it means."""

    WELL = ("·", "green", "well")
    SICK = ("!", "bold red", "sick")
    OUT = ("o", "red", "not Ready")
    WAITS = ("w", "magenta", "cordoned, waits")
    DRAINS = ("d", "yellow", "drains")
    MENDS = ("r", "bold yellow", "under repair")
    PROVES = ("v", "cyan", "proves well")
    MENDED = ("+", "bold green", "mended")
    PERSON = ("?", "bold white on red", "needs a person")

    def __init__(self, sign: str, style: str, means: str) -> None:
        self.sign, self.style, self.means = sign, style, means


_PHASES = {
    Phase.CONFIRMED: Look.SICK,
    Phase.CORDONED: Look.WAITS,
    Phase.WAITING: Look.WAITS,
    Phase.DRAINING: Look.DRAINS,
    Phase.FENCING: Look.MENDS,
    Phase.REPAIRING: Look.MENDS,
    Phase.VERIFYING: Look.PROVES,
    Phase.PARKED: Look.PERSON,
    Phase.NEEDS_HUMAN: Look.PERSON,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One node on the screen."""

    name: str
    pool: str
    look: Look
    real: bool = False
    """Whether it is this very machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All that is shown."""

    now: datetime
    elapsed: timedelta
    most: timedelta
    hint: str
    """How to look around."""
    spots: tuple[Spot, ...]
    repairs: tuple[NodeRepair, ...]
    usages: tuple[Usage, ...]
    lines: tuple[Text, ...]
    """What was told last."""


def spots(
    fleet: Fleet, policy: Policy, repairs: Iterable[NodeRepair], ailing: frozenset[str], real: str
) -> tuple[Spot, ...]:
    """Say how every node stands, in the order of their names, and those that are away too."""
    newest = {each.spec.target.node: each for each in sorted(repairs, key=_age)}
    pools = {name: newest[name].spec.target.pool for name in newest}
    names = sorted({*fleet.nodes(), *(name for name, each in newest.items() if plan.is_open(each))})
    found = []
    for name in names:
        facts = fleet.facts(name)
        pool = policy.pool_of(facts.node) if facts is not None else pools[name]
        is_up = facts is not None and ready.is_ready(facts.node)
        look = _look(newest.get(name), sick=name in ailing, ready=is_up)
        found.append(Spot(name=name, pool=pool, look=look, real=name == real))
    return tuple(found)


def _look(repair: NodeRepair | None, *, sick: bool, ready: bool) -> Look:
    if repair is not None and plan.is_open(repair):
        return _PHASES[repair.status.phase]
    if sick:
        return Look.SICK
    if not ready:
        return Look.OUT
    return Look.WELL if repair is None else Look.MENDED


def _age(repair: NodeRepair) -> tuple[float, str]:
    created = repair.metadata.creation_timestamp
    return created.timestamp() if created else 0.0, repair.metadata.name
