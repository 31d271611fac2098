"""The commands that ask a cluster, as processes against the emulator over HTTP."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nodehealth import keys
from nodehealth.kit import clocks
from nodehealth.ledger import REPAIR_LEDGERS
from nodemend.looking.rulebook import CONFIG_MAPS
from simulator.api import faults
from simulator.api.http import serve
from simulator.api.kubeconfig import write_kubeconfig
from simulator.api.server import ApiServer
from simulator.cluster import Cluster
from simulator.scenario import Pool, Scenario

ROOT = Path(__file__).parents[2]
RULES = ROOT / "rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    complaint: str


async def nodemend(*words: str | Path) -> Answer:
    """Run a command; the loop goes on, for it serves the API."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "nodemend", *map(str, words)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "COLUMNS"},
    )
    out, complaint = await process.communicate()
    return Answer(code=process.returncode or 0, out=out.decode(), complaint=complaint.decode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A small cluster that is served, and where its kubeconfig lies."""

    cluster: Cluster
    kubeconfig: Path

    async def run(self, *words: str | Path) -> Answer:
        """Run a command against the cluster."""
        return await nodemend(*words, "--kubeconfig", self.kubeconfig)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Serve a cluster of three nodes."""
    plan = Scenario(pools=(Pool(name="w", nodes=3),))
    cluster = Cluster(plan, clock=clocks.wall)
    async with cluster, cluster.serve(tmp_path) as served:
        yield Desk(cluster=cluster, kubeconfig=served.admin)


async def test_status_says_that_nobody_leads(desk: Desk) -> None:
    answer = await desk.run("status")

    assert answer.code == 1
    assert "! No remediator leads: nothing is repaired." in answer.out
    assert "3: 3 Ready, 3 with a report that counts" in answer.out


async def test_status_is_json_for_scripts(desk: Desk) -> None:
    answer = await desk.run("status", "--json")

    assert json.loads(answer.out)["nodes"] == 3


async def test_breakers_are_all_closed_where_nothing_is_amiss(desk: Desk) -> None:
    answer = await desk.run("breakers", "--all")
    read = json.loads((await desk.run("breakers", "--json")).out)

    assert (answer.code, answer.complaint) == (0, "")
    assert "unhealthy-pool/default" in answer.out
    found = {each["breaker"]: each for each in read["breakers"]}
    assert found["silent-nodes/cluster"] == {
        **found["silent-nodes/cluster"],
        "state": "Closed",
        "seen": 0,
        "opensAt": 3,
        "of": 3,
    }


async def test_a_person_says_something_of_a_breaker_and_takes_it_back(desk: Desk) -> None:
    admin = desk.cluster.client("test")
    await admin.create(REPAIR_LEDGERS, {"metadata": {"name": keys.LEDGER_NAME}})
    wrong = await desk.run("breakers", "burst/defualt", "ignore")
    mute = await desk.run("breakers", "burst/default")
    said = await desk.run("breakers", "burst/default", "ignore")
    ahead = await desk.run("breakers", "after-change/default/scratch-full", "hold")
    words = (await admin.get(REPAIR_LEDGERS, keys.LEDGER_NAME)).spec.breakers
    back = await desk.run("breakers", "burst/default", "nothing")

    assert "there is no breaker burst/defualt; nearest are burst/default" in wrong.complaint
    assert "expected what to say of burst/default: ignore, try, hold, nothing" in mute.complaint
    assert (wrong.code, mute.code, said.code, ahead.code, back.code) == (2, 2, 0, 0, 0)
    assert words == {"burst/default": "Ignore", "after-change/default/scratch-full": "Hold"}
    left = (await admin.get(REPAIR_LEDGERS, keys.LEDGER_NAME)).spec.breakers
    assert left.keys() == {"after-change/default/scratch-full"}


async def test_why_judges_by_the_rules_that_the_clusters_remediator_has(desk: Desk) -> None:
    admin = desk.cluster.client("test")
    rule = (RULES / "disk" / "scratch-full.yaml").read_text()
    files = {"disk.scratch-full.yaml": rule.replace("scratch-full", "only-in-the-cluster")}
    policy = (RULES / "policy.yaml").read_text()
    for name, data in (
        (keys.RULES_CONFIG_MAP, files),
        (keys.POLICY_CONFIG_MAP, {"policy.yaml": policy}),
    ):
        body = {"metadata": {"name": name}, "data": data}
        await admin.create(CONFIG_MAPS, body, namespace=keys.NAMESPACE)

    answer = await desk.run("why", "w-1", "--json")

    assert [each["rule"] for each in json.loads(answer.out)["rules"]] == ["only-in-the-cluster"]


async def test_why_knows_the_nearest_names_of_a_node_that_there_is_not(desk: Desk) -> None:
    answer = await desk.run("why", "w1", "--rules", RULES)

    assert answer.code == 2
    assert answer.complaint == "nodemend: there is no node w1; nearest are w-1\n"


async def test_repairs_says_that_there_are_none(desk: Desk) -> None:
    answer = await desk.run("repairs")

    assert (answer.code, answer.out) == (0, "No repair is open.\n")


async def test_repairs_tells_a_node_that_is_well_from_one_that_there_is_not(desk: Desk) -> None:
    well = await desk.run("repairs", "w-1")
    misspelt = await desk.run("repairs", "w1")

    assert (well.code, well.out) == (0, "No repair of w-1 is open.\n")
    assert misspelt.code == 2
    assert misspelt.complaint == "nodemend: there is no repair or node w1; nearest are w-1\n"


async def test_a_node_that_only_runs_daemons_can_be_drained(desk: Desk) -> None:
    answer = await desk.run("drainable", "w-1", "--rules", RULES, "--json")

    assert answer.code == 0
    assert json.loads(answer.out)["counts"] == {"stays": 1}


async def test_a_bound_that_is_no_duration_is_named(desk: Desk) -> None:
    answer = await desk.run("drainable", "w-1", "--wait-completed", "soon")

    assert answer.code == 2
    assert answer.complaint.startswith("nodemend: --wait-completed: ")


@pytest.mark.parametrize("command", [("status",), ("why", "w-1"), ("repairs",)])
async def test_who_may_not_look_is_told_so_in_one_sentence(
    desk: Desk, command: tuple[str, ...]
) -> None:
    refusal = faults.Refuse(
        code=403, reason="Forbidden", message='noderepairs is forbidden: User "eve" cannot list'
    )
    with desk.cluster.api.faults.active(refusal):
        answer = await desk.run(*command)

    assert answer.code == 2
    assert answer.complaint.startswith("nodemend: you may not do this: ")
    assert len(answer.complaint.splitlines()) == 1


@pytest.mark.parametrize("command", [("status",), ("why", "w-1"), ("repairs",)])
async def test_a_server_that_is_away_is_said_in_one_sentence(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    kubeconfig = tmp_path / "config"
    await asyncio.to_thread(write_kubeconfig, kubeconfig, "http://127.0.0.1:1")

    answer = await nodemend(*command, "--kubeconfig", kubeconfig)

    assert answer.code == 2
    assert "127.0.0.1" in answer.complaint
    assert "Traceback" not in answer.complaint


async def test_a_cluster_without_our_kinds_is_said_to_lack_them(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    async with serve(ApiServer(clock=clocks.wall)) as served:
        await asyncio.to_thread(write_kubeconfig, kubeconfig, served.url)
        repairs = await nodemend("repairs", "--kubeconfig", kubeconfig)
        status = await nodemend("status", "--kubeconfig", kubeconfig)

    assert repairs.code == 2
    assert repairs.complaint == (
        "nodemend: the API server serves no NodeRepairs: nodemend is not installed there\n"
    )
    assert status.code == 1
    assert "CustomResourceDefinition nodehealths.nodemend.dev: is missing" in status.out


async def test_a_fault_can_be_put_on_a_simulated_machine(desk: Desk) -> None:
    answer = await desk.run("inject", "disk-full", "w-2", "mount=/scratch", "free=0.01")

    machine = desk.cluster.direct().get("machines.simulator.nodemend.dev", "w-2")
    assert (answer.code, answer.complaint) == (0, "")
    assert machine["metadata"]["annotations"]["simulator.nodemend.dev/fault"] == (
        "{disk-full: {free: 0.01, mount: /scratch}}"
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("disk-ful", "w-2"), "no fault named 'disk-ful'; known are agent-silent, disk-full"),
        (("disk-full", "w-2", "mont=/"), "inject.disk-full.mont: unknown setting"),
        (("disk-full", "w-2", "mount"), "expected a setting such as mount=/scratch, got 'mount'"),
        (("disk-full", "w-2", "count=3"), "count: only a scenario may say this"),
        (("disk-full", "w2"), "there is no machine w2; nearest are w-2"),
        (("disk-full",), "expected a fault and a node"),
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused(
    desk: Desk, words: tuple[str, ...], says: str
) -> None:
    answer = await desk.run("inject", *words)

    assert answer.code == 2
    assert says in answer.complaint


async def test_a_report_is_not_simulated_where_a_real_agent_reports(tmp_path: Path) -> None:
    plan = Scenario(pools=(Pool(name="w", nodes=1, external=("real",)),))
    cluster = Cluster(plan, clock=clocks.wall)
    async with cluster, cluster.serve(tmp_path) as served:
        desk = Desk(cluster=cluster, kubeconfig=served.admin)
        report = await desk.run("inject", "disk-full", "real", "mount=/scratch")
        kubelet = await desk.run("inject", "kubelet-dead", "real")

    assert report.code == 2
    assert "real has a real agent, which sees what is there" in report.complaint
    assert (kubelet.code, kubelet.complaint) == (0, "")


async def test_a_cluster_that_is_not_simulated_is_never_broken(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    async with serve(ApiServer(clock=clocks.wall)) as served:
        await asyncio.to_thread(write_kubeconfig, kubeconfig, served.url)
        answer = await nodemend("inject", "disk-full", "w-1", "--kubeconfig", kubeconfig)

    assert answer.code == 2
    assert "this is no simulated cluster" in answer.complaint


async def test_the_faults_are_listed() -> None:
    answer = await nodemend("inject", "--list")

    assert answer.code == 0
    assert "disk-full       A mount is full, or nearly so" in answer.out


async def test_status_says_that_the_clusters_rules_are_broken(desk: Desk) -> None:
    admin = desk.cluster.client("test")
    for name, data in (
        (keys.RULES_CONFIG_MAP, {"bad.yaml": "kind: Rule\n"}),
        (keys.POLICY_CONFIG_MAP, {"policy.yaml": (RULES / "policy.yaml").read_text()}),
    ):
        body = {"metadata": {"name": name}, "data": data}
        await admin.create(CONFIG_MAPS, body, namespace=keys.NAMESPACE)

    answer = await desk.run("status")

    assert answer.code == 1
    assert "! Rules or policy of the cluster can't be used" in answer.out
