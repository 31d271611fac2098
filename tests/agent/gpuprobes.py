"""Every probe of GPUs at once, looking at one machine again and again."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from agent import settings, state
from agent.host.linux import Host
from agent.host.nvml.facts import Gpus
from agent.state import State
from nodehealth.catalogue import CATALOGUE
from nodehealth.health import Level, NodeHealthStatus
from nodehealth.signals import Knowledge
from tests.agent.gpus import NOON
from tests.agent.trees import Tree

PROBES: Final = {
    name: probe for name, probe in settings.load({}).probes.items() if name.startswith("gpu")
}
_HELD_AGAINST: Final = "expected"


class Sweeps:
    """An agent that has no other probes."""

    def __init__(self, root: Path, gpus: Gpus) -> None:
        self.gpus, self._tree, self._up = gpus, Tree(root=root), 100.0
        self._host = Host(root=root, uptime=root / "proc/uptime", gpus=lambda: self.gpus)
        self.known: State = state.begin(None, boot_id="b1", node_uid="u", probes=PROBES, now=NOON)

    async def sweep(self, gpus: Gpus | None = None) -> NodeHealthStatus:
        """Ask all of them, a minute after the last time, each in a second of its own."""
        self.gpus, self._up = gpus or self.gpus, self._up + 60
        self._tree.up(self._up)
        for second, (name, probe) in enumerate(PROBES.items()):
            answers = await probe.check(self._host, state.past(self.known, name))
            now = self._now() + timedelta(seconds=second)
            self.known = state.answered(self.known, name, answers, now)
        return state.status(self.known, agent_version="1")

    def _now(self) -> datetime:
        return NOON + timedelta(seconds=self._up)


def amiss(status: NodeHealthStatus) -> Iterator[Level]:
    """Give the levels that are unknown, or not as they are on a machine on which all is well."""
    for level in status.levels:
        if level.knowledge is Knowledge.UNKNOWN:
            yield level
        if level.knowledge is Knowledge.KNOWN:
            well = level.fields.get(_HELD_AGAINST, CATALOGUE[level.name].healthy)
            if level.value != well:
                yield level
