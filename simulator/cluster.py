"""A whole simulated cluster: the API server, its control plane, machines, pods, agents, faults.

In virtual time or in real time: the same code runs on whatever loop is running, and is told the
clock that belongs to it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Final, Self

from nodehealth import crds, keys, protections
from nodehealth.kit.clocks import Clock
from nodehealth.kube.client import Client
from nodehealth.kube.transport import Transport
from simulator import founding, machines, memory, scenario, watchpoint
from simulator.agenda import Agenda
from simulator.agents import Agents
from simulator.ailments import Ailments
from simulator.api import http, policies, rights
from simulator.api.calls import ADMIN, User
from simulator.api.controllers.plane import ControlPlane
from simulator.api.direct import Direct
from simulator.api.kubeconfig import write_kubeconfig
from simulator.api.local import LocalTransport
from simulator.api.server import ADMIN_TOKEN, ApiServer
from simulator.api.wire import JsonObject
from simulator.census import Census
from simulator.containers import Containers
from simulator.crew import Spawn, crew
from simulator.errands import Errands
from simulator.founding import Founding
from simulator.hooks import Hooks, NoHooks
from simulator.kubelets import Kubelets
from simulator.lifecycle import Lifecycle
from simulator.machineset import MachineSet
from simulator.observer import Limits, Observer
from simulator.records import Records
from simulator.scenario import Injection, Scenario
from simulator.scheduler import Scheduler
from simulator.workloads import Workloads

REMEDIATOR_TOKEN: Final = "remediator-token"  # noqa: S105 - it opens an emulator that holds nothing
REMEDIATOR: Final = User(
    name=keys.REMEDIATOR_USER,
    groups=("system:serviceaccounts", "system:authenticated"),
)
REPAIR_IMAGE: Final = "registry.example/nodemend:sim"
_CRDS: Final = "customresourcedefinitions.apiextensions.k8s.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Where a cluster listens, and the kubeconfig files that lead there."""

    url: str
    admin: Path
    remediator: Path


@cache
def _manifests() -> tuple[tuple[str, JsonObject], ...]:
    """Return the definitions and policies of every cluster, with the resources that they are."""
    definitions = (*map(crds.manifest, crds.DEFINITIONS), machines.manifest())
    found: list[tuple[str, JsonObject]] = [(_CRDS, each) for each in definitions]
    for each in protections.PROTECTIONS:
        found.append((policies.RESOURCE, protections.policy(each)))
        found.append((policies.BINDINGS, protections.binding(each)))
    return tuple(found)


