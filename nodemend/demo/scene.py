"""All that is on the demo's stage: the cluster, this machine in it, and the remediator."""

import asyncio
import shlex
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

from nodehealth import keys
from nodehealth.health import NODE_HEALTHS, Level, NodeHealth
from nodehealth.kit import clocks
from nodehealth.kube.objects import LEASES, NODES
from nodehealth.repair import Phase
from nodehealth.signals import Author, Knowledge
from nodemend.demo import hosts as staged
from nodemend.demo import latency, picture, processes, realhost, report, stage
from nodemend.demo.audience import Audience
from nodemend.demo.hosts import Hosts
from nodemend.demo.latency import Stopwatch
from nodemend.demo.picture import Picture
from nodemend.demo.processes import Program
from nodemend.demo.replicas import Frozen, Replicas
from nodemend.demo.report import Report, Tally
from nodemend.demo.stage import Stage
from nodemend.demo.story import Story
from remediator.rules.policy import Policy
from remediator.rules.rule import Rule, RuleSet
from simulator.cluster import REMEDIATOR, Cluster, Served
from simulator.observer import Broken

_LOOK_AGAIN: Final = 0.2
_UP_WITHIN: Final = timedelta(seconds=30)
_ALERTED: Final = "ALERT "
"""How a line begins that the remediator's sink `stdout` writes."""
_ALERT: Final = "blue"
_REPLICAS: Final = ("one", "two")
_MIDST: Final = frozenset({Phase.DRAINING, Phase.FENCING, Phase.REPAIRING})
"""Phases of a repair in which something has been begun."""
_GPU_SIGNAL: Final = "gpu.recovery_action"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is played, and how."""

    stage: Stage
    rules: RuleSet
    policy: Policy
    folder: Path
    """Where the demo's files lie while it lasts, `rules` and `policy.yaml` among them."""
    most: timedelta
    """How long the demo may last."""
    live: bool = False
    """Whether it is shown on a screen that changes, in place of lines."""


class DemoError(Exception):
    """The demo could not go on."""


@asynccontextmanager
async def scene(options: Options, story: Story) -> AsyncIterator["Scene"]:
    """Set the stage, and clear it at the end, whatever the end."""
    folder = options.folder
    leash = await asyncio.to_thread(processes.leash)
    places: dict[str, str] = {}

    async def kubeconfig(node: str, path: Path) -> None:
        await _until(lambda: _has_token(cluster, node), f"the agent's pod on {node}")
        await cluster.agent_kubeconfig(path, places["url"], node)

    chosen = options.stage
    hosts = await staged.prepared(chosen, folder, leash, kubeconfig)
    cluster = Cluster(chosen.plan, clock=clocks.wall, hooks=hosts, limits=chosen.limits)
    async with cluster, cluster.serve(folder) as served:
        places["url"] = served.url
        remediators = Replicas(
            {name: _remediator(options, served, leash, name) for name in _REPLICAS},
            lambda: _leader(cluster),
            clocks.wall,
        )
        whole = Scene(
            options=options, story=story, cluster=cluster, hosts=hosts, remediators=remediators
        )
        watching = asyncio.create_task(whole.watch(), name="the audience")
        try:
            await whole.begin()
            yield whole
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await asyncio.gather(whole.remediators.stop(), hosts.stop())


