"""Breakers that are half open over the same nodes never deadlock, and all of them close."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from nodehealth import keys
from nodehealth.ledger import Breaker, BreakerState, RepairLedger
from remediator.decide import breakers, gates, limits, returning, switching, trips
from remediator.decide.breakers import Seen
from remediator.decide.counting import Scope
from remediator.decide.gates import Asked, Deed
from remediator.decide.limits import Refused
from remediator.decide.switching import Nodes
from remediator.decide.trips import Crowd, Kind, Trip, World
from remediator.rules.breaking import NEVER
from remediator.rules.policy import CLUSTER, Limit, Policy, Pool
from tests.builders import at, ledger, node, repair, slot

BREAKING = replace(
    NEVER,
    unhealthy_pool="30%",
    unhealthy_zone="50%",
    cool_down=timedelta(minutes=10),
    settle=timedelta(minutes=2),
)
WIDE = Limit(cordoned=(100,), disrupted=(100,))
POOLS = tuple(Pool(name=each, labels={keys.POOL_LABEL: each}, limit=WIDE) for each in "pq")
POLICY = Policy(limit=WIDE, pools=POOLS, breaking=BREAKING)
MINUTE = 60
LONGEST = 600
"""In so many minutes ten nodes are mended one after the other, though each of them fails once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a node is, and what becomes of its repair."""

    pool: str
    zone: str
    sick: bool
    steps: int
    """How many steps mend it."""
    fails: bool
    """Whether it needs a person instead, who takes half an hour."""
    paused: int
    """For how many minutes people hold it back."""
    slotted: bool
    """Whether it has its slot at the beginning."""


@dataclass(slots=True)
class Fleet:
    """Nodes of pools and zones, and a remediator that looks at all of them once a minute."""

    places: Mapping[str, Place]
    strict: bool
    """Whether breakers want every single node to be well, or judge by their shares."""
    known: RepairLedger
    minute: int = 0
    left: dict[str, int] = field(default_factory=dict)
    """The steps to go, by the nodes that are sick."""
    mended_at: dict[str, int] = field(default_factory=dict)
    """When a person will have mended a node that needs one."""
    barred: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Make the nodes sick."""
        self.left = {name: each.steps for name, each in self.places.items() if each.sick}

    def found(self) -> Mapping[str, Trip]:
        """Say what is amiss."""
        crowds = {
            kind: {
                scope: Crowd(all=len(names), amiss=sum(each in self.left for each in names))
                for scope, names in self._by(attribute).items()
            }
            for kind, attribute in (
                (Kind.UNHEALTHY_POOL, "pool"),
                (Kind.UNHEALTHY_ZONE, "zone"),
            )
        }
        if not self.strict:
            world = World(pools=crowds[Kind.UNHEALTHY_POOL], zones=crowds[Kind.UNHEALTHY_ZONE])
            return trips.found(world, BREAKING, at(self.minute * MINUTE))
        return {
            trips.name(kind, scope): Trip(seen=crowd.amiss, reason="some are sick")
            for kind, scopes in crowds.items()
            for scope, crowd in scopes.items()
            if crowd.amiss
        }

    def pass_by(self) -> None:
        """Let a minute pass."""
        self.minute += 1
        nodes = Nodes(about=self._is_about, stands=self._stands, barred=self.barred.__contains__)
        now = at(self.minute * MINUTE)
        self.known = switching.settled(self.known, self.found(), nodes, BREAKING, now)
        for name in tuple(self.left):
            if name in self.mended_at:
                self._wait_for_person(name)
            elif not self._is_paused(name):
                self._go_on(name)

    def _go_on(self, name: str) -> None:
        held = name in self.known.status.slots
        asked = self._asked(name, Deed.STEP if held else Deed.DISRUPT)
        refused = gates.refusal(asked) is not None
        self.barred.discard(name)
        if refused and held:
            self.barred.add(name)
        elif held:
            self._step(name)
        elif not refused:
            admitted = limits.disrupt(
                asked.ledger, asked.repair, asked.scopes, asked.policy, asked.now
            )
            if not isinstance(admitted, Refused):
                self.known = breakers.claimed(admitted.ledger, asked.subject())

    def _step(self, name: str) -> None:
        self.left[name] -= 1
        if self.left[name]:
            return
        if not self.places[name].fails:
            self._give_back(name)
            return
        self.mended_at[name] = self.minute + 30
        epoch, now = self.known.status.slots[name].epoch, at(self.minute * MINUTE)
        self.known = breakers.failed(returning.surrender(self.known, name, epoch), name, now)

    def _wait_for_person(self, name: str) -> None:
        if self.minute >= self.mended_at[name]:
            self._give_back(name)

    def _give_back(self, name: str) -> None:
        del self.left[name]
        status = self.known.status
        held = status.slots.get(name)
        epoch = held.epoch if held is not None else status.cordons[name]
        self.known = breakers.given_back(
            returning.release(self.known, name, frozenset({epoch})), name
        )

    def _asked(self, name: str, deed: Deed) -> Asked:
        place = self.places[name]
        members = frozenset(self._by("pool")[place.pool])
        everybody = frozenset(self.places)
        return Asked(
            deed=deed,
            repair=repair(name, pool=place.pool),
            node=node(name, labels={keys.ZONE_LABEL: place.zone}),
            ledger=self.known,
            scopes=(
                Scope(name=place.pool, members=members, out=frozenset()),
                Scope(name=CLUSTER, members=everybody, out=frozenset()),
            ),
            policy=POLICY,
            now=at(self.minute * MINUTE),
            seen=Seen(trips=self.found()),
        )

    def _by(self, attribute: str) -> Mapping[str, list[str]]:
        found = dict[str, list[str]]()
        for name, place in self.places.items():
            found.setdefault(getattr(place, attribute), []).append(name)
        return found

    def _is_about(self, key: str, name: str) -> bool:
        place = self.places[name]
        return breakers.is_about(key, (place.pool,), place.zone)

    def _is_paused(self, name: str) -> bool:
        return self.minute <= self.places[name].paused

    def _stands(self, name: str) -> bool:
        return name in self.left and name not in self.mended_at and not self._is_paused(name)


