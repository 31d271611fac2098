"""A cluster in which nobody may do more than the manifests grant, and all that was asked of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final

import msgspec

from agent.report import Report
from nodehealth import keys
from nodehealth.health import NODE_HEALTHS, NodeHealthStatus
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import NODES, Metadata, Node
from nodehealth.ledger import REPAIR_LEDGERS
from nodehealth.repair import NODE_REPAIRS, NodeRepair, Phase
from remediator import files, main
from remediator.decide.keeping import KEPT
from remediator.decide.plan import is_open
from remediator.decide.repairpods import REPAIR_PODS, is_bound
from remediator.files import Loaded
from remediator.main import Settings
from remediator.rules.alerting import Alerting, Receiver
from remediator.sinks import Outside
from simulator import virtualtime
from simulator.api.audit import AuditEntry
from simulator.cluster import REMEDIATOR_TOKEN, Cluster
from tests.deploy.manifests import DEPLOY, PROGRAMS, objects
from tests.safety import sent, stage

RBAC: Final = "rbac.authorization.k8s.io/v1"
KINDS: Final = frozenset({"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"})
USERS: Final = frozenset({keys.AGENT_USER, keys.REMEDIATOR_USER})
MACHINES: Final = "machines.simulator.nodemend.dev"
LOG: Final = files.sink("stdout", {})
RULES: Final = sent.beside(stage.RULES, "drain", "reboot", "replace")
_TRIES: Final = 400


def outside() -> Outside:
    """Return a way to people that nobody listens at."""

    async def post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
        del url, body, headers

    async def write(text: str) -> None:
        del text

    return Outside(post=post, write=write, clock=virtualtime.clock())


def shipped() -> list[dict[str, Any]]:
    """Return the roles and bindings of the manifests."""
    made = [each for program in PROGRAMS for each in objects(DEPLOY / program)]
    return [each for each in made if each["kind"] in KINDS]


def owners() -> list[dict[str, Any]]:
    """Let the remediator ask the simulated owner of the machines, as a cloud's API would."""
    rule = {"apiGroups": ["simulator.nodemend.dev"], "resources": ["*"], "verbs": ["*"]}
    role = {"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": "machines"}}
    binding = {
        **role,
        "kind": "ClusterRoleBinding",
        "roleRef": {"kind": "ClusterRole", "name": "machines"},
        "subjects": [{"kind": "User", "name": keys.REMEDIATOR_USER}],
    }
    return [{**role, "rules": [rule]}, binding]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The cluster, and a log of what the two programs asked of it."""

    cluster: Cluster
    client: Client
    asked: list[AuditEntry] = field(default_factory=list)

    def hear(self, entry: AuditEntry) -> None:
        """Keep what one of the programs asked."""
        if entry.user in USERS:
            self.asked.append(entry)

    @asynccontextmanager
    async def remediator(self, name: str) -> AsyncIterator[None]:
        """Let a replica run for a while, its election included."""
        receiver = Receiver(name="log", sink="stdout", settings={})
        policy = replace(stage.policy(), alerts=Alerting(receivers=(receiver,)))
        files = Loaded(rules=RULES, policy=policy, provider=stage.PROVIDER, sinks={"log": LOG})
        client = self.cluster.client(keys.REMEDIATOR_MANAGER, token=REMEDIATOR_TOKEN)
        stop = asyncio.Event()
        work = main.run(
            Settings(identity=name),
            files,
            client=client,
            clock=virtualtime.clock(),
            random=Random(name),
            stop=stop,
            outside=outside(),
        )
        running = asyncio.create_task(work)
        try:
            yield
        finally:
            stop.set()
            await running

    def agent(self, node: Node, *, token_of: str = "") -> Report:
        """Return how the agent of a node reports; with the token of another node's if named."""
        token = self.cluster.agent_token(token_of or node.metadata.name)
        client = self.cluster.client(keys.AGENT_MANAGER, token=token)
        return Report(client, node=node.metadata.name, node_uid=node.metadata.uid)

    async def node(self, name: str) -> Node:
        """Return a Node."""
        return await self.client.get(NODES, name)

    async def age(self, node: str) -> None:
        """Give a node as many repairs in the past as are kept, and one more."""
        template = next(iter((await self.client.listing(NODE_REPAIRS)).items))
        target = msgspec.structs.replace(template.spec.target, node=node)
        remediator = self.cluster.client(keys.REMEDIATOR_MANAGER, token=REMEDIATOR_TOKEN)
        for number in range(KEPT + 1):
            name = f"{node}-in-the-past-{number}"
            spec = msgspec.structs.replace(template.spec, target=target)
            body = NodeRepair(metadata=Metadata(name=name), spec=spec)
            made = await self.client.create(NODE_REPAIRS, body)
            status = msgspec.structs.replace(made.status, phase=Phase.RECOVERED)
            ended = msgspec.structs.replace(made, status=status)
            await remediator.replace(NODE_REPAIRS, ended, name=name, subresource="status")

    async def repaired(self, *nodes: str) -> None:
        """Wait until these nodes are repaired and no repair is open."""
        for _ in range(_TRIES):
            found: tuple[NodeRepair, ...] = (await self.client.listing(NODE_REPAIRS)).items
            ended = {r.spec.target.node for r in found if r.status.phase is Phase.RECOVERED}
            if ended >= set(nodes) and not any(map(is_open, found)):
                return
            await asyncio.sleep(5)
        raise AssertionError(f"the repairs did not end: {self.refused()}")

    def refused(self) -> list[str]:
        """Return what the programs asked and had no right to."""
        return sorted(
            {
                f"{each.user} {each.verb} {each.resource}/{each.subresource} in {each.namespace!r}"
                for each in self.asked
                if each.code == 403
            }
        )


