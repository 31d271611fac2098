"""What goes wrong in an ordeal: everything is drawn from one seed, and drawn again the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Final

from nodehealth import keys
from remediator.rules.breaking import NEVER, Breaking
from simulator.api.faults import LateWatch
from simulator.virtualtime import START
from tests.safety.lives import Skew
from tests.safety.meddlers import MEDDLERS
from tests.safety.owners import Temper
from tests.safety.peril import Crash, Luck
from tests.safety.tales import TALES, Tale

_KINDS: Final = ("nodes", "nodehealths", "noderepairs", "repairledgers", "pods")
_MOST_SKEW: Final = 300.0
_MOST_REQUESTS: Final = 150
_MOST_STEPS: Final = 8_000
CALM: Final = timedelta(minutes=40)
"""After how long nothing goes wrong any more: that all ends is promised of a world that lets it."""
_SPELL: Final = timedelta(seconds=40)
BREAKING: Final = Breaking(cool_down=timedelta(minutes=3), settle=timedelta(seconds=30))
"""Three of the four nodes are enough for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adversity:
    """All that goes wrong in one ordeal."""

    seed: int
    name: str
    tale: Tale
    limit: int = 1
    hasty: bool = False
    """Whether no rate spaces out what begins, so that only the limits hold it back."""
    zoned: bool = False
    """Whether each of the two zones has a limit of one, too."""
    observing: bool = False
    """Whether the mode is to observe, and nothing may be done."""
    elected: bool = False
    lucks: tuple[Luck, ...] = (Luck(),)
    """One for each remediator."""
    skews: tuple[Skew, ...] = (Skew(),)
    crashes: tuple[tuple[Crash | int, ...], ...] = ((),)
    lates: tuple[LateWatch, ...] = ()
    gaps: float = 0.0
    """How many seconds pass at most between two watches that break; none break if it is 0."""
    temper: Temper = field(default_factory=Temper)
    meddlers: tuple[str, ...] = ()
    breaking: Breaking = NEVER

    @property
    def domains(self) -> Mapping[str, int]:
        """Return by label how many nodes of each of its values may be disrupted at once."""
        return {keys.ZONE_LABEL: 1} if self.zoned else {}

    def __str__(self) -> str:
        """Say it in one line."""
        parts = [f"seed {self.seed}: {self.name}, limit {self.limit}, {len(self.lucks)} replicas"]
        parts += ["hasty"] if self.hasty else []
        parts += ["zoned"] if self.zoned else []
        parts += ["observing"] if self.observing else []
        parts += ["breakers"] if self.breaking != NEVER else []
        parts += ["haunted"] if any(each.haunted for each in self.lucks) else []
        parts += ["elected"] if self.elected else []
        parts += [f"crashes {[len(each) for each in self.crashes]}"] if any(self.crashes) else []
        parts += (
            [f"skews {[str(s.by) for s in self.skews]}"] if any(s.by for s in self.skews) else []
        )
        parts += [f"gaps {self.gaps:.0f}s"] if self.gaps else []
        parts += [f"late {each.resource} {each.lag}" for each in self.lates]
        parts += [str(self.temper)] if self.temper != Temper() else []
        return ", ".join([*parts, *self.meddlers])


def draw(seed: int) -> Adversity:
    """Draw an ordeal."""
    drawn = _drawn(seed)
    for change, share in _BESIDES:
        besides = Random(f"{change.__name__} {seed}")
        if besides.random() < share:
            drawn = change(drawn, besides)
    return drawn


