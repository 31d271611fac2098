"""The emulator as a measured child: `python -m bench.emulated`."""

import time
from argparse import Namespace
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from bench import child
from bench.child import Offer
from bench.figures import Figure
from nodehealth.health import NODE_HEALTHS
from nodehealth.kit import clocks
from simulator.api.store import Change
from simulator.cluster import Cluster
from simulator.scenario import Pool, Scenario, Workload

POOL: Final = "bench"
STANDIN: Final = "standin-{:05}"
"""Nodes whose agents are not simulated: the benchmark speaks for them."""
AGENT_KUBECONFIG: Final = "agent.kubeconfig"
REMEDIATOR_KUBECONFIG: Final = "remediator.kubeconfig"
_REPLICAS: Final = 150
_NODE_HEALTHS: Final = f"{NODE_HEALTHS.plural}.{NODE_HEALTHS.group}"
_CORDONED: Final = b'"unschedulable":true'


class Commits:
    """When Nodes and NodeHealths were written, by the clock of the server that wrote them."""

    def __init__(self) -> None:
        self._seen: list[Figure] = []

    def saw(self, change: Change) -> None:
        """Take a note."""
        if change.resource in {"nodes", _NODE_HEALTHS}:
            cordoned = _CORDONED in change.new.body
            what = (change.resource == "nodes", change.new.key, change.version, cordoned)
            self._seen.append([*what, time.perf_counter()])

    def taken(self) -> list[Figure]:
        """Return the notes since the last time."""
        seen, self._seen = self._seen, []
        return seen


def plan(nodes: int, pods: int, standins: int) -> Scenario:
    """Describe a quiet cluster: each node has an agent's pod, the other pods are of workloads."""
    left = max(0, pods - nodes - standins)
    sizes = [min(_REPLICAS, left - start) for start in range(0, left, _REPLICAS)]
    return Scenario(
        pools=(
            Pool(
                name=POOL,
                nodes=nodes,
                external=tuple(STANDIN.format(number) for number in range(standins)),
                gpus=8,
                zones=("a", "b", "c"),
            ),
        ),
        workloads=tuple(Workload(name=f"web-{n}", replicas=size) for n, size in enumerate(sizes)),
    )


@asynccontextmanager
async def _served(told: Namespace) -> AsyncIterator[Offer]:
    cluster = Cluster(plan(told.nodes, told.pods, told.standins), clock=clocks.wall)
    folder: Path = told.folder
    async with cluster, cluster.serve(folder) as served:
        answers: dict[str, Callable[[], Figure]] = {"cpu": child.cpu}
        if told.standins:
            commits = Commits()
            cluster.api.on_commit(commits.saw)
            answers["commits"] = commits.taken
            ours = STANDIN.format(told.standins - 1)
            await cluster.agent_kubeconfig(folder / AGENT_KUBECONFIG, served.url, ours)
        yield Offer(url=served.url, answers=answers)


def _main() -> None:
    parser = child.arguments(__doc__)
    for name in ("--nodes", "--pods", "--standins"):
        parser.add_argument(name, type=int, default=0)
    told = parser.parse_args()
    child.run(_served(told), told.folder, told.core)


if __name__ == "__main__":
    _main()
