"""Small clusters, and short ways to ask what is in them."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from nodehealth.keys import NAME_LABEL
from simulator import virtualtime
from simulator.api import wire
from simulator.api.wire import JsonObject
from simulator.cluster import Cluster
from simulator.hooks import Hooks
from simulator.observer import Limits
from simulator.scenario import Pool, Scenario, Workload

MACHINES = "machines.simulator.nodemend.dev"
NODE_HEALTHS = "nodehealths.nodemend.dev"


def small(
    *workloads: Workload,
    nodes: int = 3,
    hooks: Hooks | None = None,
    limits: Limits | None = None,
    **pool: object,
) -> Cluster:
    """Make a cluster of one pool, in virtual time."""
    made = Pool(name="general", nodes=nodes, **pool)  # type: ignore[arg-type] # the caller's settings
    plan = Scenario(pools=(made,), workloads=workloads)
    return Cluster(plan, clock=virtualtime.clock(), hooks=hooks, limits=limits)


class Look:
    """Asks a cluster what there is."""

    def __init__(self, cluster: Cluster) -> None:
        self.direct = cluster.direct()

    def node(self, name: str) -> JsonObject:
        return self.direct.get("nodes", name)

    def ready(self, name: str) -> str:
        node = self.direct.find("nodes", name)
        found = None if node is None else wire.condition(node, "Ready")
        return "" if found is None else str(found["status"])

    def pods(self, app: str = "", node: str = "") -> list[JsonObject]:
        labels = f"{NAME_LABEL}={app}" if app else ""
        fields = f"spec.nodeName={node}" if node else ""
        return list(self.direct.listed("pods", labels=labels, fields=fields))

    def running(self, app: str, node: str = "") -> list[str]:
        return [
            pod["metadata"]["name"]
            for pod in self.pods(app, node)
            if pod["status"]["phase"] == "Running" and not pod["metadata"].get("deletionTimestamp")
        ]

    def machine(self, name: str) -> JsonObject:
        return self.direct.get(MACHINES, name)

    def free(self, node: str) -> float:
        health = self.direct.get(NODE_HEALTHS, node)
        level = next(one for one in health["status"]["levels"] if one["name"] == "disk.free_ratio")
        return float(level["value"])

    def cordon(self, node: str) -> None:
        self.direct.merge("nodes", node, {"spec": {"unschedulable": True}})


async def until(true: Callable[[], bool], *, within: float = 600) -> timedelta:
    """Wait in steps of a second until something is so; return how long it took."""
    for seconds in range(round(within)):
        if true():
            return timedelta(seconds=seconds)
        await asyncio.sleep(1)
    raise AssertionError(f"not so within {within} s")
