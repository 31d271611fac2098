"""The machine is said to have booted anew, and its boot is the old one."""

from dataclasses import dataclass

from simulator.fault import Fault, Survives, Symptoms


@dataclass(frozen=True, slots=True, kw_only=True)
class SameBoot(Fault):
    """Whatever is done to its power, the machine comes back in the boot that it was in."""

    survives: Survives = Survives.REBOOT

    def symptoms(self) -> Symptoms:
        """Show nothing until it is told to boot anew."""
        return Symptoms(same_boot=True)
