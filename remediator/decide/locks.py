"""Who holds a node by what lies beside its Node: leases, maintenance objects, locks, Machines."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from nodehealth.kube.objects import Lease, Metadata

LEASE_PREFIX: Final = "node-"
"""What medik8s calls the lease of a node, before its name."""
HOLDER: Final = "nodemend"
"""Who we are in such a lease, whichever replica."""
TERM: Final = timedelta(hours=1)
"""How long a lease of ours holds without being renewed."""
_RENEW_AFTER: Final = TERM / 4

KURED_LOCK: Final = "weave.works/kured-node-lock"
"""On kured's DaemonSet, who may reboot."""
MACHINE_ANNOTATION: Final = "cluster.x-k8s.io/machine"
MACHINE_NAMESPACE_ANNOTATION: Final = "cluster.x-k8s.io/cluster-namespace"
"""On a Node, which Machine of Cluster API it is."""
_LEFT_ALONE: Final = ("cluster.x-k8s.io/paused", "cluster.x-k8s.io/skip-remediation")


def holder(lease: Lease, now: datetime) -> str:
    """Name who else holds a lease now; nobody once it ran out."""
    spec = lease.spec
    if spec.holder_identity in {"", HOLDER}:
        return ""
    renewed = spec.renew_time or spec.acquire_time
    term = timedelta(seconds=spec.lease_duration_seconds)
    if renewed is not None and renewed + term <= now:
        return ""
    return f"{spec.holder_identity} (lease {lease.metadata.namespace}/{lease.metadata.name})"


def is_fresh(lease: Lease, now: datetime) -> bool:
    """Say whether a lease is ours and need not be renewed yet."""
    spec = lease.spec
    is_ours = spec.holder_identity == HOLDER and spec.renew_time is not None
    return is_ours and spec.renew_time is not None and now < spec.renew_time + _RENEW_AFTER


def leased(leases: Iterable[Lease], now: datetime) -> Mapping[str, str]:
    """Say by node who else holds its lease."""
    return {
        lease.metadata.name.removeprefix(LEASE_PREFIX): who
        for lease in leases
        if lease.metadata.name.startswith(LEASE_PREFIX) and (who := holder(lease, now))
    }


def kured(annotations: Mapping[str, str], now: datetime) -> Mapping[str, str]:
    """Say by node that kured's lock names it; one that nobody can read names nobody."""
    try:
        lock = json.loads(annotations.get(KURED_LOCK, "null"))
    except ValueError:
        return {}
    if not isinstance(lock, Mapping):
        return {}
    several = lock.get("locks")
    entries = several if isinstance(several, list) else [lock]
    return {
        str(each["nodeID"]): "kured, whose lock names it,"
        for each in entries
        if isinstance(each, Mapping) and each.get("nodeID") and not _has_run_out(each, now)
    }


def machine(found: Metadata) -> str:
    """Say what keeps us from a node by its Machine; nothing when nothing does."""
    marks = [each for each in _LEFT_ALONE if each in found.annotations]
    asked = f"whoever put {marks[0]} on {_named(found)}" if marks else ""
    return leaving(found) or asked


def leaving(found: Metadata) -> str:
    """Say who takes a Machine away; nothing when nobody does."""
    gone = found.deletion_timestamp is not None
    return f"Cluster API, which deletes {_named(found)}," if gone else ""


def _named(found: Metadata) -> str:
    return f"Machine {found.namespace}/{found.name}"


def _has_run_out(entry: Mapping[str, object], now: datetime) -> bool:
    """Say whether a lock of kured has a time to live that is over; it writes nanoseconds."""
    ttl, created = entry.get("TTL"), entry.get("created")
    if not isinstance(ttl, int) or ttl <= 0 or not isinstance(created, str):
        return False
    try:
        began = datetime.fromisoformat(created[:19] + "+00:00")
    except ValueError:
        return False
    return began + timedelta(microseconds=ttl / 1000) <= now
