"""Whether processes pile up that cannot end, and whether services start again and again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agent.host.linux import Host
from agent.host.processes import Running, Sleeper
from agent.probe import Past, Probe
from agent.readings import Answer, Aside, Memo, Occurrence, Reading

STUCK: Final = "processes.stuck"
ZOMBIES: Final = "processes.zombies"
RESTARTS: Final = "runtime.restarts"

SERVICES: Final = ("containerd", "crio", "dockerd", "k3s-agent", "k3s-server", "kubelet", "rke2")
_MOST_NAMED: Final = 3
_STARTED: Final = "started"
_LONGEST_NAME: Final = 15
"""So much of it the kernel keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes(Probe):
    """Looks at all processes of the node."""

    interval: timedelta = timedelta(minutes=1)
    """How often."""
    looks: int = 5
    """In how many looks in a row a process must sleep before it counts as stuck."""
    patience: timedelta = timedelta(minutes=4)
    """How long it must have slept at least."""
    services: tuple[str, ...] = SERVICES
    """Children of process 1 whose restarts are told, by the names of their processes."""

    async def check(self, host: Host, past: Past) -> Sequence[Answer | Aside]:
        """Say how many are stuck, how many have ended unheard, and which service is a new one."""
        running = await host.processes()
        return [
            self._stuck(running),
            Reading(name=ZOMBIES, value=float(running.zombies)),
            *self._services(host, running, past),
        ]

    def _stuck(self, running: Running) -> Reading:
        stuck = [each for each in running.sleepers if self._is_stuck(each)]
        names = sorted({each.name for each in stuck})[:_MOST_NAMED]
        fields = {"names": ", ".join(names)} if names else {}
        return Reading(name=STUCK, value=float(len(stuck)), fields=fields)

    def _is_stuck(self, sleeper: Sleeper) -> bool:
        has_slept = sleeper.seconds >= self.patience.total_seconds()
        return has_slept and sleeper.looks >= self.looks and not sleeper.is_kernel

    def _services(self, host: Host, running: Running, past: Past) -> Iterator[Occurrence | Memo]:
        """Compare when each service began; of one that is away, remember when it did."""
        for name in self.services:
            before = past.get(("", name))
            was = int(before.fields[_STARTED]) if before is not None else None
            began = running.services.get(name[:_LONGEST_NAME], was)
            if began is not None:
                yield Memo(subject=name, fields={_STARTED: began})
            if was is not None and began != was:
                yield Occurrence(name=RESTARTS, subject=name, at=host.now())
