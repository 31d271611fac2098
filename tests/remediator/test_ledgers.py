"""A ledger that was in use and is lost is closed, whatever else was lost with it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeAlias

import pytest
from msgspec import structs

from nodehealth import keys
from nodehealth.kit import clocks
from nodehealth.kube import errors
from nodehealth.kube.objects import CONFIG_MAPS
from nodehealth.ledger import EVER, REPAIR_LEDGERS, Disruption, RepairLedger
from nodehealth.repair import NODE_REPAIRS, Mode
from remediator.ledgers import Ledgers
from tests.builders import repair
from tests.remediator.conftest import World

MakeWorld: TypeAlias = Callable[[], Awaitable[World]]
LOST: Final = ("it was gone",)


def ledgers_of(here: World) -> Ledgers:
    """Return a new process's way to the ledger."""
    return Ledgers(client=here.client, clock=clocks.wall)


async def admit(ledgers: Ledgers) -> RepairLedger:
    """Admit one cordon, of which neither Node nor repair knows yet."""
    ledger = await ledgers.read()
    epoch = ledger.status.epoch + 1
    status = structs.replace(ledger.status, epoch=epoch, cordons={"n1": epoch})
    await ledgers.swap(structs.replace(ledger, status=status))
    return await ledgers.read()


async def lose(here: World) -> None:
    await here.client.delete(REPAIR_LEDGERS, keys.LEDGER_NAME)


async def test_a_ledger_that_is_lost_right_after_an_admission_is_closed(world: MakeWorld) -> None:
    here = await world()
    await admit(ledgers_of(here))
    await lose(here)

    found = await ledgers_of(here).read()

    assert found.spec.disruption is Disruption.CLOSED
    assert found.status.rebuilt is not None
    assert found.status.rebuilt.found == LOST
    assert found.status.epoch > 0


async def test_a_ledger_that_is_lost_with_its_note_is_closed_while_a_repair_that_may_act_is_there(
    world: MakeWorld,
) -> None:
    here = await world()
    await admit(ledgers_of(here))
    await here.repair(repair("n1"))
    await lose(here)
    await here.client.delete(CONFIG_MAPS, keys.LEDGER_IN_USE, namespace=keys.NAMESPACE)

    found = await ledgers_of(here).read()

    assert found.spec.disruption is Disruption.CLOSED


async def test_a_ledger_that_admitted_nothing_is_made_anew_and_open(world: MakeWorld) -> None:
    here = await world()
    await ledgers_of(here).ensure()
    observed = repair("n1")
    observed = structs.replace(observed, spec=structs.replace(observed.spec, mode=Mode.OBSERVE))
    await here.client.create(NODE_REPAIRS, observed)
    await lose(here)

    found = await ledgers_of(here).read()

    assert (found.spec.disruption, found.status.known_since) == (Disruption.OPEN, EVER)
    with pytest.raises(errors.GoneError):
        await here.client.get(CONFIG_MAPS, keys.LEDGER_IN_USE, namespace=keys.NAMESPACE)


async def test_a_person_opens_what_was_lost_once_for_all_processes(world: MakeWorld) -> None:
    here = await world()
    running = ledgers_of(here)
    await admit(running)
    await lose(here)
    await ledgers_of(here).read()
    opened = {"spec": {"disruption": Disruption.OPEN}}
    await here.client.merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, opened)

    old, new = await running.read(), await ledgers_of(here).read()

    assert (old.spec.disruption, new.spec.disruption) == (Disruption.OPEN, Disruption.OPEN)
    assert (await admit(running)).status.epoch == old.status.epoch + 1


async def test_a_ledger_that_takes_the_place_of_one_in_use_is_closed_at_once(
    world: MakeWorld,
) -> None:
    here = await world()
    running = ledgers_of(here)
    before = await admit(running)
    await lose(here)
    made = await here.client.create(
        REPAIR_LEDGERS, {"metadata": {"name": keys.LEDGER_NAME}, "spec": before.spec}
    )
    restored = structs.replace(made, status=before.status)
    await here.client.replace(REPAIR_LEDGERS, restored, name=keys.LEDGER_NAME, subresource="status")

    found = await running.read()

    assert found.spec.disruption is Disruption.CLOSED
    assert found.status.cordons == {"n1": 1}
    assert found.status.rebuilt is not None
    assert found.status.rebuilt.found == ("it took the place of another one that was in use",)


async def test_a_ledger_that_an_earlier_version_used_is_noted_and_stays_open(
    world: MakeWorld,
) -> None:
    here = await world()
    await admit(ledgers_of(here))
    await here.client.delete(CONFIG_MAPS, keys.LEDGER_IN_USE, namespace=keys.NAMESPACE)

    found = await ledgers_of(here).read()
    await lose(here)

    assert found.spec.disruption is Disruption.OPEN
    assert (await ledgers_of(here).read()).spec.disruption is Disruption.CLOSED


async def test_nothing_is_admitted_while_another_ledger_is_noted(world: MakeWorld) -> None:
    here = await world()
    late = ledgers_of(here)
    ledger = await late.read()
    await here.client.create(
        CONFIG_MAPS,
        {"metadata": {"name": keys.LEDGER_IN_USE}, "data": {"uid": "one-that-came-and-went"}},
        namespace=keys.NAMESPACE,
    )
    admitted = structs.replace(ledger, status=structs.replace(ledger.status, epoch=1))

    with pytest.raises(errors.ConflictError):
        await late.swap(admitted)
    found = await late.read()
    assert found.spec.disruption is Disruption.CLOSED
    assert found.status.known_since is not None
    assert found.status.known_since > clocks.wall() - timedelta(minutes=1)
