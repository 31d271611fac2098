"""Sends programs to nodes: what `decide.errands` says about a repair Pod is done here."""

import contextlib
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from nodehealth import keys
from nodehealth.errand import CONTAINER, HOST_MOUNT, HOST_ROOT, command
from nodehealth.kit.clocks import Clock
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import Node, Object, Resource, Struct
from nodehealth.repair import NODE_REPAIRS, Intent, NodeRepair
from remediator.decide import errands, repairpods, rungs
from remediator.decide.errands import (
    Claim,
    Errand,
    GiveUp,
    Look,
    Make,
    Remove,
    Start,
    Succeed,
    Wait,
)
from remediator.decide.repairpods import REPAIR_PODS, RepairPod

BOOT_ANNOTATION: Final = f"{keys.GROUP}/boot-id"
"""On a repair Pod: the boot for which it was made."""
NODE_ANNOTATION: Final = f"{keys.GROUP}/node"
"""On a repair Pod: the node for which it was made."""
_HOST: Final = "host"
_DIGEST_LENGTH: Final = 32
_GRACE_SECONDS: Final = 10


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
class Sender:
    """What sends an errand of one repair.

    Fields:
        client: The door to the API server.
        clock: The present time.
        node: The Node as it was just read.
        guard: Checks that the repair may disrupt its node at this moment.
        claim: Writes down that the Pod of this UID may be started for this boot.
        withdraw: Takes that back: the Pod was never started, and never will be.
    """

    client: Client
    clock: Clock
    node: Node | None
    guard: Callable[[], Awaitable[None]]
    claim: Callable[[str, str], Awaitable[None]]
    withdraw: Callable[[], Awaitable[None]]

    async def advance(
        self, errand: Errand, repair: NodeRepair, since: datetime, patience: timedelta
    ) -> Wait | Succeed | GiveUp:
        """Take one step, and say where the errand stands.

        Raises:
            nodehealth.kube.errors.KubeError: the API server failed us; it is done again later.
            remediator.actions.SupersededError: it is not ours to do.
        """
        pod = await find(self.client, name(repair, errand.program))
        boot = pod.metadata.annotations.get(BOOT_ANNOTATION, "") if pod is not None else ""
        look = Look(
            errand=errand,
            repair=repair,
            node=self.node,
            pod=pod,
            pod_boot=boot,
            since=since,
            patience=patience,
            now=self.clock(),
        )
        step = errands.next_step(look)
        match step:
            case Make():
                return await self._make(look)
            case Claim():
                await self.claim(step.pod.metadata.uid, boot)
                return await self._bind(step.pod, repair)
            case Start():
                await self.guard()
                return await self._bind(step.pod, repair)
            case Remove():
                return await self._remove(step.pod, step.message)
            case _:
                return step

    async def _make(self, look: Look) -> Wait:
        node = look.node
        if node is None:
            return Wait(message="there is no such Node")
        try:
            image = await _image(self.client)
            made = body(look.errand, look.repair, node.status.node_info.boot_id, image)
            await self.client.create(REPAIR_PODS, made, namespace=keys.REPAIR_NAMESPACE)
        except errors.ConflictError:
            return Wait(message="its Pod was made already")
        except (errors.GoneError, errors.ForbiddenError, errors.InvalidError) as refused:
            return Wait(message=str(refused))
        return Wait(message="its Pod is made")

    async def take_back(self, errand: Errand, repair: NodeRepair) -> None:
        """See to it that an errand that may not be sent any more never starts.

        Raises:
            nodehealth.kube.errors.ConflictError: it was sent meanwhile.
        """
        pod = await find(self.client, name(repair, errand.program))
        if pod is not None and not repairpods.is_bound(pod):
            await self._remove(pod, "")

    async def _bind(self, pod: RepairPod, repair: NodeRepair) -> Wait:
        meta, node = pod.metadata, repair.spec.target.node
        with contextlib.suppress(errors.ConflictError, errors.GoneError):
            await self.client.bind(meta.name, namespace=meta.namespace, uid=meta.uid, node=node)
        return Wait(message="its Pod is sent to the node")

    async def _remove(self, pod: RepairPod, message: str) -> Wait:
        """Delete a Pod; one that is on no node yet only if nobody has bound it meanwhile.

        What somebody else deleted may have been started before: only our own deletion proves that
        it never was, and lets another one be sent.
        """
        meta, bound = pod.metadata, repairpods.is_bound(pod)
        version = "" if bound else meta.resource_version
        try:
            await self.client.delete(
                REPAIR_PODS,
                meta.name,
                namespace=meta.namespace,
                uid=meta.uid,
                resource_version=version,
            )
        except errors.GoneError:
            return Wait(message=message)
        if not bound:
            await self.withdraw()
        return Wait(message=message)


async def find(client: Client, name: str) -> RepairPod | None:
    """Read a repair Pod, if it is there."""
    try:
        return await client.get(REPAIR_PODS, name, namespace=keys.REPAIR_NAMESPACE)
    except errors.GoneError:
        return None


async def is_settled(
    client: Client, repair: NodeRepair, intent: Intent, node: Node | None, now: datetime
) -> bool:
    """Say whether nothing can come any more of what a repair sent to its node."""
    pod = await find(client, name(repair, intent.action))
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


def name(repair: NodeRepair, program: str) -> str:
    """Return what the Pod of an errand is called: one for each rung of each repair."""
    seed = f"{rungs.identity(repair)}|{program}"
    return f"{program}-{hashlib.sha256(seed.encode()).hexdigest()[:_DIGEST_LENGTH]}"


def body(errand: Errand, repair: NodeRepair, boot_id: str, image: str) -> dict[str, Any]:
    """Return the Pod of an errand, as the admission policy wants it."""
    words = command(errand.program, boot_id, gpus=errand.gpus, service=errand.service)
    labels = {keys.NAME_LABEL: keys.REPAIR_NAME, keys.REPAIR_LABEL: repair.metadata.uid}
    target = repair.spec.target.node
    return {
        "metadata": {
            "name": name(repair, errand.program),
            "labels": labels,
            "annotations": {BOOT_ANNOTATION: boot_id, NODE_ANNOTATION: target},
            "ownerReferences": [_owner(repair)],
        },
        "spec": _spec(errand, target) | {"containers": [_container(words, image)]},
    }


def _spec(errand: Errand, target: str) -> dict[str, Any]:
    field = {"key": "metadata.name", "operator": "In", "values": [target]}
    terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    return {
        "schedulerName": keys.REPAIR_SCHEDULER,
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}},
        "restartPolicy": "Never",
        "activeDeadlineSeconds": round(errand.lasts.total_seconds()),
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "hostPID": True,
        "hostNetwork": True,
        "dnsPolicy": "Default",
        "priorityClassName": "system-node-critical",
        "tolerations": [{"operator": "Exists"}],
        "volumes": [{"name": _HOST, "hostPath": {"path": "/"}}],
    }


def _container(words: tuple[str, ...], image: str) -> dict[str, Any]:
    mount = {"name": _HOST, "mountPath": HOST_MOUNT, "mountPropagation": "HostToContainer"}
    return {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(words),
        "env": [{"name": HOST_ROOT, "value": HOST_MOUNT}],
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {"privileged": True, "runAsUser": 0, "runAsNonRoot": False},
        "volumeMounts": [mount],
    }


def _owner(repair: NodeRepair) -> dict[str, Any]:
    return {
        "apiVersion": NODE_REPAIRS.api_version,
        "kind": NODE_REPAIRS.kind,
        "name": repair.metadata.name,
        "uid": repair.metadata.uid,
    }


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
