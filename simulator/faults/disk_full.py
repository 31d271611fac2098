"""A filesystem has no space left."""

from dataclasses import dataclass

from simulator.fault import Fault, Reading, Survives, Symptoms


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFull(Fault):
    """A mount is full, or nearly so; a reboot deletes nothing."""

    survives: Survives = Survives.REBOOT
    mount: str = "/"
    free: float = 0.0
    """The share of the space that is left."""

    def symptoms(self) -> Symptoms:
        """Show how little is free."""
        reading = Reading(name="disk.free_ratio", subject=self.mount, value=self.free)
        return Symptoms(readings=(reading,))
