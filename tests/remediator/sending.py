"""One node, one repair that holds its slot, and a kubelet that the test plays itself."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import structs

from nodehealth import crds, keys, protections
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, Node
from nodehealth.kube.transport import Request, Response, Transport
from nodehealth.outcome import EXIT_CODES, Outcome, Result
from nodehealth.protections import PROTECTIONS
from nodehealth.repair import NODE_REPAIRS, NodeRepair, NodeRepairStatus, Phase, Rung
from remediator.actions import Action, Progress, SupersededError, Tools
from remediator.decide.repairpods import REPAIR_PODS, RepairPod
from remediator.pacing import Pacing
from remediator.record import Record
from remediator.rules.policy import DrainManners, GpuClients
from simulator.api import policies
from simulator.api.calls import User
from simulator.api.direct import Direct
from simulator.api.local import LocalTransport
from simulator.api.server import ApiServer
from simulator.virtualtime import clock
from tests.builders import NOON, at, node, repair

TOKEN: Final = "remediator"
IMAGE: Final = "registry.example/nodemend:1"


class Meddled(Transport):
    """The way to the API server, on which somebody else may be faster, once for each method."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.meanwhile: dict[str, Callable[[], Awaitable[None]]] = {}

    @asynccontextmanager
    async def open(self, request: Request, *, deadline: timedelta) -> AsyncIterator[Response]:
        """Let somebody else go first, if the test has somebody, and then send the request."""
        faster = self.meanwhile.pop(request.method, None)
        if faster is not None:
            await faster()
        async with self._inner.open(request, deadline=deadline) as response:
            yield response


@dataclass(slots=True, kw_only=True)
class Sending:
    """An action that is run pass by pass, at the times that the test says."""

    direct: Direct
    client: Client
    record: Record
    now: datetime = NOON
    superseded: bool = False
    held_back: bool = False
    """Whether what begins a step is forbidden."""
    gpu_clients: GpuClients
    meanwhile: dict[str, Callable[[], Awaitable[None]]]
    """By method, what somebody else does right before our next request of it arrives."""
    before_guard: Callable[[], Awaitable[None]] | None = None
    """What somebody else does before our guard looks."""

    async def run(self, action: Action, *, after: float = 0) -> Progress:
        """Run it once."""
        self.now = at(after)
        tools = Tools(
            client=self.client,
            clock=lambda: self.now,
            node=await self.node(),
            provider=None,
            manners=DrainManners(),
            pacing=Pacing(lambda: self.now),
            guard=self._guard,
            permit=self._permit,
            record=self.record.note,
            gpu_clients=self.gpu_clients,
        )
        return await action.run(self.record.repair, NOON, tools)

    async def runs(self, action: Action, *, times: int, after: float = 0) -> Progress:
        """Run it several times, and return what it said last."""
        for _ in range(times):
            progress = await self.run(action, after=after)
        return progress

    async def node(self) -> Node:
        """Return the Node as it is."""
        return await self.client.get(NODES, "n1")

    async def pods(self) -> Sequence[RepairPod]:
        """Return the repair Pods."""
        return (await self.client.listing(REPAIR_PODS, namespace=keys.REPAIR_NAMESPACE)).items

    async def bind(self) -> None:
        """Have somebody start the only repair Pod."""
        meta = (await self.pod()).metadata
        await self.client.bind(meta.name, namespace=meta.namespace, uid=meta.uid, node="n1")

    async def delete(self) -> None:
        """Have somebody delete the only repair Pod, not politely."""
        meta = (await self.pod()).metadata
        options = {"gracePeriodSeconds": 0}
        self.direct.delete("pods", meta.name, namespace=meta.namespace, options=options)

    async def make_anew(self) -> None:
        """Have another Pod come under the name of the only one."""
        meta = (await self.pod()).metadata
        value = self.direct.get("pods", meta.name, namespace=meta.namespace)
        await self.delete()
        spec = {key: each for key, each in value["spec"].items() if key != "nodeName"}
        kept = ("name", "labels", "annotations", "ownerReferences")
        named = {key: each for key, each in value["metadata"].items() if key in kept}
        again = {"metadata": named, "spec": spec}
        await self.client.create(REPAIR_PODS, again, namespace=meta.namespace)

    async def pod(self) -> RepairPod:
        """Return the only repair Pod."""
        (found,) = await self.pods()
        return found

    async def command(self) -> list[str]:
        """Return what the only repair Pod runs."""
        found = await self.pod()
        value = self.direct.get("pods", found.metadata.name, namespace=keys.REPAIR_NAMESPACE)
        words: list[str] = value["spec"]["containers"][0]["command"]
        return words

    async def end(self, result: Result, message: str) -> None:
        """Let the program end, as its kubelet tells it."""
        words = msgspec.json.encode(Outcome(result=result, message=message)).decode()
        code = EXIT_CODES[result]
        ended = {"exitCode": code, "reason": "Completed", "message": words}
        phase = "Failed" if code else "Succeeded"
        await self.say(phase, {"terminated": ended})

    async def say(self, phase: str, state: dict[str, Any]) -> None:
        """Let the kubelet write the Pod's status."""
        statuses = [{"name": "errand", "ready": False, "restartCount": 0, "state": state}]
        status = {"status": {"phase": phase, "containerStatuses": statuses}}
        name = (await self.pod()).metadata.name
        where = keys.REPAIR_NAMESPACE
        await self.client.merge_patch(
            REPAIR_PODS, name, status, namespace=where, subresource="status"
        )

    async def boot(self, boot: str, *, ready: bool = True) -> None:
        """Let the machine be in a boot."""
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        status = {"status": {"nodeInfo": {"bootID": boot}, "conditions": conditions}}
        await self.client.merge_patch(NODES, "n1", status, subresource="status")

    async def _guard(self) -> None:
        if self.before_guard is not None:
            await self.before_guard()
        if self.superseded:
            raise SupersededError("not ours")

    async def _permit(self) -> None:
        await self._guard()
        if self.held_back:
            raise SupersededError("a pause holds it")


