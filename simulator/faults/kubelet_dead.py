"""The kubelet stops: no Lease is renewed, no pod is started or ended; what runs, runs on."""

from dataclasses import dataclass

from simulator.fault import Fault, Symptoms


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletDead(Fault):
    """The kubelet is dead until the machine boots again."""

    def symptoms(self) -> Symptoms:
        """Show a dead kubelet and a living agent."""
        return Symptoms(kubelet_dead=True)
