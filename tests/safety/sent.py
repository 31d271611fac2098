"""Nodes that are mended from within: whom what befalls, and the ladders that help."""

import asyncio
from random import Random
from typing import Final

from nodehealth import keys
from remediator.files import remedy
from remediator.rules import compile as compiling
from remediator.rules import documents
from remediator.rules.policy import GpuClients
from remediator.rules.rule import RuleSet
from simulator import scenario
from simulator.cluster import Cluster
from tests.safety.stage import PROVIDER, Case

_RULE: Final = """
apiVersion: nodemend.dev/v1alpha1
kind: Rule
metadata: {name: gpu-stuck}
spec:
  about: A GPU asks to be reset.
  severity: critical
  when: {signal: gpu.recovery_action, where: "value > 0.0", for: 10s}
  clears: {quiet: 10s}
  verify: 10s
  ladder: [LADDER]
"""
_MEDDLES: Final = 0.5
PLUGINS: Final = GpuClients(daemon_sets=frozenset({("default", "plugin")}))
TIMINGS: Final = {
    "provision": "5s",
    "terminate": "2s",
    "join": "1s",
    "reboot": "20s",
}


def rules(*ladder: str) -> RuleSet:
    """Return one rule with this ladder."""
    document = documents.parse("gpu-stuck.yaml", _RULE.replace("LADDER", ", ".join(ladder)))
    return compiling.rule_set([compiling.rule(document, remedy)], [str(ladder)])


def beside(others: RuleSet, *ladder: str) -> RuleSet:
    """Return other rules with this one added to them."""
    return compiling.rule_set((*others.rules, *rules(*ladder).rules), [str(ladder)])


def case(
    *ladder: str,
    faults: list[dict[str, object]],
    plugins: bool = True,
    stubborn: bool = False,
    owned: bool = True,
) -> Case:
    """Four nodes with GPUs, device plugins that hold them, and what befalls them."""

    def plan(seed: int) -> scenario.Scenario:
        web = {"name": "web", "replicas": 4, "grace": 5, "stops-after": "2s"}
        plugin = {"name": "plugin", "kind": "DaemonSet", "holds-gpus": True}
        plugin["gives-way"] = not stubborn
        spec = {
            "seed": seed,
            "pools": [{"name": "w", "nodes": 4, "gpus": 2}],
            "workloads": [
                {**web, "budget": {"max-unavailable": 1}},
                *([{**plugin, "grace": 5, "stops-after": "2s"}] if plugins else []),
            ],
            "timings": TIMINGS,
            "faults": faults,
        }
        document = {"apiVersion": scenario.API_VERSION, "kind": scenario.KIND, "spec": spec}
        return scenario.read(document, "sent")

    clients = PLUGINS if plugins else GpuClients()
    provider = PROVIDER if owned else None
    return Case(rules=rules(*ladder), plan=plan, gpu_clients=clients, provider=provider)


async def meddler(cluster: Cluster, random: Random) -> None:
    """Delete repair Pods now and then, and not always politely."""
    direct, where = cluster.direct(), keys.REPAIR_NAMESPACE
    while True:
        await asyncio.sleep(random.uniform(1, 6))
        found = direct.listed("pods", namespace=where)
        if found and random.random() < _MEDDLES:
            options = random.choice([{}, {"gracePeriodSeconds": 0}])
            name = random.choice(found)["metadata"]["name"]
            direct.delete("pods", name, namespace=where, options=options)


def stuck(node: str, at: str = "2s", **more: object) -> dict[str, object]:
    """Have a GPU of a node ask for a reset."""
    return {"gpu-stuck": {"at": at, "node": node, **more}}


def trouble(node: str, program: str, does: str) -> dict[str, object]:
    """Have a program come to nothing on a node."""
    return {"errand-trouble": {"at": "1s", "node": node, "program": program, "does": does}}


def never_boots(node: str) -> dict[str, object]:
    """Have a machine stay down once it goes down."""
    return {"never-boots": {"at": "1s", "node": node}}


def same_boot(node: str) -> dict[str, object]:
    """Have a machine come back in the boot that it was in, whatever is done to its power."""
    return {"same-boot": {"at": "1s", "node": node}}