async def sending(
    *ladder: str, parts: tuple[str, ...] = (), gpu_clients: GpuClients | None = None
) -> Sending:
    """Begin at the last rung of a ladder, on a server that holds to our admission policies."""
    api = ApiServer(clock=clock(), tokens={TOKEN: User(name=keys.REMEDIATOR_USER)})
    direct = Direct(api)
    for each in crds.DEFINITIONS:
        direct.create("customresourcedefinitions.apiextensions.k8s.io", crds.manifest(each))
    for protection in PROTECTIONS:
        direct.create(policies.RESOURCE, protections.policy(protection))
        direct.create(policies.BINDINGS, protections.binding(protection))
    template = {"spec": {"containers": [{"name": "errand", "image": IMAGE}]}}
    named = {"metadata": {"name": keys.REPAIR_NAME}, "template": template}
    direct.create("podtemplates", named, namespace=keys.REPAIR_NAMESPACE)
    transport = Meddled(LocalTransport(api, TOKEN))
    client = Client(transport, manager="test")
    made = await _node(client)
    one = Sending(
        direct=direct,
        client=client,
        record=Record(
            await _repair(client, made, ladder, parts),
            client=client,
            clock=lambda: NOON,
            entered=_nobody,
        ),
        gpu_clients=gpu_clients or GpuClients(),
        meanwhile=transport.meanwhile,
    )
    await one.boot("boot-1")
    return one


async def _node(client: Client) -> Node:
    seen = node("n1", fence="5:disrupted", taints=(keys.REPAIR_TAINT,), unschedulable=True)
    meta = {"name": "n1", "annotations": seen.metadata.annotations, "labels": {"a": "b"}}
    return await client.create(NODES, {"metadata": meta, "spec": seen.spec})


async def _repair(
    client: Client, seen: Node, ladder: tuple[str, ...], parts: tuple[str, ...]
) -> NodeRepair:
    wanted = repair("n1")
    target = structs.replace(wanted.spec.target, node_uid=seen.metadata.uid, boot_id="boot-1")
    rungs = tuple(Rung(action=each) for each in ladder)
    spec = structs.replace(wanted.spec, target=target, ladder=rungs, parts=parts)
    made = await client.create(NODE_REPAIRS, structs.replace(wanted, spec=spec))
    status = NodeRepairStatus(phase=Phase.REPAIRING, rung=len(ladder) - 1, rung_since=NOON)
    whole = {"metadata": made.metadata, "status": status}
    return await client.replace(NODE_REPAIRS, whole, name=made.metadata.name, subresource="status")


def _nobody(_: NodeRepair) -> None:
    """Take no notice."""
