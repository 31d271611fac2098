"""The demo itself: sets the stage, fills the disk, watches the repair, counts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

import msgspec
from rich.console import Console

from nodehealth.health import NODE_HEALTHS, NodeHealth
from nodehealth.kit import clocks
from nodehealth.kube.objects import NODES
from nodehealth.kube.reflector import Reflector
from nodehealth.repair import NODE_REPAIRS, NodeRepair
from nodehealth.signals import Knowledge
from nodemend.demo import processes, realhost, report, stage
from nodemend.demo.processes import Program
from nodemend.demo.realhost import RealHost
from nodemend.demo.report import Report
from nodemend.demo.story import Story
from simulator.cluster import Cluster, Served
from simulator.observer import Broken, Limits
from simulator.scenario import Scenario

_LOOK_AGAIN: Final = 0.2
_UP_WITHIN: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the person who started the demo chose."""

    rules: Path
    folder: Path
    """Where the demo's files lie while it lasts."""
    plan: Scenario
    real: str
    """The Node's name of this machine."""
    most: timedelta
    """How long the demo may last."""


class DemoError(Exception):
    """The demo could not go on."""


async def play(options: Options, console: Console) -> Report:
    """Play the demo to its end, or until its time is up.

    Raises:
        DemoError: a program of the demo ended, or something did not come up in time.
        nodemend.demo.realhost.NoNamespaceError: no filesystem can be mounted here.
    """
    started = clocks.wall()
    story = Story(console, started=started, clock=clocks.wall)
    async with _scene(options, story) as scene:
        acts = asyncio.create_task(scene.act())
        fatal = asyncio.create_task(scene.remediator.ended())
        try:
            await asyncio.wait(
                {acts, fatal},
                timeout=options.most.total_seconds(),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if fatal.done():
                raise DemoError(fatal.result())
            if acts.done():
                acts.result()
        finally:
            for each in (acts, fatal):
                each.cancel()
            await asyncio.gather(acts, fatal, return_exceptions=True)
        return scene.report(clocks.wall() - started)


@asynccontextmanager
async def _scene(options: Options, story: Story) -> AsyncIterator["_Scene"]:
    folder = options.folder
    within = await realhost.namespace(folder / "scratch")
    places: dict[str, str] = {}

    async def kubeconfig(node: str, path: Path) -> None:
        await _until(lambda: _has_token(cluster, node), f"the agent's pod on {node}")
        await cluster.agent_kubeconfig(path, places["url"], node)

    host = RealHost(folder, within, kubeconfig)
    cluster = Cluster(
        options.plan, clock=clocks.wall, hooks=host, limits=Limits(cluster=stage.SLOTS)
    )
    async with cluster, cluster.serve(folder) as served:
        places["url"] = served.url
        remediator = _remediator(options, served)
        scene = _Scene(
            options=options, story=story, cluster=cluster, host=host, remediator=remediator
        )
        story.say(f"{len(cluster.places)} nodes, one of them this machine: {options.real}")
        story.say(f"look around: kubectl --kubeconfig {served.admin} get nodes,noderepairs")
        watching = asyncio.create_task(scene.watch(), name="watch the repairs")
        try:
            await scene.begin()
            yield scene
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await remediator.stop()
            await host.stop()


class _Scene:
    """All that is on stage."""

    def __init__(
        self,
        *,
        options: Options,
        story: Story,
        cluster: Cluster,
        host: RealHost,
        remediator: Program,
    ) -> None:
        self.remediator = remediator
        self._options, self._story = options, story
        self._cluster, self._host = cluster, host
        self._client = cluster.client("demo")
        self._repairs: dict[str, NodeRepair] = {}
        self._filled = 0

    async def begin(self) -> None:
        """Start the agent on this machine, and the remediator."""
        node = await self._client.get(NODES, self._options.real)
        boot = node.status.node_info.boot_id
        await self._host.machine_started(node.metadata.name, node.metadata.uid, boot)
        await self.remediator.start()

    async def watch(self) -> None:
        """Follow the repairs and tell of them."""

        def saw(_key: object, _old: NodeRepair | None, new: NodeRepair | None) -> None:
            if new is not None:
                self._repairs[new.metadata.name] = new
                self._story.saw(new)

        reflector = Reflector(
            self._client,
            NODE_REPAIRS,
            clock=clocks.wall,
            random=Random(),  # noqa: S311 - jitter is no secret
            on_change=saw,
        )
        await reflector.run()

    async def act(self) -> None:
        """Fill the real disk, and wait until everything that is sick is well again."""
        await self._fill()
        sick = 1 + stage.sick(self._options.plan)
        while not report.ended(tuple(self._repairs.values()), sick):  # noqa: ASYNC110 - a reflector fills them
            await asyncio.sleep(_LOOK_AGAIN)

    async def _fill(self) -> None:
        mount = str(self._host.scratch)
        try:
            await _until(lambda: self._is_known(mount), "the first report of the real agent")
        except DemoError as late:
            raise DemoError(f"{late}:\n{await self._host.last_words()}") from late
        self._story.say(f"the agent reports; fills {mount}", who=self._options.real)
        self._filled = await asyncio.to_thread(self._host.fill)
        text = f"wrote {self._filled // 2**20} MiB until the kernel said: no space left on device"
        self._story.say(text, who=self._options.real)

    def _is_known(self, mount: str) -> bool:
        found = self._cluster.direct().find(
            f"{NODE_HEALTHS.plural}.{NODE_HEALTHS.group}", self._options.real
        )
        if found is None:
            return False
        levels = msgspec.convert(found, NodeHealth).status.levels
        return any(
            level.subject == mount and level.knowledge is Knowledge.KNOWN for level in levels
        )

    def report(self, took: timedelta) -> Report:
        """Count what came of it."""
        violations = self._cluster.observer.violations
        return report.made(
            nodes=len(self._cluster.places),
            faults=1 + stage.sick(self._options.plan),
            repairs=tuple(self._repairs.values()),
            violations=[f"{each.broken}: {each.message}" for each in violations],
            limit_violations=sum(each.broken is Broken.LIMIT for each in violations),
            real=self._options.real,
            fault_source=f"a tmpfs of {realhost.SCRATCH_SIZE} was filled with {self._filled} bytes",
            took=took,
        )


def _remediator(options: Options, served: Served) -> Program:
    policy = options.folder / "policy.yaml"
    command = processes.nodemend(
        "remediator",
        *("--kubeconfig", served.remediator),
        *("--rules", options.rules, "--policy", policy),
    )
    return Program("the remediator", command, log=options.folder / "remediator.log")


def _has_token(cluster: Cluster, node: str) -> bool:
    try:
        cluster.agent_token(node)
    except KeyError:
        return False
    return True


async def _until(holds: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(_UP_WITHIN.total_seconds()):
            while not holds():  # noqa: ASYNC110 - the simulator has no event for it
                await asyncio.sleep(_LOOK_AGAIN)
    except TimeoutError as late:
        raise DemoError(f"waited {_UP_WITHIN.seconds} s in vain for {what}") from late
