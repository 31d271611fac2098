"""The machine goes down to boot anew, and does not come up."""

from dataclasses import dataclass

from simulator.fault import Fault, Survives, Symptoms


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverBoots(Fault):
    """Once down, the machine stays down until it is replaced."""

    survives: Survives = Survives.REBOOT

    def symptoms(self) -> Symptoms:
        """Show nothing until it is too late."""
        return Symptoms(never_boots=True)
