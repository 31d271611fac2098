"""Who holds a node by what lies beside it, and until when."""

import json
from datetime import datetime

import pytest

from nodehealth.kube.objects import Lease, LeaseSpec, Metadata
from remediator.decide import locks
from tests.builders import NOON, at


def lease(
    holder: str = "node-maintenance",
    *,
    name: str = "node-n1",
    renewed: datetime | None = NOON,
    acquired: datetime | None = None,
    lasts: int = 60,
) -> Lease:
    spec = LeaseSpec(
        holder_identity=holder,
        lease_duration_seconds=lasts,
        renew_time=renewed,
        acquire_time=acquired,
    )
    return Lease(metadata=Metadata(name=name, namespace="medik8s-leases"), spec=spec)


SKIP = "cluster.x-k8s.io/skip-remediation"
WHO = "node-maintenance (lease medik8s-leases/node-n1)"


@pytest.mark.parametrize(
    ("seen", "who"),
    [
        (lease(), WHO),
        (lease(renewed=at(-59)), WHO),
        (lease(renewed=at(-60)), ""),
        (lease(renewed=None, acquired=at(-59)), WHO),
        (lease(renewed=None), WHO),
        (lease(""), ""),
        (lease(locks.HOLDER), ""),
    ],
)
def test_a_lease_holds_for_others_until_it_ran_out(seen: Lease, who: str) -> None:
    assert locks.holder(seen, NOON) == who


def test_only_leases_of_nodes_count() -> None:
    leases = [lease(), lease(name="machine-n2"), lease("", name="node-n3")]

    assert locks.leased(leases, NOON) == {"n1": WHO}


@pytest.mark.parametrize(
    ("seen", "fresh"),
    [
        (lease(locks.HOLDER, renewed=at(-60)), True),
        (lease(locks.HOLDER, renewed=at(-1800)), False),
        (lease(locks.HOLDER, renewed=None), False),
        (lease(), False),
    ],
)
def test_a_lease_of_ours_is_renewed_now_and_then(seen: Lease, *, fresh: bool) -> None:
    assert locks.is_fresh(seen, NOON) == fresh


def entry(node: str, **more: object) -> dict[str, object]:
    return {"nodeID": node, "created": "2026-01-01T11:59:00.123456789Z", **more}


@pytest.mark.parametrize(
    ("lock", "nodes"),
    [
        (json.dumps(entry("n1")), {"n1"}),
        (json.dumps({"maxOwners": 2, "locks": [entry("n1"), entry("n2"), "x"]}), {"n1", "n2"}),
        (json.dumps(entry("n1", TTL=30_000_000_000)), set()),
        (json.dumps(entry("n1", TTL=90_000_000_000)), {"n1"}),
        (json.dumps(entry("n1", TTL=30_000_000_000, created="soon")), {"n1"}),
        (json.dumps({"nodeID": ""}), set()),
        ("null", set()),
        ("{", set()),
        ("[]", set()),
    ],
)
def test_kureds_lock_names_nodes_until_it_runs_out(lock: str, nodes: set[str]) -> None:
    assert locks.kured({locks.KURED_LOCK: lock}, NOON).keys() == nodes


def test_a_daemon_set_without_a_lock_names_nobody() -> None:
    assert locks.kured({}, NOON) == {}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Metadata(namespace="c", name="m", deletion_timestamp=NOON), "Cluster API, which deletes"),
        (
            Metadata(namespace="c", name="m", annotations={"cluster.x-k8s.io/paused": ""}),
            "whoever put cluster.x-k8s.io/paused on Machine c/m",
        ),
        (
            Metadata(
                namespace="c", name="m", annotations={"cluster.x-k8s.io/skip-remediation": ""}
            ),
            "whoever put cluster.x-k8s.io/skip-remediation on Machine c/m",
        ),
    ],
)
def test_a_machine_that_is_deleted_or_paused_keeps_us_off(found: Metadata, said: str) -> None:
    assert locks.machine(found).startswith(said)


def test_a_machine_without_a_mark_keeps_nobody_off() -> None:
    assert locks.machine(Metadata(namespace="c", name="m")) == ""
