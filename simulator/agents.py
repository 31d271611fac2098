"""The synthetic agents: each speaks for its node, with its own pod's token, as real ones do."""

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Final

import msgspec

from nodehealth import keys
from nodehealth.health import NODE_HEALTHS, NodeHealth, NodeHealthStatus
from nodehealth.kube import errors
from nodehealth.kube.client import Client
from nodehealth.kube.objects import Metadata, OwnerReference
from simulator import records, reports
from simulator.agenda import Agenda
from simulator.ailments import Ailments
from simulator.api import wire
from simulator.api.calls import User
from simulator.api.direct import Direct
from simulator.api.local import LocalTransport
from simulator.api.server import ApiServer
from simulator.api.wire import JsonObject
from simulator.census import Census, PodFacts
from simulator.crew import Spawn
from simulator.fault import Occurrence
from simulator.kubelets import Hardware, Kubelets
from simulator.reports import Boot
from simulator.timings import Timings

NAME: Final = keys.AGENT_NAME
_TOKEN_LASTS: Final = timedelta(hours=1)
_TOKEN_RENEWED: Final = timedelta(minutes=48)
_AGAIN: Final = timedelta(seconds=5)
_JITTER: Final = 0.1
_AT_ONCE: Final = 16
"""How many reports are written at once: a storm of faults must leave the loop to others."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One agent process, as of what it knows now."""

    pod: PodFacts
    hardware: Hardware
    node_uid: str
    status: NodeHealthStatus
    counted: int = 0
    """The number of the last ailment whose events are counted."""


@dataclass(frozen=True, slots=True)
class _Token:
    pod_uid: str
    text: str
    since: datetime


class Agents:
    """All agents whose nodes are simulated."""

    def __init__(
        self,
        *,
        api: ApiServer,
        census: Census,
        agenda: Agenda,
        ailments: Ailments,
        kubelets: Kubelets,
        timings: Timings,
        spawn: Spawn,
        random: Random,
        external: frozenset[str],
    ) -> None:
        self._api = api
        self._census = census
        self._agenda = agenda
        self._ailments = ailments
        self._kubelets = kubelets
        self._timings = timings
        self._spawn = spawn
        self._random = random
        self._external = external
        self._agents: dict[str, Agent] = {}
        self._settled: dict[str, str] = {}
        """Nodes whose NodeHealth is known to be there and theirs, and their UIDs."""
        self._tokens: dict[str, _Token] = {}
        self._writing: dict[str, bool] = {}
        """Nodes whose report is being written, and whether it is out of date already."""
        self._turn = asyncio.Semaphore(_AT_ONCE)
        census.on_pods(self._saw_pod)
        ailments.on_change(self._saw_ailment)

    def found(self, pod: PodFacts, node_uid: str, hardware: Hardware) -> JsonObject:
        """Take up an agent that has run for a while, and return its NodeHealth."""
        agent = self._begun(pod, hardware, node_uid)
        self._agents[pod.node] = agent
        self._settled[pod.node] = node_uid
        first = self._timings.refresh * self._random.random()
        self._agenda.after(first, partial(self._refresh, pod.node, hardware))
        return _object(pod.node, node_uid, agent.status, self._now())

    def token(self, node: str) -> str:
        """Return a token bound to the pod of a node's agent.

        Raises:
            KeyError: no agent's pod is on that node.
        """
        pod = next((each for each in self._census.pods_on(node) if _is_agents(each)), None)
        if pod is None:
            raise KeyError(f"no pod of {NAME} is on {node}")
        return self._token(pod)

    def _saw_pod(self, old: PodFacts | None, new: PodFacts | None) -> None:
        if new is None or not _is_agents(new) or not new.ready or new.leaving:
            return
        if old is None or not old.ready:
            self._agenda.soon(partial(self._begin, new))

    def _begin(self, pod: PodFacts) -> None:
        """A container of an agent has started: it reads its state, looks around and reports."""
        hardware, facts = self._kubelets.hardware.get(pod.node), self._census.nodes.get(pod.node)
        known = self._agents.get(pod.node)
        if hardware is None or facts is None or pod.node in self._external:
            return
        if known is not None and (known.pod.uid, known.hardware) == (pod.uid, hardware):
            return
        agent = self._begun(pod, hardware, facts.uid)
        if known is not None and known.node_uid == facts.uid:
            agent = _remembering(agent, known)
        self._agents[pod.node] = agent
        self._publish(pod.node)
        self._agenda.after(self._timings.probe, partial(self._observe, pod.node))
        self._agenda.after(self._pause(), partial(self._refresh, pod.node, hardware))

    def _begun(self, pod: PodFacts, hardware: Hardware, node_uid: str) -> Agent:
        boot = Boot(
            node_uid=node_uid,
            boot_id=hardware.boot_id,
            refresh=self._timings.refresh,
            booted_at=self._now(),
            gpus=hardware.pool.gpus,
        )
        status = reports.first(boot, self._ailments.symptoms(pod.node))
        return Agent(pod=pod, hardware=hardware, node_uid=node_uid, status=status)

    def _saw_ailment(self, node: str) -> None:
        if node in self._agents:
            self._agenda.after(self._timings.probe, partial(self._observe, node))

    def _observe(self, node: str) -> None:
        """Look at the machine again, and say so if it looks different."""
        agent = self._agents[node]
        ailments = [each for each in self._ailments.of(node) if each.number > agent.counted]
        happened: list[Occurrence] = []
        for each in ailments:
            happened.extend(each.fault.symptoms().occurrences)
        symptoms = self._ailments.symptoms(node)
        status = reports.following(agent.status, symptoms, happened, self._now())
        counted = max((each.number for each in ailments), default=agent.counted)
        self._agents[node] = replace(agent, status=status, counted=counted)
        if _news(status) != _news(agent.status):
            self._publish(node)

    def _refresh(self, node: str, hardware: Hardware) -> None:
        agent = self._agents.get(node)
        if agent is None or agent.hardware is not hardware:
            return
        self._publish(node)
        self._agenda.after(self._pause(), partial(self._refresh, node, hardware))

    def _pause(self) -> timedelta:
        return self._timings.refresh * (1 + self._random.uniform(-_JITTER, _JITTER))

    def _publish(self, node: str) -> None:
        if node in self._writing:
            self._writing[node] = True
            return
        if self._speaks(node):
            self._writing[node] = False
            self._spawn(self._write(node))

    def _speaks(self, node: str) -> bool:
        agent = self._agents[node]
        pod = self._census.pods.get(agent.pod.key)
        runs = pod is not None and pod.uid == agent.pod.uid
        on = self._kubelets.hardware.get(node) is agent.hardware
        return runs and on and not self._ailments.symptoms(node).agent_silent

    async def _write(self, node: str) -> None:
        failed = False
        try:
            async with self._turn:
                await self._send(node, self._agents[node])
        except errors.KubeError as refused:
            logger.debug("the agent of %s could not report: %s", node, refused)
            failed = True
        again = self._writing.pop(node)
        if failed:
            self._agenda.after(_AGAIN, partial(self._publish, node))
        elif again:
            self._publish(node)

    async def _send(self, node: str, agent: Agent) -> None:
        transport = LocalTransport(self._api, self._token(agent.pod))
        client = Client(transport, manager=keys.AGENT_MANAGER, random=self._random)
        if self._settled.get(node) != agent.node_uid:
            await _settle(client, node, agent.node_uid)
            self._settled[node] = agent.node_uid
        status = msgspec.structs.replace(agent.status, reported_at=self._now())
        body = {"status": reports.explicit(status)}
        try:
            await client.merge_patch(NODE_HEALTHS, node, body, subresource="status")
        except errors.GoneError:
            self._settled.pop(node, None)
            raise

    def _token(self, pod: PodFacts) -> str:
        held = self._tokens.get(pod.node)
        if held and held.pod_uid == pod.uid and self._now() - held.since < _TOKEN_RENEWED:
            return held.text
        text = _requested(self._api, pod)
        self._tokens[pod.node] = _Token(pod.uid, text, self._now())
        return text

    def _now(self) -> datetime:
        return self._api.world.clock()


