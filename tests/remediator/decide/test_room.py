"""The ledger fits in etcd at the fullest that admissions, breakers and people can make it."""

from typing import Final

import msgspec
import pytest
from msgspec import structs

from nodehealth import ledger as caps
from nodehealth.kube.objects import Metadata
from nodehealth.ledger import (
    EVER,
    Breaker,
    BreakerState,
    Bucket,
    Change,
    Handling,
    Pause,
    Rebuilt,
    RepairLedger,
    RepairLedgerSpec,
    RepairLedgerStatus,
    Slot,
)
from remediator.decide import claims, room
from remediator.decide.limits import Admitted, Refused, Why
from tests.builders import NOON, ledger

ETCD: Final = 1_572_864
"""What etcd takes in one request, unless it is told otherwise."""
MIB: Final = 1024 * 1024
LONGEST: Final = 253
_UID: Final = "2d1e4b9a-9a0c-4c7e-8a53-3a8f9f6a7b10"


def named(number: int, length: int) -> str:
    """Make a name of a length."""
    return f"{number:05}".ljust(length, "x")


def admitted(
    *, cordons: int, slots: int, gangs: int, node: int, gang: int = LONGEST
) -> RepairLedgerStatus:
    """Make what so many admissions leave, with names of these lengths."""
    zones = tuple(f"topology.example.com/{each}=europe-west4-a-12" for each in range(3))
    each = [tuple(named(n * gangs + k, gang) for k in range(gangs)) for n in range(slots)]
    return RepairLedgerStatus(
        epoch=99_999,
        cordons={named(n, node): 50_000 + n for n in range(cordons)},
        slots={
            named(n, node): Slot(
                epoch=50_000 + n,
                node_uid=_UID,
                repair=named(n, node + 11),
                acquired_at=NOON,
                pool="h100-sxm-reserved",
                domains=zones,
                gangs=each[n],
            )
            for n in range(slots)
        },
        known_since=EVER,
    )


def said(status: RepairLedgerStatus) -> RepairLedger:
    """Add all that is not an admission, each at its cap and at its longest."""
    spec = RepairLedgerSpec(
        pauses={
            named(n, 63): Pause(
                reason="r" * 1024, by="b" * LONGEST, node="n" * LONGEST, at=NOON, until=NOON
            )
            for n in range(caps.PAUSES_LENGTH)
        },
        released={named(n, LONGEST): 99_999 for n in range(caps.RELEASED_LENGTH)},
        breakers={named(n, 90): Handling.IGNORE for n in range(caps.BREAKERS_LENGTH)},
    )
    breaker = Breaker(
        state=BreakerState.HALF_OPEN,
        opened_at=NOON,
        since=NOON,
        reason="r" * 512,
        seen=9_999,
        well_since=NOON,
        probing="p" * LONGEST,
    )
    status = structs.replace(
        status,
        breakers={named(n, 90): breaker for n in range(caps.BREAKERS_LENGTH)},
        changes={named(n, 90): Change(at=NOON, epoch=99) for n in range(caps.CHANGES_LENGTH)},
        rebuilt=Rebuilt(at=NOON, found=("f" * 1024,) * caps.FOUND_LENGTH),
    )
    return RepairLedger(metadata=Metadata(name="default"), spec=spec, status=status)


def size(of: RepairLedger | RepairLedgerStatus) -> int:
    return len(msgspec.json.encode(of))


def test_without_a_bound_in_bytes_the_caps_alone_would_not_fit() -> None:
    most = admitted(cordons=caps.CORDONS_LENGTH, slots=caps.SLOTS_LENGTH, gangs=4, node=LONGEST)

    assert size(most) > ETCD


def test_the_gangs_of_all_slots_at_their_longest_leave_room_for_admissions() -> None:
    per_slot = claims.MOST // caps.SLOTS_LENGTH
    with_, without = (
        admitted(cordons=0, slots=caps.SLOTS_LENGTH, gangs=n, node=60) for n in (per_slot, 0)
    )

    assert size(with_) - size(without) < room.MOST * 2 // 3


def test_five_hundred_slots_and_two_thousand_gangs_with_usual_names_fit() -> None:
    """Beside them four thousand cordons and the rates of two hundred scopes."""
    status = admitted(cordons=4_000, slots=caps.SLOTS_LENGTH, gangs=4, node=47, gang=40)
    buckets = {f"pool-{n}/disruptions": Bucket(tokens=1 / 3, at=NOON) for n in range(600)}

    assert size(structs.replace(status, buckets=buckets)) < room.MOST


def test_whatever_else_is_said_in_a_full_ledger_etcd_takes_it() -> None:
    empty = said(RepairLedgerStatus())

    assert size(empty) + room.MOST < ETCD * 95 // 100


@pytest.mark.parametrize(("more", "why"), [(0, None), (1, Why.LEDGER_FULL)])
def test_an_admission_that_would_make_the_ledger_too_large_is_refused(
    more: int, why: Why | None
) -> None:
    status = structs.replace(ledger().status, cordons={"": 1})
    long = "n" * (room.MOST - size(status) + more)
    full = structs.replace(ledger(), status=structs.replace(status, cordons={long: 1}))

    answer = room.fitting(ledger(), Admitted(ledger=full, epoch=1))

    assert (answer.why if isinstance(answer, Refused) else None) is why


def test_what_a_ledger_that_is_too_large_holds_already_is_not_refused() -> None:
    full = structs.replace(ledger(), status=admitted(cordons=4_000, slots=0, gangs=0, node=250))
    answer = Admitted(ledger=full, epoch=1)

    assert size(full) > room.MOST
    assert room.fitting(full, answer) is answer


def test_another_refusal_stays_as_it_is() -> None:
    refused = Refused(why=Why.DISRUPTION_LIMIT, message="")

    assert room.fitting(ledger(), refused) is refused
