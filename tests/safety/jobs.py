"""A controller of Jobs in the simulator: what runs where, how often, and how it ends."""

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, Final

from nodehealth import keys
from remediator.rules.policy import JOBS_NAMESPACE
from simulator.cluster import Cluster
from tests.safety.witnesses.history import REPAIRS

TEMPLATES: Final = ("mends", "fails", "stress", "soak")
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
    template = spec["template"]["spec"]["containers"][0]["name"]
    _hold_to_the_promise(cluster, name)
    if uid not in running:
        _hold_to_the_claim(cluster, job["metadata"])
        _hold_to_one(job["metadata"]["labels"][keys.REPAIR_LABEL] + template, running)
    running[uid] = running.get(uid, 0) + 1
    if running[uid] < _LASTS:
        return
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


def _hold_to_the_claim(cluster: Cluster, meta: dict[str, Any]) -> None:
    """A Job runs once its repair has it written down, for a rung or for the burn-in."""
    of, uid = meta["labels"][keys.REPAIR_LABEL], meta["uid"]
    (status,) = (
        each["status"] for each in cluster.direct().listed(REPAIRS) if each["metadata"]["uid"] == of
    )
    claimed = {status.get("intent", {}).get("pod"), status.get("burnIn", {}).get("job")}
    if uid not in claimed:
        raise AssertionError(f"{meta['name']} ({uid}) runs, and its repair says {claimed}")


def _hold_to_one(what: str, running: dict[str, int]) -> None:
    """A repair has a template run once, whatever its Job is called."""
    if what in running:
        raise AssertionError(f"{what} runs again")
    running[what] = 1
