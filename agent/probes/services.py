"""Whether services that pods depend on have failed or start over and over, as systemd says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from agent.host import systemd
from agent.host.linux import Host
from agent.host.systemd import SystemdError, Unit
from agent.probe import Past, Probe
from agent.readings import Counter, Reading
from nodehealth.signals import Knowledge

FAILED: Final = "service.failed"
RESTARTS: Final = "service.restarts"
_FAILED: Final = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Services(Probe):
    """Asks systemd after some services; those that the machine has not are passed over."""

    interval: timedelta = timedelta(minutes=1)
    units: tuple[str, ...] = (
        *("kubelet", "containerd", "crio", "docker", "k3s", "k3s-agent", "rke2-agent"),
        *("rke2-server", "nvidia-persistenced", "nvidia-fabricmanager"),
        *("chrony", "chronyd", "ntpd", "systemd-timesyncd", "ssh", "sshd"),
    )
    """By their names, with or without `.service`."""
    patience: timedelta = timedelta(seconds=5)
    """How long systemd may take."""

    async def check(self, host: Host, past: Past) -> Sequence[Reading | Counter]:
        """Say of each service that is there whether it failed, and how often it was restarted."""
        names = [each if "." in each else f"{each}.service" for each in self.units]
        try:
            found = await host.over(
                systemd.SOCKET,
                lambda socket: systemd.units(socket, names),
                patience=self.patience,
            )
        except FileNotFoundError:
            return [Reading(name=FAILED, knowledge=Knowledge.NOT_APPLICABLE)]
        except (OSError, SystemdError) as failure:
            return _unknown(failure, past)
        uptime = await host.uptime()
        restarts = [
            Counter(name=RESTARTS, subject=each.name, total=each.restarts, uptime=uptime)
            for each in found
        ]
        return [*map(_failed, found), *restarts]


def _failed(unit: Unit) -> Reading:
    is_failed = unit.active == _FAILED
    fields = {"result": unit.result if is_failed else ""}
    return Reading(name=FAILED, subject=unit.name, value=float(is_failed), fields=fields)


def _unknown(failure: OSError | SystemdError, past: Past) -> Sequence[Reading]:
    why = "systemd does not answer in time" if isinstance(failure, TimeoutError) else ""
    if not why:
        why = failure.strerror if isinstance(failure, OSError) and failure.strerror else ""
    known = [subject for name, subject in past if name == FAILED and subject] or [""]
    return [
        Reading(name=FAILED, subject=each, knowledge=Knowledge.UNKNOWN, why=why or str(failure))
        for each in known
    ]
