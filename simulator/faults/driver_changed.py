"""Another version of the GPU driver is loaded: nothing is sick by that alone."""

from dataclasses import dataclass

from simulator.fault import Fault, Survives, Symptoms


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverChanged(Fault):
    """The agent of a node with GPUs reports another version of the driver."""

    survives: Survives = Survives.REPLACEMENT
    version: str = "580.65.06"

    def symptoms(self) -> Symptoms:
        """Show the version."""
        return Symptoms(driver=self.version)
