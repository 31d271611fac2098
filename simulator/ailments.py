"""Which machine suffers from what, since when, and what frees it of that."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from simulator.fault import Fault, Survives, Symptoms, merged


@dataclass(frozen=True, slots=True, kw_only=True)
class Ailment:
    """A fault that a machine has."""

    number: int
    name: str
    fault: Fault
    since: datetime


News: TypeAlias = Callable[[str], None]


class Ailments:
    """The faults of all machines, by node."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[Ailment, ...]] = {}
        self._news: list[News] = []
        self._last = 0

    def on_change(self, news: News) -> None:
        """Tell of every node whose symptoms may have changed, at once."""
        self._news.append(news)

    def of(self, node: str) -> tuple[Ailment, ...]:
        """Return what a node suffers from, oldest first."""
        return self._held.get(node, ())

    def symptoms(self, node: str) -> Symptoms:
        """Return what a node shows."""
        return merged(ailment.fault.symptoms() for ailment in self.of(node))

    def begin(self, node: str, name: str, fault: Fault, now: datetime) -> Ailment:
        """Make a node sick."""
        self._last += 1
        ailment = Ailment(number=self._last, name=name, fault=fault, since=now)
        self._keep(node, (*self.of(node), ailment))
        return ailment

    def end(self, node: str, number: int) -> None:
        """Let one ailment pass."""
        self._keep(node, tuple(each for each in self.of(node) if each.number != number))

    def clear(self, node: str) -> None:
        """Make a node healthy."""
        self._keep(node, ())

    def rebooted(self, node: str) -> None:
        """Free a node of what a boot mends."""
        self._filter(node, frozenset({Survives.REBOOT, Survives.REPLACEMENT}))

    def replaced(self, node: str) -> None:
        """Free a node of what lay in the old machine."""
        self._filter(node, frozenset({Survives.REPLACEMENT}))

    def _filter(self, node: str, lasting: frozenset[Survives]) -> None:
        self._keep(node, tuple(each for each in self.of(node) if each.fault.survives in lasting))

    def _keep(self, node: str, ailments: tuple[Ailment, ...]) -> None:
        if ailments == self.of(node):
            return
        if ailments:
            self._held[node] = ailments
        else:
            del self._held[node]
        for news in self._news:
            news(node)
