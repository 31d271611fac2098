"""A machine is ordered off and on once, by whoever wrote the intent down."""

from dataclasses import dataclass, field

import pytest
from msgspec import structs

from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import Node, NodeInfo
from nodehealth.repair import NodeRepair, NodeRepairStatus, Phase, Target
from remediator.actions import Done, Failed, Going, Progress, SupersededError, Tools
from remediator.actions.power_cycle import PowerCycle
from remediator.pacing import Pacing
from remediator.providers import MachineState, Provider, ProviderError, UnableError
from remediator.rules.policy import DrainManners
from tests.builders import NOON, at, node, repair
from tests.nodehealth.kube.fakes import Scripted


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner(Provider):
    """Owns one machine and keeps the keys of its orders."""

    orders: list[str] = field(default_factory=list)
    says: MachineState = MachineState.PRESENT
    answers: Exception | None = None
    """What it raises after it heard an order."""

    async def state(self, target: Target, client: Client) -> MachineState:
        """Say how the machine is."""
        return self.says

    async def replace(self, target: Target, key: str, client: Client) -> None:
        """Replace nothing."""
        raise AssertionError

    async def power_cycle(self, target: Target, key: str, client: Client) -> None:
        """Take the order."""
        self.orders.append(key)
        if self.answers is not None:
            raise self.answers


class Incapable(Provider):
    """Owns machines and can't reach their power."""

    async def state(self, target: Target, client: Client) -> MachineState:
        """Say that the machine is there."""
        return MachineState.PRESENT

    async def replace(self, target: Target, key: str, client: Client) -> None:
        """Replace nothing."""
        raise AssertionError


class Cycling:
    """One power-cycle, run at the times that the test says."""

    def __init__(self, owner: Provider | None, *, contested: bool = False) -> None:
        self.owner, self.contested = owner, contested
        self.repair = repair("n1", status=NodeRepairStatus(phase=Phase.REPAIRING))
        self.now, self.stands_still, self.superseded = NOON, 0.0, False

    async def run(self, seen: Node | None, *, after: float = 0) -> Progress:
        self.now = at(after)
        tools = Tools(
            client=Client(Scripted(), manager="test"),
            clock=lambda: self.now,
            node=seen,
            provider=self.owner,
            manners=DrainManners(),
            pacing=Pacing(lambda: self.now),
            guard=self._guard,
            record=self._record,
        )
        return await PowerCycle().run(self.repair, NOON, tools)

    async def _guard(self) -> None:
        assert self.repair.status.intent is not None, "the intent comes before the guard"
        self.now = at(self.stands_still) if self.stands_still else self.now
        if self.superseded:
            raise SupersededError("not ours")

    async def _record(self, status: NodeRepairStatus) -> NodeRepair:
        if self.contested:
            raise errors.ConflictError("somebody else wrote it down")
        self.repair = structs.replace(self.repair, status=status)
        return self.repair


def boot(name: str, *, ready: bool = True, cordoned: bool = True) -> Node:
    made = node("n1", ready=ready, unschedulable=cordoned)
    info = NodeInfo(boot_id=name)
    return structs.replace(made, status=structs.replace(made.status, node_info=info))


async def test_a_machine_is_ordered_once_however_often_it_is_looked_at() -> None:
    owner = Owner()
    cycling = Cycling(owner)

    steps = [await cycling.run(boot("boot-1"), after=seconds) for seconds in (0, 10, 300)]

    intent = cycling.repair.status.intent
    assert all(isinstance(each, Going) for each in steps)
    assert intent is not None
    assert owner.orders == [intent.key]
    assert (intent.action, intent.boot_id) == ("power-cycle", "boot-1")
    assert cycling.repair.status.boots_ended == ("boot-1",)


async def test_an_answer_that_was_lost_is_not_asked_for_again() -> None:
    owner = Owner(answers=ProviderError("it was silent for 10 s"))
    cycling = Cycling(owner)

    first = await cycling.run(boot("boot-1"))
    await cycling.run(boot("boot-1"), after=60)

    assert first == Going(message="it was silent for 10 s", again=PowerCycle().again)
    assert len(owner.orders) == 1


