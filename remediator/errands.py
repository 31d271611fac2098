"""Sends programs to nodes: what `decide.errands` says about a repair Pod is done here."""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from nodehealth import keys
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import Node, Object, Resource, Struct
from nodehealth.repair import Intent, NodeRepair
from remediator import bodies, envoys
from remediator.bodies import BOOT_ANNOTATION, NODE_ANNOTATION
from remediator.decide import errands, repairpods
from remediator.decide.envoys import Outcome, Wait
from remediator.decide.errands import Errand, Look
from remediator.decide.repairpods import REPAIR_PODS, RepairPod
from remediator.envoys import Dispatch


class ImageOf(Struct, frozen=True, kw_only=True):
    """The image of a container."""

    image: str = ""


class ContainersOf(Struct, frozen=True, kw_only=True):
    """The containers of a Pod."""

    containers: tuple[ImageOf, ...] = ()


class TemplateOf(Struct, frozen=True, kw_only=True):
    """What a Pod is made of."""

    spec: ContainersOf = ContainersOf()


class PodTemplate(Object, frozen=True, kw_only=True):
    """What names the image of repair Pods; the admission policy reads it too."""

    template: TemplateOf = TemplateOf()


POD_TEMPLATES: Final = Resource(
    group="",
    version="v1",
    plural="podtemplates",
    kind="PodTemplate",
    namespaced=True,
    type=PodTemplate,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender(Dispatch[RepairPod]):
    """What sends an errand of one repair.

    Fields:
        errand: What is to be done.
        withdraw: Takes a claim back: the Pod was never started, and never will be.
    """

    resource: Resource[RepairPod] = REPAIR_PODS
    namespace: str = keys.REPAIR_NAMESPACE
    errand: Errand
    withdraw: Callable[[], Awaitable[None]]

    async def advance(self, since: datetime, patience: timedelta) -> Outcome:
        """Take one step, and say where the errand stands.

        Args:
            since: When the rung began.
            patience: How long it may take.

        Raises:
            nodehealth.kube.errors.KubeError: the API server failed us; it is done again later.
            remediator.actions.SupersededError: it is not ours to do.
        """
        pod = await _find(self.client, self.repair, self.errand.program)
        look = Look(
            errand=self.errand,
            repair=self.repair,
            node=self.node,
            pod=pod,
            pod_boot=pod.metadata.annotations.get(BOOT_ANNOTATION, "") if pod is not None else "",
            since=since,
            patience=patience,
            now=self.clock(),
        )
        return await self.take(errands.next_step(look))

    async def take_back(self) -> None:
        """See to it that an errand that may not be sent any more never starts.

        Raises:
            nodehealth.kube.errors.TestFailedError: it was sent meanwhile.
        """
        pod = await _find(self.client, self.repair, self.errand.program)
        if pod is not None and not repairpods.is_bound(pod):
            await self.call_back(pod, "")

    async def body(self) -> dict[str, Any]:
        """Return a Pod for the present boot, which waits for a scheduler that does not exist."""
        boot = self.node.status.node_info.boot_id if self.node is not None else ""
        return bodies.pod(self.errand, self.repair, boot, await _image(self.client))

    def unmade(self, refused: str) -> Wait:
        """Try again: what is missing may be mended while the rung lasts."""
        return Wait(message=refused)

    async def let_go(self, envoy: RepairPod) -> Wait:
        """Bind a Pod to its node."""
        meta, node = envoy.metadata, self.repair.spec.target.node
        with contextlib.suppress(errors.ConflictError, errors.GoneError):
            await self.client.bind(
                meta.name,
                namespace=meta.namespace,
                uid=meta.uid,
                resource_version=meta.resource_version,
                node=node,
            )
        return Wait(message="its Pod is sent to the node")

    async def call_back(self, envoy: RepairPod, message: str) -> Wait:
        """Delete a Pod; one that is on no node yet only if nobody has bound it meanwhile.

        That one is called off first, so that nobody can bind it, and then its claim is taken back:
        whoever dies in between leaves a Pod that shows that it never was started. What somebody
        else deleted may have been.
        """
        version = ""
        if not repairpods.is_bound(envoy):
            try:
                envoy = await envoys.called_off(self.client, REPAIR_PODS, envoy, self.clock())
            except errors.GoneError:
                return Wait(message=message)
            version = envoy.metadata.resource_version
            await self.withdraw()
        meta = envoy.metadata
        with contextlib.suppress(errors.GoneError):
            await self.client.delete(
                REPAIR_PODS,
                meta.name,
                namespace=meta.namespace,
                uid=meta.uid,
                resource_version=version,
            )
        return Wait(message=message)


async def is_settled(
    client: Client, repair: NodeRepair, intent: Intent, node: Node | None, now: datetime
) -> bool:
    """Say whether nothing can come any more of what a repair sent to its node."""
    pod = await _find(client, repair, intent.action)
    return errands.is_settled(intent, pod, node, now)


async def clear(client: Client, node: str) -> bool:
    """Delete what may still run, or be started, on a node; say whether nothing is left.

    Unlike a repair, which knows its own, this is for a node that no repair holds any more.
    """
    where = keys.REPAIR_NAMESPACE
    sent = await client.listing(REPAIR_PODS, namespace=where, fields=f"spec.nodeName={node}")
    unsent = await client.listing(REPAIR_PODS, namespace=where, fields="spec.nodeName=")
    meant = [e for e in unsent.items if e.metadata.annotations.get(NODE_ANNOTATION) == node]
    left = [each for each in (*sent.items, *meant) if repairpods.may_run(each)]
    for each in left:
        if each.metadata.deletion_timestamp is None:
            with contextlib.suppress(errors.GoneError, errors.ConflictError):
                meta = each.metadata
                await client.delete(REPAIR_PODS, meta.name, namespace=where, uid=meta.uid)
    return not left


async def _find(client: Client, repair: NodeRepair, program: str) -> RepairPod | None:
    name = bodies.pod_name(repair, program)
    return await envoys.find(client, REPAIR_PODS, name, namespace=keys.REPAIR_NAMESPACE)


async def _image(client: Client) -> str:
    """Read which image is run: the admission policy lets no other one in.

    Raises:
        nodehealth.kube.errors.GoneError: nothing says which.
    """
    found = await client.get(POD_TEMPLATES, keys.REPAIR_NAME, namespace=keys.REPAIR_NAMESPACE)
    for container in found.template.spec.containers:
        return container.image
    where = f"{keys.REPAIR_NAMESPACE}/{keys.REPAIR_NAME}"
    raise errors.GoneError(f"PodTemplate {where}: expected a container's image, got no container")
