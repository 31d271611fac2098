"""The machine is off, and comes back only if somebody makes it."""

from dataclasses import dataclass

from simulator.fault import Fault, Symptoms


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerLoss(Fault):
    """Neither the kubelet nor the agent lives until the machine boots again."""

    def symptoms(self) -> Symptoms:
        """Show nothing at all."""
        return Symptoms(kubelet_dead=True, agent_silent=True, powerless=True)
