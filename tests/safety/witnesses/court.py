"""All witnesses together, at one cluster."""

from dataclasses import dataclass, field
from typing import Self

from simulator.cluster import REMEDIATOR, Cluster
from tests.safety.witnesses.beginning import Beginnings
from tests.safety.witnesses.brains import Spared
from tests.safety.witnesses.foreign import Untouched
from tests.safety.witnesses.gangs import Together
from tests.safety.witnesses.history import Breach, History
from tests.safety.witnesses.holding import Held, Kept
from tests.safety.witnesses.looking import Harmless
from tests.safety.witnesses.orders import Gentle, Once, Planned
from tests.safety.witnesses.pacing import Pace, Paced
from tests.safety.witnesses.stepping import Stepping


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is allowed."""

    most: int = 1_000_000
    """How many may be at work at once, we and others together."""
    cordons: Pace | None = None
    disruptions: Pace | None = None
    labels: frozenset[str] = frozenset()
    """Labels of others that the policy lets us set on Nodes."""
    observing: bool = False
    control_plane: bool = False
    """Whether the policy has control-plane nodes repaired."""
    per_gang: int = 1
    """How many nodes of a gang may be disrupted at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Court:
    """Hears the API server and writes down every broken promise, knowing nothing of the remediator.

    Fields:
        history: What happened.
        begun: Who watches what begins.
        orders: Who keeps the book of orders to the owner of machines.
        harmless: Who watches while the mode is to observe.
    """

    cluster: Cluster
    history: History
    begun: Beginnings
    orders: Once
    harmless: Harmless
    terms: Terms = field(default_factory=Terms)

    @classmethod
    def opened(cls, cluster: Cluster, terms: Terms) -> Self:
        """Begin to listen."""
        history = History(user=REMEDIATOR.name)
        begun = Beginnings(history, ailments=cluster.ailments, most=terms.most)
        together = Together(history, observer=cluster.observer, most=terms.per_gang)
        together.attach(cluster.api)
        orders, harmless = Once(history), Harmless(history, observing=terms.observing)
        history.witnesses += [
            Held(history),
            Kept(history, observer=cluster.observer),
            begun,
            Stepping(history),
            together,
            Paced(history, cordons=terms.cordons, disruptions=terms.disruptions),
            Spared(history, included=terms.control_plane),
            Untouched(history, labels=terms.labels),
            Planned(history),
            Gentle(history),
            orders,
            harmless,
        ]
        history.attach(cluster.api)
        return cls(
            cluster=cluster,
            history=history,
            begun=begun,
            orders=orders,
            harmless=harmless,
            terms=terms,
        )

    def breaches(self) -> tuple[Breach, ...]:
        """Return what was broken, by the observer's account too."""
        observed = (
            Breach(promise=each.broken.name, at=each.at, says=f"{each.nodes} {each.message}")
            for each in self.cluster.observer.violations
        )
        return (*self.history.breaches, *observed)
