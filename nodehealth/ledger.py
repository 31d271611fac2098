"""RepairLedger: the one object whose compare-and-swap admits every cordon and every disruption."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

from nodehealth import keys
from nodehealth.kube.objects import Object, Resource, Struct
from nodehealth.moments import Time

SLOTS_LENGTH: Final = 500
CORDONS_LENGTH: Final = 10_000
BUCKETS_LENGTH: Final = 2_000
BREAKERS_LENGTH: Final = 200
CHANGES_LENGTH: Final = 200
PAUSES_LENGTH: Final = 100
RELEASED_LENGTH: Final = 500
GANGS_LENGTH: Final = 256
FOUND_LENGTH: Final = 16

EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Since when a ledger knows what was admitted if nothing was ever admitted before it."""
_ATOMIC: Final = {"x-kubernetes-map-type": "atomic"}
"""Written as one: who wrote which entry would double the size of the ledger."""

Epoch = Annotated[int, Meta(ge=0)]
Domains = Annotated[tuple[Annotated[str, Meta(max_length=400)], ...], Meta(max_length=8)]
"""The domains of a node, each as a label and its value: `topology.kubernetes.io/zone=a`."""


class Slot(Struct, frozen=True, kw_only=True):
    """Permission to disrupt one node; it never expires by itself."""

    epoch: Epoch
    node_uid: Annotated[str, Meta(max_length=63)]
    repair: Annotated[str, Meta(max_length=253)]
    acquired_at: datetime
    pool: Annotated[str, Meta(max_length=63)] = ""
    domains: Domains = ()
    """In which domains the node was: it may be away, or be made anew somewhere else."""
    gangs: Annotated[
        tuple[Annotated[str, Meta(max_length=253)], ...], Meta(max_length=GANGS_LENGTH)
    ] = ()
    """Whose pods may be lost with it, each as `namespace/system/name`; `*` stands for any."""
    only_drains: bool = False
    """Whether nothing was ordered under it, so that at most pods were asked to leave: taken back
    before the first order is claimed."""


class Bucket(Struct, frozen=True, kw_only=True):
    """How many actions of a kind a scope may begin at once: spent by admissions, filled by time."""

    tokens: float
    at: datetime
    """When there were so many, by the API server's clock."""


class Disruption(StrEnum):
    """Whether new disruption may be admitted at all."""

    OPEN = "Open"
    CLOSED = "Closed"


class Pause(Struct, frozen=True, kw_only=True):
    """What a person holds back: a pool, a node, or everything where neither is named."""

    reason: Annotated[str, Meta(min_length=1, max_length=1024)]
    by: Annotated[str, Meta(max_length=253)] = ""
    pool: Annotated[str, Meta(max_length=63)] = ""
    node: Annotated[str, Meta(max_length=253)] = ""
    at: Time | None = None
    """When it began."""
    until: Time | None = None
    """When it ends by itself; without it, when somebody takes it away."""


class BreakerState(StrEnum):
    """What a breaker lets through; one that is not listed lets everything through."""

    OPEN = "Open"
    HALF_OPEN = "HalfOpen"
    """One node at a time."""


class Breaker(Struct, frozen=True, kw_only=True):
    """What stops new disruption because too much is amiss at once."""

    state: BreakerState
    opened_at: datetime
    since: datetime
    """Since when it is in this state."""
    reason: Annotated[str, Meta(max_length=512)]
    """What was seen when it opened, as a sentence."""
    seen: Annotated[int, Meta(ge=0)] = 0
    """How much of that there was at the last step towards its end."""
    well_since: datetime | None = None
    """Since when it is not seen any more."""
    probing: Annotated[str, Meta(max_length=253)] = ""
    """The node that is tried, while the breaker is half open."""


class Handling(StrEnum):
    """What a person wants of a breaker, for as long as it is said."""

    IGNORE = "Ignore"
    """It stops nothing."""
    TRY = "Try"
    """It lets one node through at once, without waiting first."""
    HOLD = "Hold"
    """Once open it stays open."""


class Change(Struct, frozen=True, kw_only=True):
    """When something was first seen that may be to blame for what is found from then on."""

    at: datetime
    epoch: Epoch = 0
    """The newest admission before it."""


class RepairLedgerSpec(Struct, frozen=True, kw_only=True):
    """What people say to the ledger."""

    disruption: Disruption = Disruption.OPEN
    pauses: Annotated[Mapping[str, Pause], Meta(max_length=PAUSES_LENGTH)] = {}
    """By name, what begins nothing new."""
    released: Annotated[Mapping[str, Epoch], Meta(max_length=RELEASED_LENGTH)] = {}
    """By node, the slot without a repair that people vouch for: nobody works on the machine."""
    breakers: Annotated[Mapping[str, Handling], Meta(max_length=BREAKERS_LENGTH)] = {}
    """By the name of a breaker, what a person wants of it."""


class Rebuilt(Struct, frozen=True, kw_only=True):
    """That the ledger was put together anew from fences and repairs, and why."""

    at: datetime
    found: Annotated[
        tuple[Annotated[str, Meta(max_length=1024)], ...], Meta(max_length=FOUND_LENGTH)
    ] = ()


class RepairLedgerStatus(Struct, frozen=True, kw_only=True):
    """What the remediator has admitted; only ever changed by compare-and-swap."""

    epoch: Epoch = 0
    """The newest admission; it never falls."""
    cordons: Annotated[
        Mapping[str, int], Meta(max_length=CORDONS_LENGTH, extra_json_schema=_ATOMIC)
    ] = {}
    """Node name to the epoch under which it was cordoned."""
    slots: Annotated[
        Mapping[str, Slot], Meta(max_length=SLOTS_LENGTH, extra_json_schema=_ATOMIC)
    ] = {}
    """Node name to its permission to be disrupted."""
    buckets: Annotated[
        Mapping[str, Bucket], Meta(max_length=BUCKETS_LENGTH, extra_json_schema=_ATOMIC)
    ] = {}
    """Scope and kind of action to what is left of its rate."""
    breakers: Annotated[
        Mapping[str, Breaker], Meta(max_length=BREAKERS_LENGTH, extra_json_schema=_ATOMIC)
    ] = {}
    """By kind and scope, as in `burst/h100`, what is not closed."""
    changes: Annotated[
        Mapping[str, Change], Meta(max_length=CHANGES_LENGTH, extra_json_schema=_ATOMIC)
    ] = {}
    """By what and which, as in `kernel/6.8.0-45`, when it was first seen."""
    known_since: datetime | None = None
    """When every bucket that is not listed was empty; without it nothing is admitted yet."""
    rebuilt: Rebuilt | None = None
    """Set from when the ledger was put together anew until a person has opened it again."""


class RepairLedger(Object, frozen=True, kw_only=True):
    """Who may be cordoned and who may be disrupted, and under which epoch."""

    spec: RepairLedgerSpec = RepairLedgerSpec()
    status: RepairLedgerStatus = RepairLedgerStatus()


UNUSED: Final = RepairLedger(status=RepairLedgerStatus(known_since=EVER))
"""A ledger from which nothing was ever taken."""

REPAIR_LEDGERS: Final = Resource(
    group=keys.GROUP,
    version=keys.VERSION,
    plural="repairledgers",
    kind="RepairLedger",
    namespaced=False,
    type=RepairLedger,
)
