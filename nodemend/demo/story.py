"""The demo told line by line: what happens to which node, and why."""

from collections import deque
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.text import Text

from nodehealth.kit.clocks import Clock
from nodehealth.repair import NodeRepair, Phase
from nodemend.looking.repairs import STYLES

_KEPT: Final = 100


class Story:
    """Tells one line for each thing that a person watching should know.

    Args:
        console: Where the lines go at once; nowhere while a screen shows the last of them.
        started: When the story began.
        clock: The present time.
    """

    def __init__(self, console: Console | None, *, started: datetime, clock: Clock) -> None:
        self.lines: deque[Text] = deque(maxlen=_KEPT)
        """What was told last."""
        self._console, self._started, self._clock = console, started, clock
        self._told: dict[str, tuple[Phase, str, str]] = {}

    def say(self, text: str, *, who: str = "", style: str = "") -> None:
        """Tell something."""
        seconds = (self._clock() - self._started).total_seconds()
        line = Text.assemble((f"{seconds:6.1f}s  ", "dim"), (f"{who:<14}", "bold"), (text, style))
        self.lines.append(line)
        if self._console is not None:
            self._console.print(line)

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
        style = STYLES.get(status.phase, "")
        self.say(f"{status.phase}{reason}: {status.message}", who=name, style=style)
