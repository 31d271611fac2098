"""Rules and policy are taken in anew while the remediator works, and what has begun goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry

from nodehealth.kube.objects import NODES
from nodehealth.ledger import REPAIR_LEDGERS
from nodehealth.repair import Phase
from remediator import files
from remediator.files import Place
from remediator.metrics import Metrics
from remediator.reload import Source
from remediator.replica import Replica
from simulator import virtualtime
from tests.builders import health, level, node
from tests.remediator.leading import Fleet, fleet, leading

RULE: Final = """\
apiVersion: nodemend.dev/v1alpha1
kind: Rule
metadata: {name: full}
spec:
  about: A disk is full.
  severity: critical
  when: {signal: disk.free_ratio, where: "value < 0.05"}
  ladder: [drain: {deadline: 5m}, replace]
"""
POLICY: Final = """\
apiVersion: nodemend.dev/v1alpha1
kind: Policy
spec:
  mode: observe
  limits: {cordoned: 3, disrupted: 3}
  pools: [{name: all, limits: {cordoned: 3, disrupted: 3}}]
"""


class Mounted:
    """A ConfigMap as a kubelet mounts it: links into a directory whose link is swapped."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._version = folder, 0
        self.place = Place(rules=folder, policy=folder / "policy.yaml")
        self.write(rule=RULE, policy=POLICY)
        for name in ("rule.yaml", "policy.yaml"):
            (folder / name).symlink_to(f"..data/{name}")

    def write(self, *, rule: str = RULE, policy: str = POLICY) -> None:
        """Swap what is mounted."""
        self._version += 1
        newest = self._folder / f"..{self._version}"
        newest.mkdir()
        (newest / "rule.yaml").write_text(rule)
        (newest / "policy.yaml").write_text(policy)
        (self._folder / "..next").symlink_to(newest.name)
        (self._folder / "..next").replace(self._folder / "..data")


@asynccontextmanager
async def at_work(
    here: Fleet, mounted: Mounted, metrics: Metrics | None = None
) -> AsyncIterator[Replica]:
    """Let a remediator lead that looks at its files."""
    tell = partial(files.fingerprint, mounted.place)
    read = partial(files.loaded, mounted.place)
    used, loaded = await asyncio.to_thread(tell), await asyncio.to_thread(read)
    source = Source(fingerprint=tell, read=read, used=used)
    async with leading(here, loaded, metrics=metrics) as one:
        task = asyncio.create_task(one.reload(source).run())
        try:
            yield one
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def sick(here: Fleet, *names: str, free: float = 0.01) -> None:
    for name in names:
        uid = await here.node(node(name))
        await here.report(health(level(free), name=name, node_uid=uid))
    await asyncio.sleep(5)


async def cordoned(here: Fleet, name: str) -> bool:
    return (await here.agent.get(NODES, name)).spec.unschedulable


@virtualtime.played
async def test_a_swapped_config_map_is_in_use_within_seconds(tmp_path: Path) -> None:
    here, mounted = await fleet(), Mounted(tmp_path)
    async with at_work(here, mounted):
        await sick(here, "n1")
        watched = not await cordoned(here, "n1")

        mounted.write(policy=POLICY.replace("observe", "enforce"))
        await asyncio.sleep(15)
        await sick(here, "n2")

        assert watched
        assert await cordoned(here, "n2")


@virtualtime.played
async def test_a_broken_edit_replaces_nothing_until_it_is_mended(tmp_path: Path) -> None:
    here, mounted = await fleet(), Mounted(tmp_path)
    async with at_work(here, mounted):
        mounted.write(rule=RULE.replace("0.05", "0.052"), policy="kind: Policy")
        await asyncio.sleep(15)
        await sick(here, "n1")
        assert [each.spec.rule for each in await here.repairs()] == ["full"]

        mounted.write(rule=RULE.replace("name: full", "name: fuller"))
        await asyncio.sleep(15)
        await sick(here, "n2")

        assert {each.spec.rule for each in await here.repairs()} == {"full", "fuller"}


@virtualtime.played
async def test_a_broken_edit_shows_in_the_metrics_until_it_is_mended(tmp_path: Path) -> None:
    here, mounted = await fleet(), Mounted(tmp_path)
    metrics = Metrics(CollectorRegistry())
    good = []
    async with at_work(here, mounted, metrics):
        for rule in ("kind: Rule", RULE):
            mounted.write(rule=rule)
            await asyncio.sleep(15)
            good.append(metrics.registry.get_sample_value("nodemend_reload_ok"))

    assert good == [0, 1]