PLACES = st.builds(
    Place,
    pool=st.sampled_from(["p", "p", "p", "q"]),
    zone=st.sampled_from(["a", "a", "a", "b"]),
    sick=st.sampled_from([True, True, False]),
    steps=st.integers(1, 4),
    fails=st.booleans(),
    paused=st.sampled_from([0, 0, 5, 40]),
    slotted=st.sampled_from([True, True, False]),
)
KEYS = ("unhealthy-pool/p", "unhealthy-pool/q", "unhealthy-zone/a", "unhealthy-zone/b")


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    """Draw a fleet in the middle of things: whatever breakers are open, whomever they try."""
    drawn = draw(st.lists(PLACES, min_size=1, max_size=10))
    places = {f"n{n}": each for n, each in enumerate(drawn)}
    slotted = [name for name, each in places.items() if each.sick and each.slotted]
    order = draw(st.permutations(slotted))
    slots = {
        name: slot(epoch, name=name, pool=places[name].pool) for epoch, name in enumerate(order, 1)
    }
    made = ledger(epoch=len(order) + 1, slots=slots)
    words = st.sampled_from([*slotted, "", "open"])
    listed = draw(st.dictionaries(st.sampled_from(KEYS), words))
    opened = {key: _breaker(said) for key, said in listed.items()}
    status = structs.replace(made.status, breakers=opened)
    known = structs.replace(made, status=status)
    return Fleet(places=places, strict=draw(st.booleans()), known=known)


def _breaker(said: str) -> Breaker:
    """Make one that is open, or half open and tries a node, or nobody yet."""
    state = BreakerState.OPEN if said == "open" else BreakerState.HALF_OPEN
    probing = said if said != "open" else ""
    return Breaker(
        state=state, opened_at=at(0), since=at(0), reason="much", seen=10, probing=probing
    )


@settings(deadline=None)
@given(fleets())
def test_all_nodes_are_mended_and_all_breakers_close_however_they_began(fleet: Fleet) -> None:
    while fleet.minute < LONGEST and (fleet.left or fleet.known.status.breakers):
        fleet.pass_by()

    assert fleet.left == {}
    assert fleet.known.status.breakers == {}
    assert fleet.known.status.slots == {}


@given(fleets())
def test_where_no_node_is_sick_all_of_them_close_at_once(fleet: Fleet) -> None:
    fleet.left.clear()

    for _ in range(4):
        fleet.pass_by()

    assert fleet.known.status.breakers == {}