async def _settle(client: Client, node: str, node_uid: str) -> None:
    """See to it that the node's NodeHealth is there and belongs to this Node.

    Raises:
        nodehealth.kube.errors.ConflictError: it belongs to the Node that had the name before.
    """
    owner = OwnerReference(api_version="v1", kind="Node", name=node, uid=node_uid)
    try:
        found = await client.get(NODE_HEALTHS, node)
    except errors.GoneError:
        fresh = NodeHealth(metadata=Metadata(name=node, owner_references=(owner,)))
        found = await client.create(NODE_HEALTHS, fresh)
    if node_uid not in {each.uid for each in found.metadata.owner_references}:
        raise errors.ConflictError(f"NodeHealth {node} belongs to another Node of that name")


def _news(status: NodeHealthStatus) -> tuple[object, ...]:
    return status.levels, status.events, status.driver_version


def _remembering(agent: Agent, before: Agent) -> Agent:
    """Let a restarted agent keep what it had counted."""
    status = msgspec.structs.replace(agent.status, events=before.status.events)
    return replace(agent, status=status, counted=before.counted)


def _is_agents(pod: PodFacts) -> bool:
    return pod.namespace == keys.NAMESPACE and pod.name.startswith(f"{NAME}-")


def _requested(api: ApiServer, pod: PodFacts) -> str:
    kubelet = User(name=f"system:node:{pod.node}", groups=("system:nodes", "system:authenticated"))
    direct = Direct(api, user=kubelet, manager="kubelet")
    bound = {"kind": "Pod", "apiVersion": "v1", "name": pod.name, "uid": pod.uid}
    seconds = round(_TOKEN_LASTS.total_seconds())
    body = {"spec": {"boundObjectRef": bound, "expirationSeconds": seconds}}
    path = direct.path(records.SERVICE_ACCOUNTS, keys.NAMESPACE, NAME, "token")
    return wire.text(direct.ask("POST", path, body), "status", "token")


def _object(node: str, node_uid: str, status: NodeHealthStatus, now: datetime) -> JsonObject:
    owner = {"apiVersion": "v1", "kind": "Node", "name": node, "uid": node_uid}
    written = {
        "manager": keys.AGENT_MANAGER,
        "operation": "Update",
        "apiVersion": keys.API_VERSION,
        "time": wire.timestamp(now),
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:status": {}},
        "subresource": "status",
    }
    body: JsonObject = msgspec.to_builtins(reports.explicit(status))
    metadata = {"name": node, "ownerReferences": [owner], "managedFields": [written]}
    return {"metadata": metadata, "status": body}
