"""Repair Pods on simulated machines do what they say, or what the scenario has them do."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from nodehealth import errand, keys
from nodehealth.errand import Program
from nodehealth.outcome import Outcome, Result
from simulator import scheduler, virtualtime
from simulator.api.calls import User
from simulator.api.direct import Direct
from simulator.api.wire import JsonObject
from simulator.cluster import REPAIR_IMAGE, Cluster
from simulator.hooks import Hooks
from simulator.scenario import Workload, WorkloadKind
from tests.simulator.small_clusters import Look, small, until

NODE = "general-1"
WHERE = keys.REPAIR_NAMESPACE


def pod(look: Look, program: Program, *, boot: str = "", node: str = NODE) -> JsonObject:
    meant = boot or boot_of(look)
    container = {
        "name": "errand",
        "image": REPAIR_IMAGE,
        "command": list(errand.command(program, meant)),
        "env": [{"name": errand.HOST_ROOT, "value": errand.HOST_MOUNT}],
    }
    spec = {
        "containers": [container],
        "schedulerName": keys.REPAIR_SCHEDULER,
        "affinity": scheduler.pin(node),
        "restartPolicy": "Never",
        "activeDeadlineSeconds": 60,
        "automountServiceAccountToken": False,
        "tolerations": [{"operator": "Exists"}],
    }
    return {"metadata": {"name": program.value}, "spec": spec}


def boot_of(look: Look) -> str:
    return str(look.node(NODE)["status"]["nodeInfo"]["bootID"])


def send(cluster: Cluster, made: JsonObject, *, to: str = NODE) -> None:
    """Make a Pod and bind it, as the remediator does."""
    ours = Direct(cluster.api, user=User(name=keys.REMEDIATOR_USER))
    name = made["metadata"]["name"]
    ours.create("pods", made, namespace=WHERE)
    target = {"metadata": {"name": name}, "target": {"kind": "Node", "name": to}}
    ours.ask("POST", ours.path("pods", WHERE, name, "binding"), target)


def words(look: Look, program: Program) -> dict[str, Any]:
    """Return the last words of a program, or nothing while it has none."""
    status = look.direct.get("pods", program.value, namespace=WHERE)["status"]
    for each in status.get("containerStatuses", ()):
        message = each["state"].get("terminated", {}).get("message")
        return dict(json.loads(message)) if message else {}
    return {}


def phase(look: Look, program: Program) -> str:
    return str(look.direct.get("pods", program.value, namespace=WHERE)["status"]["phase"])


@virtualtime.played
async def test_a_reboot_brings_another_boot_and_no_last_words() -> None:
    async with small() as cluster:
        look = Look(cluster)
        before = boot_of(look)
        send(cluster, pod(look, Program.REBOOT))

        await until(lambda: boot_of(look) != before)
        await until(lambda: phase(look, Program.REBOOT) == "Failed")

        assert words(look, Program.REBOOT) == {}


@virtualtime.played
async def test_a_program_refuses_in_another_boot_than_the_one_that_is_meant() -> None:
    async with small() as cluster:
        look = Look(cluster)
        before = boot_of(look)
        send(cluster, pod(look, Program.REBOOT, boot="another"))

        await until(lambda: phase(look, Program.REBOOT) == "Failed")

        assert words(look, Program.REBOOT)["result"] == "Refused"
        assert boot_of(look) == before


@virtualtime.played
async def test_a_program_mends_what_is_mended_by_it_and_nothing_else() -> None:
    async with small() as cluster:
        look = Look(cluster)
        cluster.inject(NODE, {"disk-full": {"mended-by": ["restart-service"]}})
        cluster.inject(NODE, "gpu-stuck")
        send(cluster, pod(look, Program.RESTART_SERVICE))

        await until(lambda: phase(look, Program.RESTART_SERVICE) == "Succeeded")

        assert [each.name for each in cluster.ailments.of(NODE)] == ["gpu-stuck"]


@pytest.mark.parametrize(
    ("does", "ends"), [("refuse", "Refused"), ("fail", "Failed")], ids=["refuse", "fail"]
)
@virtualtime.played
async def test_a_scenario_may_have_a_program_come_to_nothing(does: str, ends: str) -> None:
    async with small() as cluster:
        look = Look(cluster)
        cluster.inject(NODE, {"errand-trouble": {"program": "reboot", "does": does}})
        send(cluster, pod(look, Program.REBOOT))

        await until(lambda: phase(look, Program.REBOOT) == "Failed")

        assert words(look, Program.REBOOT)["result"] == ends


@virtualtime.played
async def test_a_program_that_hangs_is_ended_at_its_deadline() -> None:
    async with small() as cluster:
        look = Look(cluster)
        cluster.inject(NODE, {"errand-trouble": {"does": "hang"}})
        send(cluster, pod(look, Program.RESET_GPU))

        took = await until(lambda: phase(look, Program.RESET_GPU) == "Failed")

        status = look.direct.get("pods", "reset-gpu", namespace=WHERE)["status"]
        assert status["reason"] == "DeadlineExceeded"
        assert took >= timedelta(seconds=60)


@virtualtime.played
async def test_an_image_that_cannot_be_had_starts_nothing() -> None:
    async with small() as cluster:
        look = Look(cluster)
        cluster.inject(NODE, {"errand-trouble": {"does": "no-image"}})
        send(cluster, pod(look, Program.REBOOT))

        def waits() -> bool:
            found = look.direct.get("pods", "reboot", namespace=WHERE)["status"]
            return bool(found.get("containerStatuses"))

        await until(waits)

        assert phase(look, Program.REBOOT) == "Pending"


@virtualtime.played
async def test_a_gpu_is_not_reset_while_anybody_holds_it() -> None:
    plugin = Workload(name="plugin", kind=WorkloadKind.DAEMON_SET, holds_gpus=True, gives_way=True)
    async with small(plugin) as cluster:
        look = Look(cluster)
        send(cluster, pod(look, Program.RESET_GPU))

        await until(lambda: phase(look, Program.RESET_GPU) == "Failed")

        assert words(look, Program.RESET_GPU)["result"] == "Refused"


@virtualtime.played
async def test_a_daemon_set_that_gives_way_leaves_a_labelled_node_and_comes_back() -> None:
    plugin = Workload(name="plugin", kind=WorkloadKind.DAEMON_SET, holds_gpus=True, gives_way=True)
    async with small(plugin) as cluster:
        look = Look(cluster)
        paused = {"metadata": {"labels": {keys.GPU_CLIENTS_LABEL: keys.PAUSED}}}
        look.direct.merge("nodes", NODE, paused)

        await until(lambda: not look.pods("plugin", NODE))
        assert len(look.pods("plugin")) == 2
        look.direct.merge("nodes", NODE, {"metadata": {"labels": {keys.GPU_CLIENTS_LABEL: None}}})

        await until(lambda: bool(look.running("plugin", NODE)))


@virtualtime.played
async def test_a_kubelet_starts_no_pod_that_is_meant_for_another_node() -> None:
    async with small() as cluster:
        look = Look(cluster)
        send(cluster, pod(look, Program.REBOOT, node="general-2"))

        await until(lambda: phase(look, Program.REBOOT) == "Failed")

        status = look.direct.get("pods", "reboot", namespace=WHERE)["status"]
        assert status["reason"] == "NodeAffinity"


@virtualtime.played
async def test_a_machine_that_never_boots_stays_down_until_it_is_replaced() -> None:
    async with small() as cluster:
        look = Look(cluster)
        cluster.inject(NODE, "never-boots")
        send(cluster, pod(look, Program.REBOOT))

        await until(lambda: look.ready(NODE) == "Unknown")
        await until(lambda: look.machine(NODE)["status"]["phase"] == "Off", within=600)
        look.direct.delete("machines.simulator.nodemend.dev", NODE)

        await until(lambda: look.ready(NODE) == "True")


class Standing(Hooks):
    """Stands behind an external node, and knows what to do with one program."""

    def __init__(self, knows: Mapping[str, Outcome]) -> None:
        self.asked = list[Sequence[str]]()
        self._knows = knows

    async def machine_gone(self, node: str) -> None:
        """Follow nothing."""

    async def machine_started(self, node: str, node_uid: str, boot_id: str) -> None:
        """Follow nothing."""

    async def errand(self, node: str, words: Sequence[str]) -> Outcome | None:
        """Do what it can."""
        self.asked.append(words)
        return self._knows.get(words[len(errand.ENTRY)])


@virtualtime.played
async def test_whoever_stands_behind_a_node_runs_its_errands_or_leaves_them_to_us() -> None:
    refused = Outcome(result=Result.REFUSED, message="pid 7 holds it")
    behind = Standing({Program.RESET_GPU: refused})
    async with small(nodes=0, hooks=behind, external=("mine",)) as cluster:
        look = Look(cluster)
        await until(lambda: bool(look.node("mine")["status"]["nodeInfo"]["bootID"]))
        boot = str(look.node("mine")["status"]["nodeInfo"]["bootID"])
        for program in (Program.RESET_GPU, Program.RESTART_SERVICE):
            send(cluster, pod(look, program, boot=boot, node="mine"), to="mine")
        await until(lambda: bool(words(look, Program.RESET_GPU)))
        await until(lambda: bool(words(look, Program.RESTART_SERVICE)))

        assert words(look, Program.RESET_GPU)["message"] == "pid 7 holds it"
        assert words(look, Program.RESTART_SERVICE)["result"] == "Done"
        assert len(behind.asked) == 2
