"""The server guards the ledger: there is one, and its epoch never falls, whoever writes it."""

from typing import Final

import pytest

from nodehealth.kube import errors
from nodehealth.kube.objects import Resource
from nodehealth.ledger import REPAIR_LEDGERS, RepairLedger
from tests.contract.cluster import Cluster
from tests.contract.kinds import Json

NAME: Final = "default"
SLOT: Final = {
    "epoch": 7,
    "nodeUID": "u",
    "repair": "r",
    "acquiredAt": "2026-01-01T12:00:00Z",
    "pool": "p",
}


@pytest.fixture
async def ledgers(cluster: Cluster) -> Resource[RepairLedger]:
    """Serve ledgers, of which there is one at epoch 7."""
    kind = await cluster.custom(REPAIR_LEDGERS)
    made = await cluster.create(kind, NAME)
    status: Json = {"epoch": 7, "cordons": {"n1": 6}, "slots": {"n1": SLOT}}
    assert made.status.epoch == 0
    await cluster.client.merge_patch(kind, NAME, {"status": status}, subresource="status")
    return kind


async def test_a_ledger_of_another_name_is_refused(
    cluster: Cluster, ledgers: Resource[RepairLedger]
) -> None:
    """CustomResourceDefinitions, "Validation rules": self.metadata.name."""
    with pytest.raises(errors.InvalidError, match="there is one ledger"):
        await cluster.create(ledgers, cluster.named("another"))


async def test_the_epoch_rises(cluster: Cluster, ledgers: Resource[RepairLedger]) -> None:
    """CustomResourceDefinitions, "Transition rules": on the status subresource too."""
    changed = await cluster.client.merge_patch(
        ledgers, NAME, {"status": {"epoch": 8}}, subresource="status"
    )

    assert (changed.status.epoch, changed.status.cordons) == (8, {"n1": 6})
    assert changed.status.slots["n1"].epoch == 7


@pytest.mark.parametrize("status", [{"epoch": 6}, {"epoch": 0}, {"epoch": None}])
async def test_the_epoch_never_falls(
    cluster: Cluster, ledgers: Resource[RepairLedger], status: Json
) -> None:
    """CustomResourceDefinitions, "Transition rules": oldSelf."""
    with pytest.raises(errors.InvalidError, match="the epoch never falls"):
        await cluster.client.merge_patch(ledgers, NAME, {"status": status}, subresource="status")

    assert (await cluster.client.get(ledgers, NAME)).status.epoch == 7


async def test_the_whole_status_cannot_be_wiped(
    cluster: Cluster, ledgers: Resource[RepairLedger]
) -> None:
    """CustomResourceDefinitions, "Transition rules": a replace is an update as well."""
    seen = await cluster.client.get(ledgers, NAME)
    bare: Json = {"metadata": {"name": NAME, "resourceVersion": seen.metadata.resource_version}}

    with pytest.raises(errors.InvalidError, match="the epoch never falls"):
        await cluster.client.replace(ledgers, bare, name=NAME, subresource="status")


async def test_a_person_closes_disruption_without_touching_admissions(
    cluster: Cluster, ledgers: Resource[RepairLedger]
) -> None:
    """CustomResourceDefinitions, "Status subresource"."""
    closed = {"spec": {"disruption": "Closed"}}

    changed = await cluster.client.merge_patch(ledgers, NAME, closed)

    assert (changed.spec.disruption, changed.status.epoch) == ("Closed", 7)
    with pytest.raises(errors.InvalidError, match="Ajar"):
        await cluster.client.merge_patch(ledgers, NAME, {"spec": {"disruption": "Ajar"}})


async def test_a_swap_of_a_stale_ledger_fails(
    cluster: Cluster, ledgers: Resource[RepairLedger]
) -> None:
    """API conventions, "Concurrency Control and Consistency": custom kinds and subresources too."""
    seen = await cluster.client.get(ledgers, NAME)
    await cluster.client.replace(ledgers, seen, name=NAME, subresource="status")
    await cluster.client.merge_patch(ledgers, NAME, {"spec": {"disruption": "Closed"}})

    with pytest.raises(errors.ConflictError, match="has been modified"):
        await cluster.client.replace(ledgers, seen, name=NAME, subresource="status")


async def test_a_swap_without_a_version_is_refused(
    cluster: Cluster, ledgers: Resource[RepairLedger]
) -> None:
    """CustomResourceDefinitions do not allow unconditional updates: 422."""
    with pytest.raises(errors.InvalidError, match="resourceVersion"):
        await cluster.client.replace(
            ledgers,
            {"metadata": {"name": NAME}, "status": {"epoch": 9}},
            name=NAME,
            subresource="status",
        )
