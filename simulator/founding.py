"""Fills an empty cluster as if it had been running for a while: straight into the store."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from nodehealth import keys
from simulator import agents, containers, machineset, records, scheduler, templates, workloads
from simulator.agents import Agents
from simulator.api import wire
from simulator.api.wire import JsonObject
from simulator.census import Census
from simulator.kubelets import Hardware, Kubelets
from simulator.machines import provider_id
from simulator.machineset import MachineSet, Place
from simulator.records import Records
from simulator.scenario import Pool, Scenario, Workload, WorkloadKind
from simulator.scheduler import Round, Wish
from simulator.workloads import Owner, Workloads

AGENTS = Workload(
    name=agents.NAME, kind=WorkloadKind.DAEMON_SET, namespace=keys.NAMESPACE, grace=10
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Founding:
    """Everything that a new cluster is made with."""

    records: Records
    census: Census
    kubelets: Kubelets
    machine_set: MachineSet
    workloads: Workloads
    agents: Agents
    places: Mapping[str, Place]

    def all(self, plan: Scenario) -> None:
        """Make everything that a scenario begins with."""
        self.machines()
        if plan.agents:
            self.agent_pods()
        self.pods(plan.workloads)

    def machines(self) -> None:
        """Make every place's machine, running, with its Node ready."""
        for place in self.places.values():
            self._machine(place)

    def pods(self, wanted: Sequence[Workload]) -> None:
        """Make workloads with their pods, running where there is room for them."""
        here = Round(self.census)
        for workload in wanted:
            owner = self.workloads.found(workload)
            for name, node in self._placed(workload, owner, here):
                self._pod(workload, owner, name, node)

    def agent_pods(self) -> None:
        """Make the agents' DaemonSet with its pods, and what the agents reported so far."""
        account = {"metadata": {"name": agents.NAME, "namespace": keys.NAMESPACE}}
        self.records.insert(records.SERVICE_ACCOUNTS, account)
        owner = self.workloads.found(AGENTS, account=agents.NAME)
        for name, node in self._placed(AGENTS, owner, Round(self.census)):
            key = self._pod(AGENTS, owner, name, node)
            hardware = self.kubelets.hardware[node]
            if node not in hardware.pool.external:
                pod, uid = self.census.pods[key], self.census.nodes[node].uid
                self.records.insert(records.NODE_HEALTHS, self.agents.found(pod, uid, hardware))

    def _machine(self, place: Place) -> None:
        uid = self.records.world.uid()
        hardware = self.machine_set.boot(place, uid)
        node = self.records.insert(records.NODES, self._node(hardware))
        node_uid = node["metadata"]["uid"]
        now = hardware.booted_at
        lease = templates.lease(place.name, node_uid, now)
        self.records.insert(records.LEASES, lease)
        machine = machineset.new_machine(place)
        machine["metadata"]["uid"] = uid
        machine["status"] = machineset.running(hardware, node_uid)
        self.records.insert(records.MACHINES, machine)
        self.kubelets.settled(hardware)

    def _node(self, hardware: Hardware) -> JsonObject:
        owner, now = provider_id(hardware.machine_uid), hardware.booted_at
        node = templates.node(hardware.pool, hardware.node, hardware.zone, provider_id=owner)
        del node["spec"]["taints"]
        node["status"]["conditions"] = templates.conditions(templates.ready(yes=True), now, now)
        node["status"]["nodeInfo"] = templates.node_info(
            hardware.node, hardware.machine_uid, hardware.boot_id
        )
        return node

    def _placed(
        self, workload: Workload, owner: Owner | None, here: Round
    ) -> Iterator[tuple[str, str]]:
        """Yield the names of a workload's pods and where they run; nowhere if nothing has room."""
        if owner is None:
            yield workload.name, here.choose(_wish(workloads.template_of(workload))) or ""
        elif workload.kind is WorkloadKind.DAEMON_SET:
            for node in self.workloads.nodes_of(owner):
                yield self.workloads.fresh_name(owner), node
        else:
            wish = _wish(owner.template)
            for number in range(workload.replicas):
                numbered = workload.kind is WorkloadKind.STATEFUL_SET
                name = f"{owner.name}-{number}" if numbered else self.workloads.fresh_name(owner)
                yield name, here.choose(wish) or ""

    def _pod(self, workload: Workload, owner: Owner | None, name: str, node: str) -> str:
        template = workloads.template_of(workload) if owner is None else owner.template
        owners = [] if owner is None else [owner.reference]
        pod = workloads.pod_of(workload, template, name, owners)
        if workload.kind is WorkloadKind.DAEMON_SET:
            pod["spec"]["affinity"] = scheduler.pin(node)
        if node:
            pod["spec"]["nodeName"] = node
            containers.run(pod, wire.timestamp(self.records.world.clock()))
        self.records.insert(records.PODS, pod)
        return f"{workload.namespace}/{name}"


def places(pools: Sequence[Pool]) -> dict[str, Place]:
    """Return the places that pools have, by the names of their nodes."""
    return {
        name: Place(name=name, pool=pool, zone=pool.zones[number % len(pool.zones)])
        for pool in pools
        for number, name in enumerate(pool.names())
    }


def _wish(template: JsonObject) -> Wish:
    container = template["spec"]["containers"][0]
    asked = wire.text(container, "resources", "requests", keys.GPU_RESOURCE)
    return scheduler.wish_of(template, int(asked or 0))
