"""A machine is ordered to be replaced once, by whoever wrote the intent down."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import Node
from nodehealth.repair import NodeRepair, NodeRepairStatus, Phase, Target
from remediator.actions import Done, Failed, Going, Progress, SupersededError, Tools
from remediator.actions.replace import Replace
from remediator.pacing import Pacing
from remediator.providers import MachineState, Provider, UnableError
from remediator.rules.policy import DrainManners
from tests.builders import NOON, at, node, repair
from tests.nodehealth.kube.fakes import Scripted


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner(Provider):
    """Owns one machine and keeps the keys of its orders."""

    orders: list[str] = field(default_factory=list)
    states: list[MachineState] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    """Why it refuses what is ordered from now on."""

    async def state(self, target: Target, client: Client) -> MachineState:
        """Return the next state, and the last one for ever."""
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    async def replace(self, target: Target, key: str, client: Client) -> None:
        """Take the order."""
        if self.refusals:
            raise UnableError(self.refusals[-1])
        self.orders.append(key)


class Replacing:
    """One replacement, run at the times that the test says."""

    def __init__(self, *states: MachineState, contested: bool = False) -> None:
        self.owner = Owner(states=list(states))
        self.repair = repair("n1", status=NodeRepairStatus(phase=Phase.REPAIRING))
        self.contested, self.now = contested, NOON
        self.superseded, self.stands_still = False, 0.0

    async def run(
        self, *, after: float, provider: bool = True, seen: Node | None = None
    ) -> Progress:
        self.now = at(after)
        tools = Tools(
            client=Client(Scripted(), manager="test"),
            clock=lambda: self.now,
            node=seen,
            provider=self.owner if provider else None,
            manners=DrainManners(),
            pacing=Pacing(lambda: self.now),
            guard=self._guard,
            record=self._record,
        )
        return await Replace().run(self.repair, NOON, tools)

    async def _guard(self) -> None:
        assert self.repair.status.intent is not None, "the intent comes before the guard"
        self.now = at(self.stands_still) if self.stands_still else self.now
        if self.superseded:
            raise SupersededError("not ours")

    async def _record(self, status: NodeRepairStatus) -> NodeRepair:
        if self.contested:
            raise errors.ConflictError("somebody else wrote it down")
        self.repair = NodeRepair(
            metadata=self.repair.metadata, spec=self.repair.spec, status=status
        )
        return self.repair


def issued(replacing: Replacing) -> datetime | None:
    intent = replacing.repair.status.intent
    return intent.issued_at if intent else None


async def test_a_machine_is_ordered_away_once() -> None:
    replacing = Replacing(MachineState.PRESENT)

    first = await replacing.run(after=0)
    await replacing.run(after=5)

    assert isinstance(first, Going)
    assert len(replacing.owner.orders) == 1


async def test_an_order_that_had_no_effect_is_given_again_under_another_key() -> None:
    replacing = Replacing(MachineState.PRESENT)

    await replacing.run(after=0)
    await replacing.run(after=120)

    first, second = replacing.owner.orders
    assert first != second
    assert issued(replacing) == at(120)


async def test_who_loses_the_race_for_the_intent_orders_nothing() -> None:
    replacing = Replacing(MachineState.PRESENT, contested=True)

    with pytest.raises(errors.ConflictError):
        await replacing.run(after=0)

    assert replacing.owner.orders == []


async def test_a_machine_that_is_leaving_already_is_waited_for() -> None:
    replacing = Replacing(MachineState.LEAVING)

    assert isinstance(await replacing.run(after=0), Going)
    assert replacing.owner.orders == []


async def test_a_successor_that_joined_ends_it() -> None:
    replacing = Replacing(MachineState.PRESENT, MachineState.LEAVING, MachineState.REPLACED)

    steps = [await replacing.run(after=seconds) for seconds in (0, 5, 10)]

    assert steps[-1] == Done(message="the machine was replaced")


async def test_without_a_successor_in_time_it_has_failed() -> None:
    replacing = Replacing(MachineState.LEAVING)

    late = await replacing.run(after=timedelta(minutes=20).total_seconds())

    assert late == Failed(message="no successor joined the cluster within 20m")


async def test_without_an_owner_of_machines_it_has_failed() -> None:
    replacing = Replacing(MachineState.PRESENT)

    assert await replacing.run(after=0, provider=False) == Failed(
        message="the policy names no provider that could replace a machine"
    )


async def test_a_machine_of_another_owner_is_not_ordered_away() -> None:
    replacing = Replacing(MachineState.FOREIGN)

    assert await replacing.run(after=0) == Failed(
        message="the owner of the machines does not know sim://machine-n1"
    )
    assert replacing.owner.orders == []


async def test_nothing_is_ordered_without_the_right_to_disrupt() -> None:
    replacing = Replacing(MachineState.PRESENT)
    replacing.superseded = True

    with pytest.raises(SupersededError):
        await replacing.run(after=0)

    assert replacing.owner.orders == []


async def test_an_order_that_is_held_back_is_given_later_as_the_first_attempt() -> None:
    replacing = Replacing(MachineState.PRESENT)
    replacing.superseded = True

    with pytest.raises(SupersededError):
        await replacing.run(after=0)
    held = issued(replacing)
    replacing.superseded = False
    await replacing.run(after=5)
    intent = replacing.repair.status.intent

    assert held is None
    assert intent is not None
    assert (intent.attempt, replacing.owner.orders) == (1, [intent.key])


async def test_an_order_claimed_too_long_ago_is_not_given() -> None:
    replacing = Replacing(MachineState.PRESENT)
    replacing.stands_still = 21

    with pytest.raises(SupersededError, match="stood still"):
        await replacing.run(after=0)

    assert replacing.owner.orders == []


async def test_an_order_that_is_refused_is_forgotten_and_waited_for_by_nobody() -> None:
    replacing = Replacing(MachineState.PRESENT)
    replacing.owner.refusals.append("the quota is spent")

    assert await replacing.run(after=0) == Failed(message="the quota is spent")
    assert issued(replacing) is None


async def test_a_refusal_of_a_second_order_says_nothing_of_the_first() -> None:
    replacing = Replacing(MachineState.PRESENT)
    await replacing.run(after=0)
    replacing.owner.refusals.append("the quota is spent")

    assert await replacing.run(after=120) == Failed(message="the quota is spent")
    assert issued(replacing) == at(120)


async def test_who_uncordons_a_machine_has_it_not_ordered_away_again() -> None:
    replacing = Replacing(MachineState.PRESENT)
    await replacing.run(after=0)

    waits = await replacing.run(after=600, seen=node())
    before = issued(replacing)
    await replacing.run(after=900, seen=node())

    assert isinstance(waits, Going)
    assert waits.message == (
        "somebody uncordoned n1: waits for what comes of replace, ordered at 12:00:00; "
        "orders no more"
    )
    assert len(replacing.owner.orders) == 1
    assert before == NOON
    assert issued(replacing) is None


async def test_a_machine_that_leaves_although_it_was_uncordoned_is_waited_for() -> None:
    replacing = Replacing(MachineState.PRESENT, MachineState.LEAVING)
    await replacing.run(after=0)

    await replacing.run(after=900, seen=node())

    assert issued(replacing) == NOON
