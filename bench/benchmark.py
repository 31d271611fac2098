"""What a benchmark is: one class in a module of its own, whose fields are its settings."""

import abc
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.figures import Figures
from nodehealth.kit import discovery

BENCHMARKS: Final = "bench.benchmarks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How large the cluster is that is measured."""

    nodes: int = 5000
    pods: int = 20000


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a benchmark takes place."""

    scale: Scale
    folder: Path
    """Where its files may lie while it lasts."""
    core: int | None = None
    """The core that the measured server has for itself; None where there is only one."""

    def tell(self, text: str) -> None:
        """Say how far it is, to whoever waits."""
        sys.stderr.write(f"bench: {text}\n")
        sys.stderr.flush()


class Benchmark(abc.ABC):
    """Measures one part, and in the same run something to compare it with."""

    @abc.abstractmethod
    async def measure(self, site: Site) -> Figures:
        """Return what was measured; names end in the unit."""


def named(name: str) -> Benchmark:
    """Return a benchmark with its usual settings.

    Raises:
        nodehealth.kit.settings.SettingsError: there is none of that name.
    """
    return discovery.make(Benchmark, BENCHMARKS, name, None)


def names() -> tuple[str, ...]:
    """Name all benchmarks."""
    return discovery.names(BENCHMARKS)