@asynccontextmanager
async def staged() -> AsyncIterator[Scene]:
    """Stage the cluster of the safety stories with the rights of the manifests, no more."""
    rights, plan = [*shipped(), *owners()], stage.plan(1, stage.SICK, dead=False)
    plan = replace(plan, pools=tuple(replace(each, gpus=1) for each in plan.pools))
    async with Cluster(plan, clock=virtualtime.clock(), rights=rights) as cluster:
        scene = Scene(cluster=cluster, client=cluster.client("test"))
        cluster.api.on_request(scene.hear)
        yield scene


async def everything(scene: Scene) -> None:
    """Play all that makes the programs ask for something: well and sick, lost and found."""
    async with scene.remediator("first"), scene.remediator("second"):
        await scene.repaired(*stage.SICK)
        await scene.age("w-4")
        await scene.client.delete(REPAIR_LEDGERS, keys.LEDGER_NAME)
        emptied = {"metadata": {"name": keys.LEDGER_NAME}}
        await scene.client.create(REPAIR_LEDGERS, emptied)  # as a bad backup would
        scene.cluster.inject("w-4", {"disk-full": {"mount": "/scratch"}})
        scene.cluster.inject("w-4", "kubelet-dead")
        await asyncio.sleep(120)
        opened = {"spec": {"disruption": "Open"}}
        await scene.client.merge_patch(REPAIR_LEDGERS, keys.LEDGER_NAME, opened)
        await scene.repaired(*stage.SICK, "w-4")
        await _sent(scene)
    await _report(scene)


async def _sent(scene: Scene) -> None:
    """Let a machine be rebooted, and a program be taken back that nothing starts."""
    scene.cluster.inject("w-1", {"gpu-stuck": {}})
    await _call_off(scene)
    await scene.repaired("w-1")
    await asyncio.sleep(600)
    scene.cluster.inject("w-2", {"errand-trouble": {"does": "no-image"}})
    scene.cluster.inject("w-2", {"gpu-stuck": {}})
    await asyncio.sleep(60)
    await scene.repaired("w-2")


async def _call_off(scene: Scene) -> None:
    """Leave the next program as who dies while it is taken back, before it was started."""
    noted = {"metadata": {"annotations": {keys.CALLED_OFF_ANNOTATION: "now"}}}
    for _ in range(_TRIES):
        await asyncio.sleep(1)
        for each in (
            await scene.client.listing(REPAIR_PODS, namespace=keys.REPAIR_NAMESPACE)
        ).items:
            if not is_bound(each):
                meta = each.metadata
                where = meta.namespace
                await scene.client.merge_patch(REPAIR_PODS, meta.name, noted, namespace=where)
                return


async def _report(scene: Scene) -> None:
    """Let the real agent's report be made, adopted and written."""
    node = await scene.node("w-1")
    status = NodeHealthStatus()
    await scene.client.delete(NODE_HEALTHS, "w-1")
    await scene.agent(node).send(status)
    orphaned = {"metadata": {"ownerReferences": None}}
    await scene.client.merge_patch(NODE_HEALTHS, "w-1", orphaned)
    await scene.agent(node).send(status)


async def foreign_report(scene: Scene) -> str:
    """Let the agent of one node write for another, and return what it is told."""
    try:
        await scene.agent(await scene.node("w-2"), token_of="w-1").send(NodeHealthStatus())
    except errors.ForbiddenError as refused:
        return str(refused)
    return ""