@virtualtime.played
async def test_the_ladder_of_a_repair_stays_as_it_was_when_it_began(tmp_path: Path) -> None:
    here, mounted = await fleet(), Mounted(tmp_path)
    async with at_work(here, mounted):
        await sick(here, "n1")
        mounted.write(rule=RULE.replace("deadline: 5m", "deadline: 9m"))
        await asyncio.sleep(15)
        await sick(here, "n2")

        deadlines = {
            each.spec.target.node: each.spec.ladder[0].settings["deadline"]
            for each in await here.repairs()
        }
        assert deadlines == {"n1": "5m", "n2": "9m"}


@virtualtime.played
async def test_a_rule_that_asks_something_else_starts_anew(tmp_path: Path) -> None:
    here, mounted = await fleet(), Mounted(tmp_path)
    async with at_work(here, mounted):
        await sick(here, "n1", free=0.03)
        asked = 'when: {signal: disk.free_ratio, where: "value < 0.04", for: 5m}'
        told = RULE.replace('when: {signal: disk.free_ratio, where: "value < 0.05"}', asked)
        mounted.write(rule=told, policy=POLICY.replace("observe", "enforce"))
        await asyncio.sleep(15)
        await sick(here, "n2", free=0.03)
        early = [each.spec.target.node for each in await here.repairs()]
        await asyncio.sleep(300)

        assert early == ["n1"]
        assert {each.spec.target.node for each in await here.repairs()} == {"n1", "n2"}


@virtualtime.played
async def test_a_limit_below_what_is_in_use_takes_nothing_back(tmp_path: Path) -> None:
    here, mounted = await fleet(), Mounted(tmp_path)
    mounted.write(policy=POLICY.replace("observe", "enforce"))
    async with at_work(here, mounted):
        await sick(here, "n1", "n2")
        lower = "{cordoned: 1, disrupted: 1}"
        stricter = POLICY.replace("{cordoned: 3, disrupted: 3}", lower)
        mounted.write(policy=stricter.replace("observe", "enforce"))
        await asyncio.sleep(15)
        await sick(here, "n3")

        phases = {each.spec.target.node: each.status.phase for each in await here.repairs()}
        ledger = await here.agent.get(REPAIR_LEDGERS, "default")
        assert ledger.status.cordons.keys() | ledger.status.slots.keys() == {"n1", "n2"}
        assert await cordoned(here, "n1")
        assert await cordoned(here, "n2")
        assert not await cordoned(here, "n3")
        assert phases["n3"] is Phase.CONFIRMED


@virtualtime.played
async def test_nodes_move_to_the_pools_of_the_new_policy(tmp_path: Path) -> None:
    here, mounted = await fleet(), Mounted(tmp_path)
    async with at_work(here, mounted):
        await sick(here, "n1")
        mounted.write(policy=POLICY.replace("name: all", "name: every"))
        await asyncio.sleep(15)
        await sick(here, "n2")

        pools = {each.spec.target.node: each.spec.target.pool for each in await here.repairs()}
        assert pools == {"n1": "all", "n2": "every"}


@virtualtime.played
async def test_who_waits_for_a_slot_is_held_to_the_pool_that_its_node_is_in_now(
    tmp_path: Path,
) -> None:
    here, mounted = await fleet(), Mounted(tmp_path)
    enforced = POLICY.replace("observe", "enforce")
    none = "name: all, limits: {cordoned: 3, disrupted: 0}"
    mounted.write(policy=enforced.replace("name: all, limits: {cordoned: 3, disrupted: 3}", none))
    async with at_work(here, mounted):
        await sick(here, "n1", "n2")
        before = (await here.agent.get(REPAIR_LEDGERS, "default")).status.slots
        one = "name: every, limits: {cordoned: 3, disrupted: 1}"
        mounted.write(
            policy=enforced.replace("name: all, limits: {cordoned: 3, disrupted: 3}", one)
        )
        await asyncio.sleep(12)

        slots = (await here.agent.get(REPAIR_LEDGERS, "default")).status.slots
        assert not before
        assert [slot.pool for slot in slots.values()] == ["every"]