class Scene:
    """All that is on stage."""

    def __init__(
        self,
        *,
        options: Options,
        story: Story,
        cluster: Cluster,
        hosts: Hosts,
        remediators: Replicas,
    ) -> None:
        self.options, self.remediators = options, remediators
        self._story, self._cluster = story, cluster
        self._hosts, self._host, self._box = hosts, hosts.real, hosts.box
        self._client = cluster.client("demo")
        self._stopwatch = Stopwatch(REMEDIATOR.name)
        self._filled = 0
        self._is_box_sick = False
        self._frozen: Frozen | None = None
        self._began = clocks.wall()
        kubeconfig = shlex.quote(str(options.folder / "admin.kubeconfig"))
        self._hint = f"look around: export KUBECONFIG={kubeconfig}"
        self.audience = Audience(self._client, options.policy, story=story, clock=clocks.wall)
        cluster.api.on_request(self._stopwatch.hear)

    async def begin(self) -> None:
        """Start the agent on this machine, and the remediators."""
        stage_ = self.options.stage
        self._story.say(f"{len(self._cluster.places)} nodes, one is this machine: {stage_.real}")
        self._story.say(self._hint)
        self._story.say("   then: nodemend status · nodemend why NODE · kubectl get noderepairs")
        _publish(self.options, self._cluster)
        if self._box is not None:
            self._story.say("has eight H100 of a stand-in driver; all else is real", who=stage_.box)
        for name in filter(None, (stage_.real, stage_.box)):
            node = await self._client.get(NODES, name)
            boot = node.status.node_info.boot_id
            await self._hosts.machine_started(name, node.metadata.uid, boot)
        await self.remediators.start()

    async def watch(self) -> None:
        """Follow what the cluster shows, and what people would be alerted of."""

        def alerted(line: str) -> None:
            self._story.say(line, style=_ALERT)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.audience.watch())
            tasks.create_task(self.remediators.follow(_ALERTED, alerted))

    async def act(self) -> None:
        """Fill the real disk, break a GPU, and wait until everything sick is well again.

        In the midst of it, the remediator that leads stands still for a minute, if there is time.
        """
        await self._fill()
        await self._break()
        if self.options.stage.freezes and await self._is_in_the_midst():
            self._frozen = await self.remediators.freeze(self._story.say)
        while not self._is_over():  # noqa: ASYNC110 - the simulator has no event for it
            await asyncio.sleep(_LOOK_AGAIN)

    async def _fill(self) -> None:
        mount, real = str(self._host.scratch), self.options.stage.real
        try:
            await _until(lambda: self._is_known(mount), "the first report of the real agent")
        except DemoError as late:
            raise DemoError(f"{late}:\n{await self._host.last_words()}") from late
        if self._elapsed() > stage.quiet_from(self.options.most):
            return
        self._story.say(f"the agent reports; fills {mount}", who=real)
        self._filled = await asyncio.to_thread(self._host.fill)
        text = f"wrote {self._filled // 2**20} MiB until the kernel said: no space left on device"
        self._story.say(text, who=real)

    async def _break(self) -> None:
        if self._box is None or self._elapsed() > stage.quiet_from(self.options.most):
            return
        box = self.options.stage.box
        await _until(
            lambda: self._knows(box, lambda level: level.name == _GPU_SIGNAL),
            "the first report of the GPU box",
        )
        await self._box.fall_sick()
        self._is_box_sick = True
        self._story.say("its driver says XID 95, and that the GPU must be reset", who=box)

    async def _is_in_the_midst(self) -> bool:
        """Wait until a repair is, and all that is sick is out of work; false if it is over."""
        while not self._is_over():
            repairs = self.audience.repairs.values()
            out = {each.spec.target.node for each in repairs if each.status.cordon_epoch}
            sick = {*self._ailing(), *self._unmended()}
            going = any(each.status.phase in _MIDST for each in repairs)
            if going and not self._to_come() and sick <= out:
                return True
            await asyncio.sleep(_LOOK_AGAIN)
        return False

    def _is_known(self, mount: str) -> bool:
        return self._knows(self.options.stage.real, lambda level: level.subject == mount)

    def _knows(self, node: str, which: Callable[[Level], bool]) -> bool:
        kind = f"{NODE_HEALTHS.plural}.{NODE_HEALTHS.group}"
        found = self._cluster.direct().find(kind, node)
        if found is None:
            return False
        levels = msgspec.convert(found, NodeHealth).status.levels
        return any(which(level) and level.knowledge is Knowledge.KNOWN for level in levels)

    def _is_over(self) -> bool:
        """Say whether every fault has come, and all that it did has come to an end."""
        going = any(report.goes_on(each) for each in self.audience.repairs.values())
        return not going and not self._to_come() and not self._left_sick()

    def _to_come(self) -> int:
        coming = [each.targets.at for each in self.options.stage.plan.faults]
        own = (not self._filled) + (self._box is not None and not self._is_box_sick)
        return sum(at > self._elapsed() for at in coming) + own

    def _left_sick(self) -> tuple[str, ...]:
        repairs = self.audience.repairs.values()
        called = {each.spec.target.node for each in repairs if each.status.phase in report.GIVEN_UP}
        left = dict.fromkeys((*self._unmended(), *sorted(self._ailing())))
        return tuple(name for name in left if name not in called)

    def _unmended(self) -> list[str]:
        """Return the sick ones of the machines that are real which have no repair yet."""
        mended = {each.spec.target.node for each in self.audience.repairs.values()}
        stage_ = self.options.stage
        broken = {stage_.real: bool(self._filled), stage_.box: self._is_box_sick}
        return [name for name, is_sick in broken.items() if is_sick and name not in mended]

    def _ailing(self) -> frozenset[str]:
        places = self._cluster.places
        return frozenset(name for name in places if self._cluster.ailments.of(name))

    def _elapsed(self) -> timedelta:
        return clocks.wall() - self._began

    def picture(self) -> Picture:
        """Return what there is to see now."""
        repairs, audience = tuple(self.audience.repairs.values()), self.audience
        real, policy = self.options.stage.real, self.options.policy
        return Picture(
            now=clocks.wall(),
            elapsed=self._elapsed(),
            most=self.options.most,
            hint=self._hint,
            spots=picture.spots(audience.fleet, policy, repairs, self._ailing(), real),
            repairs=repairs,
            usages=audience.usages(),
            lines=tuple(self._story.lines),
        )

    def report(self) -> Report:
        """Count what came of it."""
        observer, repairs = self._cluster.observer, tuple(self.audience.repairs.values())
        rules, plan = self.options.rules.by_name, self.options.stage.plan
        waits = {
            each.spec.target.node: _wait(rules[each.spec.rule])
            for each in repairs
            if each.spec.rule in rules and _is_reported(rules[each.spec.rule])
        }
        tally = Tally(
            nodes=len(self._cluster.places),
            faults=1 + (self._box is not None) + stage.sick(plan) - self._to_come(),
            left_sick=self._left_sick(),
            to_come=self._to_come(),
            violations=[f"{each.broken}: {each.message}" for each in observer.violations],
            limit_violations=sum(each.broken is Broken.LIMIT for each in observer.violations),
            most_disrupted=observer.most,
            latency=latency.measured(self._stopwatch.spans(waits)),
            frozen=self._frozen,
            took=self._elapsed(),
        )
        source = f"a tmpfs of {realhost.SCRATCH_SIZE} was filled with {self._filled} bytes"
        return report.made(tally, repairs, real=self.options.stage.real, source=source)


