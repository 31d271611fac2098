"""The locks of others on nodes, where the policy names them, and our own among them."""

import contextlib
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import (
    LEASES,
    Lease,
    Metadata,
    Node,
    Object,
    Resource,
    Struct,
    micro_time,
)
from remediator.decide import locks
from remediator.rules.policy import Coexistence

logger = logging.getLogger(__name__)

LEASE_NAMESPACE: Final = "medik8s-leases"
_BELIEVED: Final = timedelta(seconds=10)
"""How long what was read for one step holds for the next one."""


class MaintenanceSpec(Struct, frozen=True, kw_only=True):
    """Which node is maintained."""

    node_name: str = ""


class NodeMaintenance(Object, frozen=True, kw_only=True):
    """That a node is maintained, as long as the object is there."""

    spec: MaintenanceSpec = MaintenanceSpec()


MAINTENANCES: Final = Resource(
    group="nodemaintenance.medik8s.io",
    version="v1beta1",
    plural="nodemaintenances",
    kind="NodeMaintenance",
    namespaced=False,
    type=NodeMaintenance,
)
DAEMON_SETS: Final = Resource(
    group="apps", version="v1", plural="daemonsets", kind="DaemonSet", namespaced=True, type=Object
)
MACHINES: Final = tuple(
    Resource(
        group="cluster.x-k8s.io",
        version=version,
        plural="machines",
        kind="Machine",
        namespaced=True,
        type=Object,
    )
    for version in ("v1beta2", "v1beta1")
)


