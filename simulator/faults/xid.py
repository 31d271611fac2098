"""The NVIDIA driver reports an error of a GPU."""

from dataclasses import dataclass

from simulator.fault import Fault, Occurrence, Symptoms


@dataclass(frozen=True, slots=True, kw_only=True)
class Xid(Fault):
    """One GPU raises an XID, once or several times."""

    code: int = 79
    gpu: int = 0
    times: int = 1

    def symptoms(self) -> Symptoms:
        """Show the events."""
        happened = Occurrence(
            name="gpu.xid",
            subject=f"GPU-{self.gpu}",
            fields={"code": self.code, "pci": f"0000:{0x10 + self.gpu:02x}:00.0"},
            count=self.times,
        )
        return Symptoms(occurrences=(happened,))
