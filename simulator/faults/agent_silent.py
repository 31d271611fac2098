"""The agent hangs: its pod looks fine, and no report is written."""

from dataclasses import dataclass

from simulator.fault import Fault, Symptoms


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSilent(Fault):
    """The agent says nothing until the machine boots again."""

    def symptoms(self) -> Symptoms:
        """Show silence."""
        return Symptoms(agent_silent=True)
