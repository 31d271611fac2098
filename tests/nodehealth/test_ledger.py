"""The ledger stays a small object, whatever is admitted."""

import msgspec

from nodehealth import keys
from nodehealth.kube.objects import Metadata
from nodehealth.ledger import Bucket, RepairLedger, RepairLedgerStatus, Slot
from tests.builders import NOON

UID = "2d1e4b9a-9a0c-4c7e-8a53-3a8f9f6a7b10"
MOST = 150_000


def node(number: int) -> str:
    """Name a node as clouds do."""
    return f"ip-10-112-{number // 250}-{number % 250}.eu-central-1.compute.internal"


def test_two_hundred_slots_and_a_thousand_cordons_fit_with_room_to_spare() -> None:
    slots = {
        node(n): Slot(
            epoch=10_000 + n,
            node_uid=UID,
            repair=f"{node(n)}-{UID[:8]}-1",
            acquired_at=NOON,
            pool="h100-sxm-reserved",
        )
        for n in range(200)
    }
    buckets = {
        f"pool-{n}/{kind}": Bucket(tokens=1 / 3, at=NOON)
        for n in range(100)
        for kind in ("cordons", "out-cordons", "disruptions")
    }
    status = RepairLedgerStatus(
        epoch=12_000,
        cordons={node(n): 9_000 + n for n in range(1_000)},
        slots=slots,
        buckets=buckets,
        known_since=NOON,
    )

    ledger = RepairLedger(metadata=Metadata(name=keys.LEDGER_NAME), status=status)

    assert len(msgspec.json.encode(ledger)) < MOST