def _drawn(seed: int) -> Adversity:
    random = Random(seed)
    (name,) = random.choices(("disks", "dead", "stuck", "held", "mute"), (8, 4, 3, 3, 1))
    (replicas,) = random.choices((1, 2, 3), (3, 5, 2))
    return Adversity(
        seed=seed,
        name=name,
        tale=TALES[name](seed, random),
        limit=random.choice((1, 1, 2)),
        hasty=random.random() < 0.5,
        zoned=random.random() < 0.3,
        elected=random.random() < 0.3,
        observing=random.random() < 0.04,
        lucks=tuple(_luck(random) for _ in range(replicas)),
        skews=tuple(_skew(random) for _ in range(replicas)),
        crashes=tuple(_crashes(random) for _ in range(replicas)),
        lates=_lates(random),
        gaps=random.choice((0.0, 10.0, 60.0)),
        temper=_temper(random),
        meddlers=tuple(random.sample(sorted(MEDDLERS), random.choice((0, 1, 1, 2, 3)))),
    )


def _breakers(drawn: Adversity, random: Random) -> Adversity:
    """Have breakers open by what befalls four nodes, and people who say something of them."""
    also = ("says_something_of_a_breaker",) if random.random() < 0.4 else ()
    return replace(drawn, breaking=BREAKING, meddlers=(*drawn.meddlers, *also))


def _words(drawn: Adversity, random: Random) -> Adversity:
    del random
    return replace(drawn, meddlers=(*drawn.meddlers, "writes_on_a_node"))


def _gangs(drawn: Adversity, random: Random) -> Adversity:
    del random
    return replace(drawn, limit=2, meddlers=(*drawn.meddlers, "trains"))


def _haunted(drawn: Adversity, random: Random) -> Adversity:
    """Have faults that pass, and patches of Nodes that come when nobody expects them any more."""
    lucks = tuple(replace(each, haunted=0.4) for each in drawn.lucks)
    return replace(drawn, name="brief", tale=TALES["brief"](drawn.seed, random), lucks=lucks)


_BESIDES: Final = ((_breakers, 0.15), (_words, 0.1), (_gangs, 0.1), (_haunted, 0.05))
"""What is drawn by itself, and how often: the ordeals without any of it stay as they are."""


def _luck(random: Random) -> Luck:
    def share(most: float) -> float:
        return random.uniform(0.0, most) if random.random() < 0.6 else 0.0

    return Luck(
        lost_before=share(0.04),
        lost_after=share(0.05),
        zombie=share(0.05),
        freeze=share(0.02),
        refused=share(0.05),
        failed_after=share(0.04),
        doubled=share(0.04),
        dawdle=timedelta(seconds=share(0.8)),
        spell=_SPELL,
        lasts=CALM,
    )


def _skew(random: Random) -> Skew:
    if random.random() < 0.5:
        return Skew()
    by, after = (timedelta(seconds=random.uniform(-_MOST_SKEW, _MOST_SKEW)) for _ in range(2))
    at = START + timedelta(seconds=random.uniform(10.0, 400.0))
    return Skew(by=by, jumps=((at, after),) if random.random() < 0.5 else ())


def _crashes(random: Random) -> tuple[Crash | int, ...]:
    def crash() -> Crash | int:
        if random.random() < 0.4:
            return random.randint(1, _MOST_STEPS)
        reads, after = random.random() < 0.5, random.random() < 0.5
        return Crash(at_write=random.randint(1, _MOST_REQUESTS), after=after, reads=reads)

    return tuple(crash() for _ in range(random.choice((0, 1, 1, 2))))


def _lates(random: Random) -> tuple[LateWatch, ...]:
    """Let each kind be late by another span, so that news of one overtakes that of another."""
    return tuple(
        LateWatch(
            lag=timedelta(seconds=random.uniform(0.1, 8.0)),
            resource=each,
            agent=keys.REMEDIATOR_MANAGER,
        )
        for each in _KINDS
        if random.random() < 0.3
    )


def _temper(random: Random) -> Temper:
    if random.random() < 0.5:
        return Temper()
    return Temper(
        fails=random.choice((0.0, 0.1, 0.3)),
        forgets=random.choice((0.0, 0.3, 1.0)),
        lies=random.choice((0.0, 0.0, 0.1)),
        late=timedelta(seconds=random.choice((0, 0, 2, 15))),
    )
