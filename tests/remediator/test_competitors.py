"""Others who repair nodes are found while we lead; only a policy that says so gives way to them."""

import asyncio
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from nodehealth.kube.objects import Object, Resource
from nodehealth.repair import Mode
from remediator import competitors
from remediator.files import Loaded
from remediator.metrics import Metrics
from remediator.rules.policy import Beside, Policy
from simulator import virtualtime
from tests.builders import health, level, node, rule, rules
from tests.remediator.conftest import DEFINITIONS
from tests.remediator.leading import Fleet, fleet, leading

CHECKS = Resource(
    group="remediation.medik8s.io",
    version="v1alpha1",
    plural="nodehealthchecks",
    kind="NodeHealthCheck",
    namespaced=False,
    type=Object,
)
AKS = {"kubernetes.azure.com/agentpool": "a"}
MINUTE = 60


async def define(world: Fleet) -> None:
    """Have the cluster serve medik8s' health checks."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"plural": CHECKS.plural, "singular": "nodehealthcheck", "kind": CHECKS.kind}
    spec = {
        "group": CHECKS.group,
        "scope": "Cluster",
        "names": {**names, "listKind": "NodeHealthCheckList"},
        "versions": [version],
    }
    metadata = {"name": f"{CHECKS.plural}.{CHECKS.group}"}
    await world.agent.create(DEFINITIONS, {"metadata": metadata, "spec": spec})


@virtualtime.played
async def test_where_nobody_else_is_known_of_nobody_is_found() -> None:
    world = await fleet()

    found = await competitors.checks(world.client)

    assert set(found.values()) == {()}


@virtualtime.played
async def test_a_health_check_of_others_is_found_unless_it_is_held_back() -> None:
    world = await fleet()
    await define(world)
    await world.agent.create(CHECKS, {"metadata": {"name": "on"}, "spec": {}})
    for name, more in (
        ("paused", {"spec": {"pauseRequests": ["upgrade"]}}),
        ("annotated", {"metadata": {"annotations": {"cluster.x-k8s.io/paused": ""}}}),
    ):
        body = {**more, "metadata": {"name": name, **more.get("metadata", {})}}
        await world.agent.create(CHECKS, body)

    found = await competitors.checks(world.client)

    assert found["nodehealthchecks.remediation.medik8s.io"] == ("on",)


async def mode_of_repairs(beside: Beside, labels: dict[str, str]) -> tuple[Mode, float | None]:
    world, metrics = await fleet(), Metrics(CollectorRegistry())
    uid = await world.node(node(labels=labels))
    policy = replace(Policy(mode=Mode.ENFORCE), competitors=beside)
    files = Loaded(rules=rules(rule()), policy=policy, provider=None, sinks={})
    async with leading(world, files, metrics=metrics):
        await asyncio.sleep(MINUTE)
        await world.report(health(level(0.01), node_uid=uid))
        await asyncio.sleep(MINUTE)
        told = metrics.registry.get_sample_value(
            "nodemend_competitors", {"name": "AKS auto-repair"}
        )
        (repair,) = await world.repairs()
    return repair.spec.mode, told


@pytest.mark.parametrize(
    ("beside", "labels", "mode", "told"),
    [
        (Beside.WARN, AKS, Mode.ENFORCE, 1.0),
        (Beside.REFUSE, AKS, Mode.OBSERVE, 1.0),
        (Beside.REFUSE, {}, Mode.ENFORCE, None),
    ],
)
@virtualtime.played
async def test_beside_others_nodemend_goes_on_unless_the_policy_refuses(
    beside: Beside, labels: dict[str, str], mode: Mode, told: float | None
) -> None:
    assert await mode_of_repairs(beside, labels) == (mode, told)


def test_who_was_not_looked_for_yet_may_be_there() -> None:
    policy = Policy(competitors=Beside.REFUSE)

    assert competitors.most(None, policy) is Mode.OBSERVE
    assert competitors.most(None, Policy()) is Mode.ENFORCE
