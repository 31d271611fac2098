"""Which services of a machine may be restarted to mend it: a closed set, whoever asks."""

from enum import StrEnum


class Service(StrEnum):
    """A service by the name that a rule gives it; nothing else of a machine is ever restarted.

    None of them takes running containers with it: a container runtime leaves them to their shims.
    Docker does not, unless it is told to, and so is not here. Names of one service that
    distributions call differently all are.
    """

    KUBELET = "kubelet"
    CONTAINERD = "containerd"
    CRIO = "crio"
    CHRONY = "chrony"
    CHRONYD = "chronyd"
    DCGM = "nvidia-dcgm"
    FABRIC_MANAGER = "nvidia-fabricmanager"
    IMEX = "nvidia-imex"
    PERSISTENCED = "nvidia-persistenced"
    RESOLVED = "systemd-resolved"
    TIMESYNCD = "systemd-timesyncd"

    @property
    def unit(self) -> str:
        """Return what systemd calls it."""
        return f"{self.value}.service"