class Neighbours:
    """Reads the locks of others, and takes a node's lease while we disrupt it.

    What the policy does not name is not asked for. What it names and is not ours to read stops us.

    Args:
        client: The door to the API server.
        clock: The present time.
        settings: What the policy says now.
    """

    def __init__(
        self, *, client: Client, clock: Clock, settings: Callable[[], Coexistence]
    ) -> None:
        self._client, self._clock, self._settings = client, clock, settings
        self._believed: dict[str, tuple[datetime, str]] = {}
        self._keepers: dict[str, tuple[datetime, str]] = {}

    async def at_work(self) -> Mapping[str, str]:
        """Say by node who else holds it, read by quorum."""
        found = dict(await self._rebooted())
        if self._settings().medik8s:
            leases = (await self._client.listing(LEASES, namespace=LEASE_NAMESPACE)).items
            found = {**locks.leased(leases, self._now()), **found}
            with contextlib.suppress(errors.GoneError):
                for each in (await self._client.listing(MAINTENANCES)).items:
                    found[each.spec.node_name] = f"who made NodeMaintenance {each.metadata.name}"
        return found

    async def _rebooted(self) -> Mapping[str, str]:
        """Say by node that kured's lock names it."""
        kured = self._settings().kured
        if kured is None:
            return {}
        namespace, name = kured
        try:
            lock = await self._client.get(DAEMON_SETS, name, namespace=namespace)
        except errors.GoneError:
            return {}
        return locks.kured(lock.metadata.annotations, self._now())

    async def held(self, name: str, node: Node | None) -> str:
        """Say who else holds a node that we disrupt; take its lease, or renew ours, if nobody does.

        Whoever can't be made out counts as somebody: that keeps us from the next step, and never
        from giving the node back.
        """
        now = self._clock()
        if not self._settings().is_anything():
            return ""
        until, who = self._believed.get(name, (now, ""))
        if now < until:
            return who
        try:
            who = await self._holder(name, node)
        except errors.KubeError as unclear:
            logger.warning("who else holds %s can't be told: %s", name, unclear)
            who = f"somebody who can't be made out ({unclear})"
        self._believed[name] = now + _BELIEVED, who
        return who

    async def keeper(self, node: Node) -> str:
        """Say who else holds a node that is to be given back; its lease is not taken.

        Who can't be made out keeps no node. Nor does who only asks that it be left alone, or wants
        it maintained and has not got its lease: as long as that is ours, they wait for us.
        """
        name, now = node.metadata.name, self._clock()
        until, who = self._keepers.get(name, (now, ""))
        if not self._settings().is_anything():
            return ""
        if now < until:
            return who
        try:
            who = (await self._rebooted()).get(name, "") or await self._lessee(name)
            if self._settings().machines:
                who = who or await self._machine(node, locks.leaving)
        except errors.KubeError as unclear:
            logger.warning("who else holds %s can't be told: %s", name, unclear)
            who = ""
        self._keepers[name] = now + _BELIEVED, who
        return who

    async def _holder(self, name: str, node: Node | None) -> str:
        settings = self._settings()
        who = await self._leased(name) if settings.medik8s else ""
        who = who or (await self.at_work()).get(name, "")
        if settings.machines and node is not None:
            who = who or await self._machine(node, locks.machine)
        return who

    async def let_go(self, name: str) -> None:
        """Give the lease of a node back, if it is ours."""
        self._believed.pop(name, None)
        self._keepers.pop(name, None)
        if not self._settings().medik8s:
            return
        try:
            lease = await self._lease(name)
            if lease.spec.holder_identity == locks.HOLDER:
                await self._client.delete(
                    LEASES, lease.metadata.name, namespace=LEASE_NAMESPACE, uid=lease.metadata.uid
                )
        except (errors.GoneError, errors.ConflictError):
            return
        except errors.KubeError as failed:  # it runs out by itself; no ending waits for that
            logger.warning("the lease of %s is not given back: %s", name, failed)

    async def _lessee(self, name: str) -> str:
        """Say who else has the lease of a node."""
        if not self._settings().medik8s:
            return ""
        try:
            return locks.holder(await self._lease(name), self._now())
        except errors.GoneError:
            return ""

    async def _leased(self, name: str) -> str:
        """Take or renew the lease of a node, and say who holds it instead."""
        try:
            lease = await self._lease(name)
        except errors.GoneError:
            return await self._first(name)
        now = self._now()
        who = locks.holder(lease, now)
        if who or locks.is_fresh(lease, now):
            return who
        is_ours = lease.spec.holder_identity == locks.HOLDER
        spec = _spec(now) if not is_ours else {"renewTime": micro_time(now)}
        version = {"resourceVersion": lease.metadata.resource_version}
        body = {"metadata": version, "spec": spec}
        try:
            await self._client.merge_patch(
                LEASES, lease.metadata.name, body, namespace=LEASE_NAMESPACE
            )
        except errors.ConflictError:
            return f"whoever takes the lease {LEASE_NAMESPACE}/{lease.metadata.name} just now"
        return ""

    async def _first(self, name: str) -> str:
        lease = f"{locks.LEASE_PREFIX}{name}"
        body = {"metadata": {"name": lease}, "spec": _spec(self._now())}
        try:
            await self._client.create(LEASES, body, namespace=LEASE_NAMESPACE)
        except errors.ConflictError:
            return f"whoever takes the lease {LEASE_NAMESPACE}/{lease} just now"
        except errors.GoneError:  # nobody here keeps leases
            return ""
        return ""

    async def _machine(self, node: Node, says: Callable[[Metadata], str]) -> str:
        annotations = node.metadata.annotations
        name = annotations.get(locks.MACHINE_ANNOTATION, "")
        namespace = annotations.get(locks.MACHINE_NAMESPACE_ANNOTATION, "")
        if not name or not namespace:
            return ""
        for resource in MACHINES:
            with contextlib.suppress(errors.GoneError):
                found = await self._client.get(resource, name, namespace=namespace)
                return says(found.metadata)
        return ""

    async def _lease(self, name: str) -> Lease:
        return await self._client.get(
            LEASES, f"{locks.LEASE_PREFIX}{name}", namespace=LEASE_NAMESPACE
        )

    def _now(self) -> datetime:
        """Return the API server's time, as it answered a moment ago."""
        return self._client.server_time or self._clock()


def _spec(now: datetime) -> Mapping[str, object]:
    at = micro_time(now)
    return {
        "holderIdentity": locks.HOLDER,
        "leaseDurationSeconds": round(locks.TERM.total_seconds()),
        "acquireTime": at,
        "renewTime": at,
    }
