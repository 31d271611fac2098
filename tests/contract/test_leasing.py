"""A Lease is held by renewing it, and its times are written as the server wants them."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

import pytest

from nodehealth.kit import clocks
from nodehealth.kube import errors
from nodehealth.kube.lease import Election, Terms
from nodehealth.kube.objects import LEASES, Lease, micro_time
from tests.contract.cluster import Cluster

NOON: Final = datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)
TERMS: Final = Terms(
    duration=timedelta(seconds=4),
    renew_deadline=timedelta(seconds=3),
    retry=timedelta(milliseconds=50),
)


async def lease(cluster: Cluster, renewed: str) -> Lease:
    """Create a Lease."""
    spec = {"holderIdentity": "a", "leaseDurationSeconds": 15, "renewTime": renewed}
    return await cluster.create(LEASES, cluster.named("l"), {"spec": spec})


async def renew(cluster: Cluster, seen: Lease, at: str) -> Lease:
    """Renew a Lease, if it is as it was seen."""
    version = {"resourceVersion": seen.metadata.resource_version}
    return await cluster.client.merge_patch(
        LEASES,
        seen.metadata.name,
        {"metadata": version, "spec": {"renewTime": at}},
        namespace=cluster.namespace,
    )


async def test_a_time_of_six_fractional_digits_is_kept(cluster: Cluster) -> None:
    """meta/v1 MicroTime: RFC3339Micro."""
    made = await lease(cluster, micro_time(NOON))
    renewed = await renew(cluster, made, micro_time(NOON + timedelta(microseconds=1)))

    assert (made.spec.renew_time, made.spec.holder_identity) == (NOON, "a")
    assert renewed.spec.renew_time == NOON + timedelta(microseconds=1)


@pytest.mark.parametrize("coarse", ["2026-01-01T12:00:00Z", "2026-01-01T12:00:00.250Z", "noon"])
async def test_a_time_of_fewer_digits_is_refused(cluster: Cluster, coarse: str) -> None:
    """meta/v1 MicroTime: RFC3339Micro is parsed strictly."""
    made = await lease(cluster, micro_time(NOON))

    with pytest.raises(errors.InvalidError):
        await renew(cluster, made, coarse)


async def test_a_renewal_of_what_another_renewed_fails(cluster: Cluster) -> None:
    """API conventions, "Concurrency Control and Consistency"."""
    made = await lease(cluster, micro_time(NOON))
    await renew(cluster, made, micro_time(NOON + timedelta(seconds=1)))

    with pytest.raises(errors.ConflictError):
        await renew(cluster, made, micro_time(NOON + timedelta(seconds=2)))


async def test_of_two_candidates_one_leads_and_the_other_follows_it(cluster: Cluster) -> None:
    """Leases, "Leader election"."""
    led = asyncio.Queue[str]()
    name = cluster.named("leader")
    cluster.expect(LEASES, name)

    def candidate(identity: str) -> asyncio.Task[None]:
        election = Election(
            cluster.client,
            name=name,
            namespace=cluster.namespace,
            identity=identity,
            clock=clocks.wall,
            random=Random(identity),
            terms=TERMS,
        )

        async def lead() -> None:
            await led.put(identity)
            await asyncio.Event().wait()

        return asyncio.create_task(election.run(lead))

    tasks = {identity: candidate(identity) for identity in ("a", "b")}
    try:
        async with asyncio.timeout(cluster.pace.patience):
            first = await led.get()
            tasks[first].cancel()
            second = await led.get()
    finally:
        for task in tasks.values():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    assert {first, second} == {"a", "b"}
    held = await cluster.client.get(LEASES, name, namespace=cluster.namespace)
    assert held.spec.lease_transitions == 1
