"""How long things take in the simulated world; the defaults are those of a real cluster."""

from dataclasses import dataclass
from datetime import timedelta

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Spans of time that a scenario may set; machines are quicker here than clouds are."""

    lease: timedelta = 10 * _SECOND
    """How often a kubelet renews its Lease."""
    node_status: timedelta = 5 * _MINUTE
    """How often a kubelet writes its Node's status although nothing is new."""
    monitor: timedelta = 5 * _SECOND
    """How often the node lifecycle controller looks for stale Leases."""
    monitor_grace: timedelta = 50 * _SECOND
    """How old a Lease may become before its Node counts as unreachable."""
    orphans: timedelta = timedelta(0)
    """How long pods outlive their Node. A real pod collector takes 40 s; machines here come back
    under their old name, and sooner."""
    out_of_service: timedelta = 20 * _SECOND
    """How often the pod collector looks for pods to let go of on Nodes that are out of service."""
    pod_start: timedelta = 2 * _SECOND
    """From a pod's binding to its being ready."""
    recreate: timedelta = _SECOND / 5
    """From a pod's going to its owner's making another."""
    schedule: timedelta = _SECOND / 10
    """How long the scheduler gathers pods before it places them."""
    terminate: timedelta = 5 * _SECOND
    """From a machine's deletion to its being gone."""
    provision: timedelta = 30 * _SECOND
    """From a machine's being ordered to its kubelet's start."""
    errand: timedelta = 2 * _SECOND
    """From the start of a program that was sent to a node to what it does there."""
    reboot: timedelta = 90 * _SECOND
    """From a reboot's start to the kubelet's start."""
    power: timedelta = 5 * _SECOND
    """From a machine's being told to switch off, or on, to its doing so."""
    join: timedelta = 3 * _SECOND
    """From a kubelet's start to its Node's being ready."""
    probe: timedelta = _SECOND
    """From a fault to the agent's seeing it."""
    refresh: timedelta = 5 * _MINUTE
    """How often an agent writes although nothing is new."""