def _publish(options: Options, cluster: Cluster) -> None:
    """Put rules and policy where a cluster has them, for `nodemend status` and `why`."""
    rules = {path.name: path.read_text() for path in sorted((options.folder / "rules").iterdir())}
    for name, data in (
        (keys.RULES_CONFIG_MAP, rules),
        (keys.POLICY_CONFIG_MAP, {"policy.yaml": options.stage.policy}),
    ):
        body = {"metadata": {"name": name}, "data": data}
        cluster.direct().create("configmaps", body, namespace=keys.NAMESPACE)


def _wait(rule: Rule) -> timedelta:
    return max((each.lasts for each in rule.questions), default=timedelta())


def _is_reported(rule: Rule) -> bool:
    """Say whether the rule asks only for what agents report."""
    return all(each.signal.author is Author.AGENT for each in rule.questions)


def _remediator(options: Options, served: Served, leash: Sequence[str], name: str) -> Program:
    command = processes.nodemend(
        "remediator",
        *("--kubeconfig", served.remediator),
        *("--rules", options.folder / "rules", "--policy", options.folder / "policy.yaml"),
        *("--identity", name),
        leash=leash,
    )
    return Program(f"remediator {name}", command, log=options.folder / f"remediator-{name}.log")


def _leader(cluster: Cluster) -> str:
    kind = f"{LEASES.plural}.{LEASES.group}"
    lease = cluster.direct().find(kind, keys.LEADER_LEASE, namespace=keys.NAMESPACE)
    return str(lease["spec"].get("holderIdentity") or "") if lease else ""


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
