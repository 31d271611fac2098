"""A GPU asks to be reset."""

from dataclasses import dataclass

from simulator.fault import Fault, Reading, Symptoms


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuStuck(Fault):
    """NVIDIA's driver recommends a reset of one GPU; a boot of the machine does as well."""

    mended_by: tuple[str, ...] = ("reset-gpu",)
    gpu: int = 0

    def symptoms(self) -> Symptoms:
        """Show what the driver recommends."""
        reading = Reading(name="gpu.recovery_action", subject=f"GPU-{self.gpu}", value=1)
        return Symptoms(readings=(reading,))
