"""A ledger is at odds with its witnesses when something was taken out of it, and only then."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from nodehealth.fence import Fence, Hold
from nodehealth.kube.objects import Node
from nodehealth.ledger import RepairLedger, RepairLedgerStatus, Slot
from nodehealth.repair import Closing, Mode, NodeRepair, NodeRepairStatus, Phase
from remediator.decide import limits, odds, recovery, returning
from remediator.decide.counting import Scope
from remediator.decide.limits import Admitted
from remediator.rules.policy import CLUSTER, Limit, Policy
from tests.builders import NOON, ledger, node, repair, slot

WIDE: Final = Policy(limit=Limit(cordoned=(99,), disrupted=(99,)))
NAMES: Final = ("n1", "n2", "n3", "n4")
CLUSTERWIDE: Final = (Scope(name=CLUSTER, members=frozenset(NAMES), out=frozenset(NAMES)),)


def draining(cordon: int = 4, disruption: int = 5, **more: object) -> NodeRepair:
    status = NodeRepairStatus(
        phase=Phase.DRAINING, cordon_epoch=cordon, disruption_epoch=disruption
    )
    return repair("n1", status=structs.replace(status, **more))


def messages(known: RepairLedger, *witnesses: Node | NodeRepair) -> list[str]:
    nodes = [each for each in witnesses if isinstance(each, Node)]
    repairs = [each for each in witnesses if isinstance(each, NodeRepair)]
    found = [each.message for each in odds.found(known.status, nodes, repairs)]
    assert odds.suspected(known.status, next(iter(nodes), None), repairs) == bool(
        [each for each in found if "had epoch" not in each]
    )
    return found


def test_a_slot_that_an_open_repair_holds_is_missed() -> None:
    assert messages(ledger(epoch=5, cordons={"n1": 4}), draining()) == [
        "slot 5 of n1, which n1-repair holds, was missing"
    ]
    assert messages(ledger(epoch=5, slots={"n1": slot(5)}), draining()) == []


def test_a_slot_that_only_a_fence_bears_witness_to_is_missed() -> None:
    known = ledger(epoch=5, cordons={"n1": 4})

    assert messages(known, node(fence="5:disrupted"), draining(disruption=0)) == [
        "slot 5 of n1, which n1-repair holds, was missing"
    ]


def test_a_cordon_that_an_open_repair_holds_is_missed() -> None:
    waiting = draining(disruption=0, phase=Phase.WAITING)

    assert messages(ledger(epoch=4), waiting) == [
        "cordon 4 of n1, which n1-repair holds, was missing"
    ]
    assert messages(ledger(epoch=4, cordons={"n1": 4}), waiting) == []


def test_a_repair_that_ends_or_has_ended_may_have_given_everything_back() -> None:
    closing = Closing(phase=Phase.RECOVERED, reason="Repaired", message="")

    assert messages(ledger(epoch=5), draining(closing=closing)) == []
    assert messages(ledger(epoch=5), draining(phase=Phase.RECOVERED)) == []


def test_a_slot_may_be_traded_for_a_cordon_where_a_person_was_called() -> None:
    hopeless = draining(phase=Phase.NEEDS_HUMAN)
    traded, bare = ledger(epoch=5, cordons={"n1": 5}), ledger(epoch=5, cordons={"n1": 4})

    assert messages(traded, hopeless) == []
    assert messages(bare, hopeless, node(fence="5:cordoned")) == []
    assert messages(bare, hopeless, node(fence="4:released")) != []


def test_an_epoch_above_the_newest_admission_shows_that_a_ledger_is_an_old_one() -> None:
    assert messages(ledger(epoch=5), node(fence="7:released")) == [
        "Node n1 is at 7:released, and the ledger knew nothing above 5"
    ]
    assert messages(ledger(epoch=3), draining(phase=Phase.RECOVERED)) == [
        "n1-repair was given 5, and the ledger knew nothing above 3"
    ]


def test_an_epoch_that_nobody_can_have_been_given_is_not_believed() -> None:
    mad = node(fence=f"{10**17}:released")

    assert messages(ledger(epoch=5), mad) == []
    assert recovery.rebuilt([mad], [], NOON).epoch == 0


def test_an_entry_above_the_newest_admission_would_be_given_twice() -> None:
    raised = ledger(epoch=5, cordons={"n2": 9})

    assert messages(raised) == ["the entry of n2 had epoch 9, and the ledger 5"]
    assert not odds.is_sound(raised.status)
    assert odds.is_sound(ledger(epoch=9, cordons={"n2": 9}).status)


@dataclass(slots=True)
class Cluster:
    """A cluster whose repairs take one write at a time, in the order in which they do."""

    status: RepairLedgerStatus = field(default_factory=RepairLedgerStatus)
    fences: dict[str, Fence | None] = field(default_factory=lambda: dict.fromkeys(NAMES))
    away: set[str] = field(default_factory=set)
    repairs: dict[str, NodeRepair] = field(default_factory=dict)
    disrupted: set[str] = field(default_factory=set)
    past: list[RepairLedgerStatus] = field(default_factory=list)

    def nodes(self) -> list[Node]:
        return [
            node(name, fence=str(fence or ""))
            for name, fence in self.fences.items()
            if name not in self.away
        ]

    def mark(self, name: str, epoch: int, hold: Hold) -> None:
        self.fences[name] = Fence(epoch=epoch, hold=hold)
        if hold is Hold.DISRUPTED:
            self.disrupted.add(name)
        else:
            self.disrupted.discard(name)

    def note(self, mended: NodeRepair, **changes: object) -> NodeRepair:
        changed = structs.replace(mended, status=structs.replace(mended.status, **changes))
        self.repairs[mended.metadata.name] = changed
        return changed

    def swap(self, changed: RepairLedger) -> int:
        self.past.append(self.status)
        self.status = changed.status
        return changed.status.epoch

    def admit(self, mended: NodeRepair, admit: Callable[..., object]) -> int:
        known = structs.replace(ledger(), status=structs.replace(self.status, buckets={}))
        answer = admit(known, mended, CLUSTERWIDE, WIDE, NOON)
        assert isinstance(answer, Admitted)
        return self.swap(answer.ledger)

    def story(self, name: str, number: int, *, hopeless: bool, goes: bool) -> Iterator[None]:
        """Go through a whole repair; every pause is a moment at which somebody may look."""
        fresh = repair(name)
        renamed = structs.replace(fresh.metadata, name=f"{name}-{number}")
        mended = self.note(structs.replace(fresh, metadata=renamed))
        yield
        cordon = self.admit(mended, limits.cordon)
        yield
        self.mark(name, cordon, Hold.CORDONED)
        yield
        mended = self.note(mended, phase=Phase.CORDONED, cordon_epoch=cordon)
        yield
        epoch = self.admit(mended, limits.disrupt)
        yield
        self.mark(name, epoch, Hold.DISRUPTED)
        yield
        mended = self.note(mended, phase=Phase.DRAINING, disruption_epoch=epoch)
        yield
        if goes:
            yield from self._made_anew(name, epoch)
        ending = self._gives_up if hopeless else self._gives_back
        yield from ending(mended, name, cordon, epoch)

    def _made_anew(self, name: str, epoch: int) -> Iterator[None]:
        self.away.add(name)
        self.fences[name] = None
        yield
        self.away.discard(name)
        yield
        self.mark(name, epoch, Hold.DISRUPTED)
        yield

    def _gives_up(self, mended: NodeRepair, name: str, cordon: int, epoch: int) -> Iterator[None]:
        closing = Closing(phase=Phase.NEEDS_HUMAN, reason="LadderExhausted", message="")
        mended = self.note(mended, closing=closing)
        yield
        mended = self.note(mended, phase=Phase.NEEDS_HUMAN, closing=None)
        yield
        self.mark(name, epoch, Hold.CORDONED)
        yield
        self.swap(returning.surrender(RepairLedger(status=self.status), name, epoch))
        yield
        yield from self._gives_back(mended, name, cordon, epoch)

    def _gives_back(self, mended: NodeRepair, name: str, cordon: int, epoch: int) -> Iterator[None]:
        closing = Closing(phase=Phase.RECOVERED, reason="Repaired", message="")
        mended = self.note(mended, closing=closing)
        yield
        self.mark(name, epoch, Hold.RELEASED)
        yield
        epochs = frozenset({cordon, epoch})
        self.swap(returning.release(RepairLedger(status=self.status), name, epochs))
        yield
        self.note(mended, phase=Phase.RECOVERED, closing=None)


LOOKS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.booleans(), st.booleans()), min_size=1, max_size=80
)
"""Whose repair takes its next write, and how it goes if it is a new one."""


def reached(looks: list[tuple[str, bool, bool]]) -> Iterator[Cluster]:
    here, running = Cluster(), dict[str, Iterator[None]]()
    for number, (name, hopeless, goes) in enumerate(looks):
        if name not in running:
            running[name] = here.story(name, number, hopeless=hopeless, goes=goes)
        if next(running[name], StopIteration) is StopIteration:
            del running[name]
        yield here


@given(LOOKS)
def test_at_no_moment_of_any_repair_is_the_ledger_at_odds(
    looks: list[tuple[str, bool, bool]],
) -> None:
    for here in reached(looks):
        assert odds.found(here.status, here.nodes(), here.repairs.values()) == []


def without(status: RepairLedgerStatus, taken: set[str]) -> RepairLedgerStatus:
    slots: Mapping[str, Slot] = {
        name: each for name, each in status.slots.items() if f"slot {name}" not in taken
    }
    cordons = {name: each for name, each in status.cordons.items() if f"cordon {name}" not in taken}
    return structs.replace(status, slots=slots, cordons=cordons)


ENTRIES = st.sets(st.sampled_from([f"{kind} {n}" for kind in ("slot", "cordon") for n in NAMES]))


@given(LOOKS, ENTRIES, st.integers(min_value=0, max_value=20))
def test_whatever_was_taken_out_is_put_back_so_that_no_limit_is_broken(
    looks: list[tuple[str, bool, bool]], taken: set[str], ago: int
) -> None:
    (*_, here) = reached(looks)
    before = [*here.past, here.status][-1 - min(ago, len(here.past))]
    edited = without(before, taken)
    nodes, repairs = here.nodes(), tuple(here.repairs.values())

    found = odds.found(edited, nodes, repairs)
    after = recovery.rebuilt(nodes, repairs, NOON, edited, [each.message for each in found])

    fences = [each.epoch for each in here.fences.values() if each is not None]
    assert odds.found(after, nodes, repairs) == []
    assert after.slots.keys() >= here.disrupted
    assert after.epoch >= max([edited.epoch, *fences])
    most = Policy(limit=Limit(cordoned=(99,), disrupted=(len(here.disrupted) or 1,)))
    opened = structs.replace(ledger(), status=structs.replace(after, buckets={}))
    answer = limits.disrupt(opened, repair("new"), CLUSTERWIDE, most, NOON)
    assert not (here.disrupted and isinstance(answer, Admitted))


@given(LOOKS)
def test_a_slot_that_is_missed_while_its_node_is_worked_on_is_found(
    looks: list[tuple[str, bool, bool]],
) -> None:
    (*_, here) = reached(looks)
    working = {
        each.spec.target.node
        for each in here.repairs.values()
        if each.status.closing is None and each.status.phase is not Phase.RECOVERED
    }
    gone = without(here.status, {f"slot {name}" for name in NAMES})

    found = odds.found(gone, here.nodes(), here.repairs.values())

    assert {each.node for each in found} >= here.disrupted & working


def test_fences_and_repairs_that_may_act_are_evidence_of_a_ledger() -> None:
    watched = repair("n1")
    watched = structs.replace(watched, spec=structs.replace(watched.spec, mode=Mode.OBSERVE))

    assert odds.is_evident([], [repair("n1")])
    assert odds.is_evident([node(fence="5:released")], [])
    assert not odds.is_evident([node()], [watched])