class Cluster:
    """A cluster that lives while its context is entered.

    Args:
        plan: What there is and what befalls it.
        clock: The clock of the loop that runs: `virtualtime.clock()`, or `clocks.wall`.
        hooks: Who stands behind the nodes that are not simulated.
        limits: What the observer holds disruption against.
        rights: Roles and bindings; where there are some, nobody may do more than they grant.
    """

    def __init__(
        self,
        plan: Scenario,
        *,
        clock: Clock,
        hooks: Hooks | None = None,
        limits: Limits | None = None,
        rights: Sequence[JsonObject] = (),
    ) -> None:
        tokens = {ADMIN_TOKEN: ADMIN, REMEDIATOR_TOKEN: REMEDIATOR}
        self.api = ApiServer(clock=clock, seed=plan.seed, tokens=tokens, rbac=bool(rights))
        self.observer = Observer(limits)
        self.ailments = Ailments()
        self.census = Census(self.api.world.store)
        self.places = founding.places(plan.pools)
        self._plan = plan
        self._rights = rights
        self._clock = clock
        self._hooks = hooks or NoHooks()
        self._random = Random(plan.seed)  # noqa: S311 - repeatable on purpose
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        spawn = await self._stack.enter_async_context(crew())
        self._agenda = Agenda()
        self._admin = Direct(self.api, manager="simulator")
        for resource, manifest in _manifests():
            self._admin.create(resource, manifest)
        self._admin.create(
            "podtemplates",
            {
                "metadata": {"name": keys.REPAIR_NAME},
                "template": {"spec": {"containers": [{"name": "errand", "image": REPAIR_IMAGE}]}},
            },
            namespace=keys.REPAIR_NAMESPACE,
        )
        for right in self._rights:
            self._admin.create(f"{right['kind'].lower()}s.{rights.GROUP}", right)
        for namespace in sorted({each.namespace for each in self._plan.workloads}):
            if self._admin.find("namespaces", namespace) is None:
                self._admin.create("namespaces", {"metadata": {"name": namespace}})
        self._stack.enter_context(memory.thawed_at_end())
        with memory.uncollected():
            self._found(spawn)
            self.plane = ControlPlane(self.api)
            self.plane.settle()
        watchpoint.attach(self.observer, self.api, REMEDIATOR.name)
        for each in self._plan.faults:
            self._agenda.after(each.targets.at, partial(self._befall, each))
        spawn(self.plane.run())
        spawn(self._agenda.run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    def transport(self, token: str = ADMIN_TOKEN) -> Transport:
        """Return a way to the API server in this process."""
        return LocalTransport(self.api, token)

    def client(self, manager: str, *, token: str = ADMIN_TOKEN) -> Client:
        """Return a client in this process."""
        return Client(self.transport(token), manager=manager, random=self._random)

    def direct(self, *, manager: str = "kubectl") -> Direct:
        """Return a way to ask the API server as an administrator without waiting."""
        return Direct(self.api, manager=manager)

    def inject(self, node: str, fault: object) -> None:
        """Make a node sick, as in `disk-full` or `{"xid": {"code": 79, "lasts": "5m"}}`.

        Raises:
            nodehealth.kit.settings.SettingsError: there is no such fault, or it makes no sense.
            KeyError: there is no such node.
        """
        place = self.places[node]
        self._strike(place.name, scenario.injection(fault, "fault"))

    def agent_token(self, node: str) -> str:
        """Return a token bound to the pod of the node's agent, good for an hour.

        Raises:
            KeyError: no agent's pod is on that node.
        """
        return self._agents.token(node)

    @asynccontextmanager
    async def serve(self, folder: Path, *, port: int = 0) -> AsyncIterator[Served]:
        """Serve over HTTP on the loopback address, and write kubeconfig files into a folder."""
        async with http.serve(self.api, port=port) as served:
            admin, remediator = folder / "admin.kubeconfig", folder / "remediator.kubeconfig"
            await asyncio.to_thread(write_kubeconfig, admin, served.url, ADMIN_TOKEN)
            await asyncio.to_thread(write_kubeconfig, remediator, served.url, REMEDIATOR_TOKEN)
            yield Served(url=served.url, admin=admin, remediator=remediator)

    async def agent_kubeconfig(self, path: Path, url: str, node: str) -> None:
        """Write the kubeconfig that a node's agent would have, with its pod's token."""
        await asyncio.to_thread(write_kubeconfig, path, url, self.agent_token(node))

    def _found(self, spawn: Spawn) -> None:
        """Put all parts together, and the cluster's first objects into the store."""
        timings, store = self._plan.timings, Records(self.api.world)
        external = frozenset(name for name, place in self.places.items() if place.external)
        kubelets = Kubelets(store, self.census, self._agenda, self.ailments, timings)
        machine_set = MachineSet(
            records_=store,
            agenda=self._agenda,
            ailments=self.ailments,
            kubelets=kubelets,
            timings=timings,
            places=self.places,
            hooks=self._hooks,
            spawn=spawn,
            inject=self._strike,
        )
        self._agents = Agents(
            api=self.api,
            census=self.census,
            agenda=self._agenda,
            ailments=self.ailments,
            kubelets=kubelets,
            timings=timings,
            spawn=spawn,
            random=self._random,
            external=external,
        )
        workloads = Workloads(store, self.census, self._agenda, timings)
        Founding(
            records=store,
            census=self.census,
            kubelets=kubelets,
            machine_set=machine_set,
            workloads=workloads,
            agents=self._agents,
            places=self.places,
        ).all(self._plan)
        Lifecycle(store, self.census, self._agenda, timings)
        Scheduler(store, self.census, self._agenda, timings)
        Containers(store, self.census, self._agenda, kubelets, self.ailments, timings)
        Errands(
            records_=store,
            census=self.census,
            agenda=self._agenda,
            ailments=self.ailments,
            kubelets=kubelets,
            timings=timings,
            reboot=machine_set.reboot,
            hooks=self._hooks,
            spawn=spawn,
            external=external,
        )

    def _befall(self, injection: Injection) -> None:
        for node in self._drawn(injection):
            self._strike(node, injection)

    def _drawn(self, injection: Injection) -> list[str]:
        targets = injection.targets
        if targets.node:
            return [targets.node]
        healthy = [
            name
            for name, place in self.places.items()
            if targets.pool in {"", place.pool.name} and not self.ailments.of(name)
        ]
        return self._random.sample(healthy, min(targets.count, len(healthy)))

    def _strike(self, node: str, injection: Injection) -> None:
        ailment = self.ailments.begin(node, injection.name, injection.fault, self._clock())
        if injection.targets.lasts:
            end = partial(self.ailments.end, node, ailment.number)
            self._agenda.after(injection.targets.lasts, end)
