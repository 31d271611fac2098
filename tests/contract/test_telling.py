"""Events are created once and counted, in the namespace of what they are about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from nodehealth.kube import errors, events
from nodehealth.kube.events import EVENTS, Note
from nodehealth.kube.objects import NODES, PODS
from tests.contract.cluster import Cluster
from tests.contract.kinds import Json

NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)


async def test_what_happens_again_is_counted(cluster: Cluster) -> None:
    """core/v1 Event: count and lastTimestamp."""
    pod = await cluster.pod("p", await cluster.node())
    about = events.reference(PODS, pod)
    note = Note(about=about, reason="RepairWaits", message="for a slot", at=NOON)

    for at in (NOON, NOON, NOON + timedelta(minutes=1)):
        await events.record(cluster.client, replace(note, at=at))

    found = await cluster.client.get(EVENTS, events.name(note), namespace=cluster.namespace)
    assert (found.count, found.message) == (2, "for a slot")
    assert found.involved_object == about


async def test_events_are_selected_by_what_they_are_about(cluster: Cluster) -> None:
    """Field selectors of events: what `kubectl describe` asks for."""
    pod = await cluster.pod("p", await cluster.node())
    note = Note(about=events.reference(PODS, pod), reason="RepairWaits", message="", at=NOON)
    await events.record(cluster.client, note)

    found = await cluster.client.listing(
        EVENTS,
        namespace=cluster.namespace,
        fields=f"involvedObject.uid={pod.metadata.uid},reason=RepairWaits",
    )

    assert [each.metadata.name for each in found.items] == [events.name(note)]


async def test_what_happens_to_a_node_is_told_in_the_default_namespace(cluster: Cluster) -> None:
    """legacyValidateEvent: cluster-wide objects have their events there."""
    node = await cluster.node()
    note = Note(about=events.reference(NODES, node), reason="Cordoned", message="m", at=NOON)
    cluster.expect(EVENTS, events.name(note), namespace="default")

    await events.record(cluster.client, note)

    found = await cluster.client.get(EVENTS, events.name(note), namespace="default")
    assert found.involved_object.uid == node.metadata.uid


async def test_and_nowhere_else(cluster: Cluster) -> None:
    """legacyValidateEvent: the namespace must be that of the object."""
    node = await cluster.node()
    body: Json = {
        "involvedObject": events.reference(NODES, node),
        "reason": "Cordoned",
        "message": "m",
        "type": "Normal",
    }

    with pytest.raises(errors.InvalidError, match=r"does not match event\.namespace"):
        await cluster.create(EVENTS, cluster.named("e"), body)
