"""Whoever is behind a Node where no machine is: its kubelet, its agent, the machine's owner."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from nodehealth.health import NodeHealth, NodeHealthStatus
from nodehealth.kit import clocks
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, PODS, Node, Resource
from nodehealth.repair import Target
from remediator.providers import MachineState, Provider
from simulator import reports
from simulator.fault import Symptoms
from simulator.faults.disk_full import DiskFull
from tests.contract.cluster import Cluster

_EVERY: Final = 0.5
_FULL: Final = DiskFull(mount="/scratch").symptoms()


@dataclass(slots=True, kw_only=True)
class Machine:
    """Says of a Node what its kubelet and its agent would, and ends the pods that are to leave."""

    cluster: Cluster
    healths: Resource[NodeHealth]
    labels: dict[str, str]
    node: Node = field(default_factory=Node)
    symptoms: Symptoms = _FULL
    said: NodeHealthStatus = field(default_factory=NodeHealthStatus)

    @property
    def name(self) -> str:
        """Return the Node's name."""
        return self.cluster.named("node")

    async def join(self) -> None:
        """Have a new machine join under the name."""
        self.node = await self.cluster.node(labels=self.labels)
        boot = reports.Boot(
            node_uid=self.node.metadata.uid,
            boot_id=self.node.metadata.uid,
            refresh=timedelta(seconds=10),
            booted_at=clocks.wall(),
        )
        self.said = reports.first(boot, self.symptoms)

    async def run(self) -> None:
        """Go on until cancelled; where the Node is away, there is nothing to say of it."""
        while True:
            with suppress(errors.GoneError, errors.ConflictError):
                await self._live()
            await asyncio.sleep(_EVERY)

    async def _live(self) -> None:
        client, now = self.cluster.client, clocks.wall()
        beat = {"type": "Ready", "status": "True", "reason": "Contract", "message": "no machine"}
        heard = {**beat, "lastHeartbeatTime": now.replace(microsecond=0)}
        await client.strategic_patch(
            NODES, self.name, {"status": {"conditions": [heard]}}, subresource="status"
        )
        self.said = reports.following(self.said, self.symptoms, (), now)
        status = {"status": reports.explicit(self.said)}
        await client.merge_patch(self.healths, self.name, status, subresource="status")
        for pod in (await client.listing(PODS, fields=f"spec.nodeName={self.name}")).items:
            if pod.metadata.deletion_timestamp is not None:
                place, uid = pod.metadata.namespace, pod.metadata.uid
                name = pod.metadata.name
                await client.delete(PODS, name, namespace=place, uid=uid, grace_seconds=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner(Provider):
    """Owns the machine: the next one has an empty disk."""

    machine: Machine
    ordered: list[str] = field(default_factory=list)
    """The UIDs of the Nodes whose machines were ordered away."""

    async def state(self, target: Target, client: Client) -> MachineState:
        """Say what has become of it."""
        del client
        if target.node_uid not in self.ordered:
            return MachineState.PRESENT
        replaced = self.machine.node.metadata.uid != target.node_uid
        return MachineState.REPLACED if replaced else MachineState.LEAVING

    async def replace(self, target: Target, key: str, client: Client) -> None:
        """Take the machine away with its Node, and have another one join."""
        del key, client
        self.ordered.append(target.node_uid)
        asked = self.machine.cluster.client
        await asked.delete(NODES, target.node, uid=target.node_uid)
        self.machine.symptoms = Symptoms()
        await self.machine.join()
