"""Of a job that runs on many nodes one is disrupted at a time, whoever dies, whatever is lost."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Final

import pytest

from nodehealth import keys
from nodehealth.kube.client import Client
from nodehealth.kube.objects import PODS
from nodehealth.ledger import REPAIR_LEDGERS
from nodehealth.repair import NodeRepair, Phase
from simulator import scenario
from simulator.cluster import Cluster
from tests.safety import sent, stage
from tests.safety.peril import Crash
from tests.safety.stage import SICK, Case, Ending
from tests.safety.test_crashes import assert_all_is_well
from tests.safety.trials import BAD_LUCK
from tests.safety.witnesses.gangs import JOBSET

MOST_SWAPS: Final = 12
WAITS: Final = (
    "w-2 has pods of gang default/jobset/train, and a gang may lose one node at once; "
    "under repair: w-1"
)
_SOON: Final = timedelta(milliseconds=200)
_LOOKS: Final = 3_000


def full(node: str, at: str) -> dict[str, object]:
    return {"disk-full": {"at": at, "node": node, "mount": "/scratch"}}


def staged(seed: int, *faults: Mapping[str, object], provision: str) -> scenario.Scenario:
    """Some sick nodes, and machines that take so long to come that several may be away at once."""
    spec = {
        "seed": seed,
        "pools": [{"name": "w", "nodes": 4}],
        "timings": {"provision": provision, "terminate": "2s", "join": "1s"},
        "faults": list(faults),
    }
    document = {"apiVersion": scenario.API_VERSION, "kind": scenario.KIND, "spec": spec}
    return scenario.read(document, "gangs")


def three(seed: int) -> scenario.Scenario:
    """Three nodes fall sick one after the other."""
    faults = (full(name, f"{n}s") for n, name in enumerate(SICK, start=2))
    return staged(seed, *faults, provision="3m")


def one_dead(seed: int) -> scenario.Scenario:
    """The second node is dead for long when it is found sick."""
    dead = {"kubelet-dead": {"at": "1s", "node": "w-2"}}
    return staged(seed, full("w-1", "2s"), dead, full("w-2", "4m"), provision="10m")


async def run(client: Client, name: str, node: str) -> None:
    """Have a pod of the JobSet run on a node; nobody brings it back."""
    marks = {"labels": {JOBSET: "train"}, "annotations": {keys.DRAIN: "evict"}}
    spec = {
        "nodeName": node,
        "containers": [{"name": "main", "image": "x"}],
        "terminationGracePeriodSeconds": 2,
    }
    body = {"metadata": {"name": name, **marks}, "spec": spec}
    await client.create(PODS, body, namespace="default")


async def trains(cluster: Cluster, _: Random) -> None:
    """Run a JobSet on the first two nodes, which goes on with what is left of it."""
    client = cluster.client("test")
    for name in ("w-1", "w-2"):
        await run(client, f"train-{name}", name)


async def trains_and_grows(cluster: Cluster, random: Random) -> None:
    """The same, and another pod of it comes to the third node once that has its slot."""
    await trains(cluster, random)
    client = cluster.client("test")
    for _ in range(_LOOKS):
        await asyncio.sleep(_SOON.total_seconds())
        ledgers = (await client.listing(REPAIR_LEDGERS)).items
        if any("w-3" in each.status.slots for each in ledgers):
            await run(client, "train-w-3", "w-3")
            return


def two_stuck(seed: int) -> scenario.Scenario:
    """Two nodes whose GPUs ask for a reset, and machines that take long to boot."""
    spec = {
        "seed": seed,
        "pools": [{"name": "w", "nodes": 4, "gpus": 2}],
        "timings": {**sent.TIMINGS, "reboot": "3m"},
        "faults": [sent.stuck("w-1"), sent.stuck("w-2", at="3s")],
    }
    document = {"apiVersion": scenario.API_VERSION, "kind": scenario.KIND, "spec": spec}
    return scenario.read(document, "gangs")


TRAINING: Final = Case(plan=three, meddler=trains)


def began(ending: Ending) -> Mapping[str, datetime]:
    """Say when each node's drain began."""
    return {each.spec.target.node: since(each, Phase.DRAINING) for each in ending.repairs}


def since(repair: NodeRepair, phase: Phase) -> datetime:
    return next(each.at for each in repair.status.timeline if each.phase is phase)


def over(ending: Ending, node: str) -> datetime:
    return since(of(ending, node), Phase.RECOVERED)


def of(ending: Ending, node: str) -> NodeRepair:
    return next(each for each in ending.repairs if each.spec.target.node == node)


def in_order(times: Mapping[str, datetime]) -> list[str]:
    return sorted(times, key=lambda name: times[name])


def test_the_second_node_of_a_gang_waits_for_the_first_and_a_node_of_none_goes_before_it() -> None:
    ending = stage.play(0, limit=2, case=TRAINING)

    assert_all_is_well(ending)
    assert in_order(began(ending)) == ["w-1", "w-3", "w-2"]
    assert began(ending)["w-3"] < over(ending, "w-1") <= began(ending)["w-2"]


def test_who_waits_for_a_gang_says_for_which_and_which_node_has_it() -> None:
    ending = stage.play(0, limit=2, case=TRAINING)

    said = [each.text for each in of(ending, "w-2").status.log if "gang" in each.text]
    assert said == [f"Waiting (GangLimit): {WAITS}"]


def test_a_node_that_is_rebooted_without_a_drain_waits_for_another_one_of_its_gang() -> None:
    case = Case(rules=sent.rules("reboot"), plan=two_stuck, meddler=trains)

    ending = stage.play(0, limit=2, sick=("w-1", "w-2"), case=case)

    begun = {each.spec.target.node: since(each, Phase.REPAIRING) for each in ending.repairs}
    assert ending.breaches == ()
    assert over(ending, "w-1") <= begun["w-2"]


def test_a_dead_node_does_not_wait_for_a_gang_that_has_lost_it_already() -> None:
    case = Case(plan=one_dead, meddler=trains)

    ending = stage.play(0, limit=2, sick=("w-1", "w-2"), case=case)

    assert_all_is_well(ending, ("w-1", "w-2"))
    assert began(ending)["w-2"] < over(ending, "w-1")


def test_a_pod_that_comes_late_is_not_evicted_while_its_gang_loses_another_node() -> None:
    ending = stage.play(0, limit=2, case=Case(plan=three, meddler=trains_and_grows))

    assert_all_is_well(ending)
    late = next(each for each in of(ending, "w-3").status.evictions if each.name == "train-w-3")
    assert began(ending)["w-3"] < over(ending, "w-1") <= late.at


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("replicas", [1, 2])
def test_a_crash_at_any_swap_of_the_ledger_loses_no_gang_two_nodes(
    replicas: int,
    after: bool,  # noqa: FBT001 - pytest
) -> None:
    for write in range(1, MOST_SWAPS + 1, replicas):
        crash = Crash(at_write=write, after=after, among=("repairledgers",))

        assert_all_is_well(stage.play(0, limit=2, replicas=replicas, crash=crash, case=TRAINING))


def test_two_remediators_in_bad_luck_lose_no_gang_two_nodes(seeds: Iterable[int]) -> None:
    for seed in tuple(seeds)[::20]:
        ending = stage.play(
            seed,
            replicas=2,
            limit=2 + seed % 2,
            luck=BAD_LUCK,
            crash=Crash(at_write=5 + seed % 60, after=seed % 3 == 0),
            lag=timedelta(seconds=seed % 7),
            case=Case(plan=three, meddler=trains_and_grows if seed % 2 else trains),
        )

        assert_all_is_well(ending)
