"""A controller of Jobs in the simulator: what runs where, how often, and how it ends."""

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, Final

from nodehealth import keys
from remediator.rules.policy import JOBS_NAMESPACE
from simulator.cluster import Cluster

TEMPLATES: Final = ("mends", "fails", "stress")
_LASTS: Final = 3
"""How many seconds a Job runs."""


def controller(
    mends: Callable[[str], bool] = lambda _: False,
) -> Callable[[Cluster, Random], Coroutine[None, None, None]]:
    """Return a controller that runs each Job once it is let run; `fails` fails.

    Args:
        mends: Whether the Job of a template frees its node of its ailments.
    """

    async def control(cluster: Cluster, _: Random) -> None:
        direct, running = cluster.direct(), dict[str, int]()
        direct.create("namespaces", {"metadata": {"name": JOBS_NAMESPACE}})
        for each in TEMPLATES:
            spec = {"containers": [{"name": each, "image": "registry.example/stress:1"}]}
            value = {"metadata": {"name": each}, "template": {"spec": spec}}
            direct.create("podtemplates", value, namespace=JOBS_NAMESPACE)
        while True:
            await asyncio.sleep(1)
            for job in direct.listed("jobs.batch", namespace=JOBS_NAMESPACE):
                _look(job, running, cluster, mends)

    return control


def _look(
    job: dict[str, Any], running: dict[str, int], cluster: Cluster, mends: Callable[[str], bool]
) -> None:
    uid, spec, status = job["metadata"]["uid"], job["spec"], job.get("status", {})
    if spec.get("suspend") or status.get("conditions"):
        return
    terms = spec["template"]["spec"]["affinity"]["nodeAffinity"]
    (term,) = terms["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    (name,) = term["matchFields"][0]["values"]
    _hold_to_the_promise(cluster, name)
    running[uid] = running.get(uid, 0) + 1
    if running[uid] < _LASTS:
        return
    template = spec["template"]["spec"]["containers"][0]["name"]
    if mends(template):
        cluster.ailments.clear(name)
    kind = "Failed" if template == "fails" else "Complete"
    condition = {"type": kind, "status": "True", "reason": "BackoffLimitExceeded"}
    cluster.direct().merge(
        "jobs.batch",
        job["metadata"]["name"],
        {"status": {"conditions": [condition]}},
        namespace=JOBS_NAMESPACE,
        subresource="status",
    )


def _hold_to_the_promise(cluster: Cluster, name: str) -> None:
    node = cluster.direct().find("nodes", name)
    taints = [each["key"] for each in (node or {"spec": {}})["spec"].get("taints", [])]
    if node is not None and keys.REPAIR_TAINT not in taints:
        raise AssertionError(f"a Job runs on {name}, which takes work")
