"""Programs that are sent to the node come to nothing."""

from dataclasses import dataclass

from simulator.fault import Fault, Survives, Symptoms, Trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrandTrouble(Fault):
    """One program, or every one, refuses, fails, hangs, or is never started."""

    survives: Survives = Survives.REBOOT
    program: str = ""
    """Such as `reboot`; empty for all of them."""
    does: Trouble = Trouble.FAIL

    def symptoms(self) -> Symptoms:
        """Show nothing until somebody is sent."""
        return Symptoms(troubles=((self.program, self.does),))
