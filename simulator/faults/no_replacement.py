"""The machine's owner has no successor for it, as when a cloud is out of capacity."""

from dataclasses import dataclass

from simulator.fault import Fault, Survives, Symptoms


@dataclass(frozen=True, slots=True, kw_only=True)
class NoReplacement(Fault):
    """Once deleted, the machine stays gone."""

    survives: Survives = Survives.REPLACEMENT

    def symptoms(self) -> Symptoms:
        """Show nothing until it is too late."""
        return Symptoms(never_replaced=True)
