"""Looks of a probe at a machine, one after the other, as an agent takes them and remembers them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from agent import state
from agent.host.linux import Host
from agent.probe import Probe
from agent.readings import Aside, Gap, Memo
from agent.state import State
from nodehealth.health import Level, NodeHealthStatus
from nodehealth.signals import Knowledge

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Watch:
    """A probe that is asked again and again, and what is known by then.

    Args:
        probe: Who asks.
        host: Who is asked.
    """

    def __init__(self, probe: Probe, host: Host) -> None:
        self.probe, self.host = probe, host
        self.known: State = state.begin(None, boot_id="b", node_uid="u", probes=["probe"], now=NOON)
        self.asides: list[Aside] = []
        self._looks = 0

    async def look(self) -> Mapping[tuple[str, str], float | str | None]:
        """Ask, and return each level: its value, or that it is unknown or does not apply."""
        answers = await self.probe.check(self.host, state.past(self.known, "probe"))
        self.asides = [each for each in answers if isinstance(each, Memo | Gap)]
        self._looks += 1
        now = NOON + self._looks * self.probe.interval
        self.known = state.answered(self.known, "probe", answers, now)
        return {(each.name, each.subject): _spoken(each) for each in self.levels.values()}

    def restart(self, host: Host) -> None:
        """Begin with what was kept, and a door of its own, as another agent does."""
        now = NOON + (self._looks + 1) * timedelta(seconds=30)
        self.known = state.begin(self.known, boot_id="b", node_uid="u", probes=["probe"], now=now)
        self.host = host

    @property
    def levels(self) -> Mapping[tuple[str, str], Level]:
        """Return all levels as they stand."""
        return {(each.name, each.subject): each for each in self.report.levels}

    @property
    def events(self) -> Mapping[tuple[str, str], int]:
        """Return how often each thing happened."""
        return {(each.name, each.subject): each.count for each in self.report.events}

    @property
    def report(self) -> NodeHealthStatus:
        """Return what would be written."""
        return state.status(self.known, agent_version="0")


def _spoken(level: Level) -> float | str | None:
    return level.value if level.knowledge is Knowledge.KNOWN else str(level.knowledge)
