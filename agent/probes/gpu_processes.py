"""Whether processes that use GPUs hang in the driver, and whether the fabric manager runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agent import cards
from agent.host.linux import Host
from agent.host.nvml.answers import ABSENT
from agent.host.nvml.facts import Driver, Gpus
from agent.host.processes import Running, Sleeper
from agent.probe import Past, Probe
from agent.readings import Answer, Reading

STUCK: Final = "gpu.stuck_processes"
FABRIC_MANAGER: Final = "gpu.fabric_manager_down"

_MANAGER: Final = "nv-fabricmanager"[:15]
_MOST_NAMED: Final = 16
_ROLLED_OUT: Final = frozenset({Driver.ABSENT, Driver.STARTING, Driver.BARRED})
"""The driver may be about to be exchanged; who may not ask it, stands in for who can meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GPUProcesses(Probe):
    """Looks at the machine's processes, where there are GPUs."""

    interval: timedelta = timedelta(minutes=1)
    """How often."""
    looks: int = 5
    """In how many looks in a row a process must sleep before it counts as stuck."""
    patience: timedelta = timedelta(minutes=4)
    """How long it must have slept at least."""

    async def check(self, host: Host, past: Past) -> Sequence[Answer]:
        """Say how many processes of GPUs are stuck, and whether the fabric manager is gone."""
        gpus = host.gpus()
        if not (gpus.bus.gpus or gpus.bus.switches or gpus.cards or past):
            return []
        running = await host.processes()
        return [self._stuck(running), *_manager(gpus, running, past)]

    def _stuck(self, running: Running) -> Reading:
        stuck = [each for each in running.sleepers if _uses_a_gpu(each) and self._is_stuck(each)]
        pids = sorted(each.pid for each in stuck)[:_MOST_NAMED]
        fields = {"pids": ",".join(map(str, pids))} if pids else None
        return cards.said(STUCK, "", float(len(stuck)), fields)

    def _is_stuck(self, sleeper: Sleeper) -> bool:
        has_slept = sleeper.seconds >= self.patience.total_seconds()
        return has_slept and sleeper.looks >= self.looks


def _uses_a_gpu(sleeper: Sleeper) -> bool:
    opened = any(each.startswith("/dev/nvidia") for each in sleeper.files)
    return opened or sleeper.name.startswith("nvidia")


def _manager(gpus: Gpus, running: Running, past: Past) -> Iterator[Reading]:
    """Say whether the fabric manager is gone; it comes and goes with the driver."""
    was_there = cards.was_known(past.get((FABRIC_MANAGER, "")))
    if not gpus.bus.switches and not was_there:
        return
    if _MANAGER in running.names and gpus.bus.switches:
        yield cards.said(FABRIC_MANAGER, "", 0.0)
    elif was_there and gpus.bus.switches and gpus.driver not in _ROLLED_OUT:
        yield cards.said(FABRIC_MANAGER, "", 1.0)
    else:
        yield cards.said(FABRIC_MANAGER, "", ABSENT)
