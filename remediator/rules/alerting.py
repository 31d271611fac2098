"""Who hears of what: the receivers, the routes to them, and how loudly it is said."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final


class Urgency(StrEnum):
    """What an alert asks of people; its label `severity`."""

    INFO = "info"
    """Nothing: nodemend deals with it, or only watches."""
    WARNING = "warning"
    """A look in working hours: something takes longer than it should."""
    PAGE = "page"
    """A person is needed, now."""


_LOUDNESS: Final = (Urgency.INFO, Urgency.WARNING, Urgency.PAGE)


def loudness(urgency: Urgency) -> int:
    """Rank an urgency by how much it asks of people."""
    return _LOUDNESS.index(urgency)


def is_louder(urgency: Urgency, than: Urgency) -> bool:
    """Say whether one urgency asks more of people than another."""
    return loudness(urgency) > loudness(than)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """One address of people: a way of telling, and its settings."""

    name: str
    sink: str
    settings: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which alerts go to which receivers; what is empty fits every alert."""

    receivers: tuple[str, ...]
    matches: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By label, the values that fit."""

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Say whether an alert with these labels goes this way."""
        return all(labels.get(name) in values for name, values in self.matches.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """How people are told."""

    cluster: str = ""
    """The label `cluster` of every alert; without one there is no such label."""
    team: str = ""
    """The label of a Node that names whose it is."""
    runbooks: str = ""
    """What the path of a rule's runbook is put behind, to make it a link."""
    observed: Urgency = Urgency.INFO
    """How loud a fault is that is only watched."""
    waiting: timedelta = timedelta(minutes=30)
    """How long a repair may wait before it is worth a look."""
    receivers: tuple[Receiver, ...] = ()
    routes: tuple[Route, ...] = ()

    def receivers_of(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Name the receivers of an alert, each once; without routes all hear everything."""
        if not self.routes:
            return tuple(each.name for each in self.receivers)
        named = (name for route in self.routes if route.fits(labels) for name in route.receivers)
        return tuple(dict.fromkeys(named))
