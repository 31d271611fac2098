"""The demo told line by line: what happens to which node, and why."""

from datetime import datetime
from typing import Final

from rich.console import Console
from rich.text import Text

from nodehealth.kit.clocks import Clock
from nodehealth.repair import NodeRepair, Phase

_STYLES: Final = {
    Phase.CONFIRMED: "bold red",
    Phase.CORDONED: "yellow",
    Phase.WAITING: "magenta",
    Phase.DRAINING: "yellow",
    Phase.REPAIRING: "yellow",
    Phase.VERIFYING: "cyan",
    Phase.RECOVERED: "bold green",
    Phase.NEEDS_HUMAN: "bold red",
}


class Story:
    """Writes one line for each thing that a person watching should know.

    Args:
        console: Where the lines go.
        started: When the story began.
        clock: The present time.
    """

    def __init__(self, console: Console, *, started: datetime, clock: Clock) -> None:
        self._console, self._started, self._clock = console, started, clock
        self._told: dict[str, tuple[Phase, str, str]] = {}

    def say(self, text: str, *, who: str = "", style: str = "") -> None:
        """Tell something."""
        seconds = (self._clock() - self._started).total_seconds()
        line = Text.assemble((f"{seconds:6.1f}s  ", "dim"), (f"{who:<14}", "bold"), (text, style))
        self._console.print(line, soft_wrap=True)

    def saw(self, repair: NodeRepair) -> None:
        """Tell what is new about a repair."""
        status, name = repair.status, repair.spec.target.node
        known = self._told.get(repair.metadata.name)
        if known is None:
            self.say(f"{repair.spec.rule} holds: {'; '.join(repair.spec.evidence)}", who=name)
        now = (status.phase, status.reason, status.message)
        self._told[repair.metadata.name] = now
        if now == known or not status.timeline:
            return
        reason = f" ({status.reason})" if status.reason else ""
        style = _STYLES.get(status.phase, "")
        self.say(f"{status.phase}{reason}: {status.message}", who=name, style=style)