async def test_a_node_that_never_went_down_is_ordered_anew_under_another_key() -> None:
    owner = Owner()
    cycling = Cycling(owner)

    await cycling.run(boot("boot-1"))
    await cycling.run(boot("boot-1"), after=9 * 60)

    first, second = owner.orders
    assert first != second


async def test_it_is_done_when_another_boot_is_ready_and_not_before() -> None:
    cycling = Cycling(Owner())
    await cycling.run(boot("boot-1"))

    down = await cycling.run(boot("boot-1", ready=False), after=30)
    coming = await cycling.run(boot("boot-2", ready=False), after=60)

    assert isinstance(down, Going)
    assert isinstance(coming, Going)
    assert await cycling.run(boot("boot-2"), after=90) == Done(
        message="the machine booted anew, and its node is Ready"
    )


async def test_a_machine_that_does_not_come_back_in_time_has_failed() -> None:
    cycling = Cycling(Owner())
    await cycling.run(boot("boot-1"))

    assert await cycling.run(boot("boot-1", ready=False), after=1200) == Failed(
        message="the machine did not boot anew within 20m"
    )


async def test_a_refusal_fails_at_once_and_leaves_no_claim() -> None:
    cycling = Cycling(Owner(answers=UnableError("the controller is locked")))

    assert await cycling.run(boot("boot-1")) == Failed(message="the controller is locked")
    assert cycling.repair.status == NodeRepairStatus(phase=Phase.REPAIRING)


async def test_an_owner_without_a_way_to_the_power_says_so() -> None:
    assert await Cycling(Incapable()).run(boot("boot-1")) == Failed(
        message="the owner of n1 has no way to switch a machine off and on"
    )
    assert not Incapable().cycles
    assert Owner().cycles


async def test_without_an_owner_of_machines_it_has_failed() -> None:
    assert await Cycling(None).run(boot("boot-1")) == Failed(
        message="the policy names no provider that could switch a machine off"
    )


@pytest.mark.parametrize(
    ("state", "kind"), [(MachineState.FOREIGN, Failed), (MachineState.LEAVING, Going)]
)
async def test_a_machine_that_is_not_there_for_us_is_not_switched(
    state: MachineState, kind: type[Progress]
) -> None:
    owner = Owner(says=state)

    assert isinstance(await Cycling(owner).run(boot("boot-1")), kind)
    assert owner.orders == []


async def test_who_loses_the_race_for_the_intent_orders_nothing() -> None:
    owner = Owner()

    with pytest.raises(errors.ConflictError):
        await Cycling(owner, contested=True).run(boot("boot-1"))

    assert owner.orders == []


async def test_nothing_is_ordered_without_the_right_to_disrupt() -> None:
    owner = Owner()
    cycling = Cycling(owner)
    cycling.superseded = True

    with pytest.raises(SupersededError):
        await cycling.run(boot("boot-1"))

    assert owner.orders == []


async def test_an_order_claimed_too_long_ago_is_not_given() -> None:
    owner = Owner()
    cycling = Cycling(owner)
    cycling.stands_still = 21

    with pytest.raises(SupersededError, match="stood still"):
        await cycling.run(boot("boot-1"))

    assert owner.orders == []


async def test_who_uncordons_a_machine_that_never_went_down_has_it_not_ordered_anew() -> None:
    owner = Owner()
    cycling = Cycling(owner)
    await cycling.run(boot("boot-1"))

    await cycling.run(boot("boot-1", cordoned=False), after=8 * 60)
    waits = cycling.repair.status.intent
    said = await cycling.run(boot("boot-1", cordoned=False), after=9 * 60)

    assert waits is not None
    assert isinstance(said, Going)
    assert said.message.startswith("somebody uncordoned n1: waits for what comes of power-cycle")
    assert cycling.repair.status.intent is None
    assert len(owner.orders) == 1
