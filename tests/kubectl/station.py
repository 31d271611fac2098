"""A cluster on a socket, a kubelet for its pods, and a person with kubectl."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nodehealth.kit import clocks
from simulator.api import http, wire
from simulator.api.controllers.plane import ControlPlane
from simulator.api.direct import Direct
from simulator.api.kubeconfig import write_kubeconfig
from simulator.api.server import ApiServer
from simulator.api.wire import JsonObject

CRDS: Final = Path(__file__).parents[2] / "deploy" / "crds"
PATIENCE: Final = 30.0
TICK: Final = 0.02
SPACE: Final = "default"
_TITLES: Final = re.compile(r"\S+(?: \S+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a run of kubectl left behind."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, str]]:
        """Read a printed table: columns begin where their headings do."""
        head, *lines = self.out.splitlines()
        titles = list(_TITLES.finditer(head))
        ends = [*(title.start() for title in titles[1:]), None]
        return [
            {
                title.group(): line[title.start() : end].strip()
                for title, end in zip(titles, ends, strict=True)
            }
            for line in lines
        ]

    @property
    def fields(self) -> dict[str, str]:
        """Read a description: what stands behind each name."""
        parts = (line.partition(":") for line in self.out.splitlines())
        return {name.strip(): value.strip() for name, _, value in parts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubectl:
    """One kubectl, pointed to one cluster."""

    program: str
    version: tuple[int, int]
    kubeconfig: Path
    home: Path

    async def __call__(self, *words: str, code: int = 0, typed: str = "") -> Said:
        """Run a command to its end, which must come with this exit code."""
        process = await self.start(*words)
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate(typed.encode())
        said = Said(code=process.returncode or 0, out=out.decode(), err=err.decode())
        assert said.code == code, f"kubectl {' '.join(words)}: {said}"
        return said

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        """Begin a command."""
        pipe = asyncio.subprocess.PIPE
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.home)}
        kubeconfig = f"--kubeconfig={self.kubeconfig}"
        return await asyncio.create_subprocess_exec(
            self.program, kubeconfig, *words, env=environ, stdin=pipe, stdout=pipe, stderr=pipe
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A cluster as its simulator sees it, and the furniture that tests need."""

    api: ApiServer
    direct: Direct

    def node(self, name: str, **metadata: object) -> None:
        """Add a node that is well."""
        conditions = [
            {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "posting"},
            {"type": "DiskPressure", "status": "False", "reason": "Enough", "message": "room"},
        ]
        addresses = [{"type": "InternalIP", "address": "10.0.0.1"}]
        status: JsonObject = {
            "conditions": conditions,
            "addresses": addresses,
            "capacity": {"cpu": "64", "memory": "256Gi", "pods": "110", "nvidia.com/gpu": "8"},
            "allocatable": {"cpu": "63", "memory": "250Gi", "pods": "110", "nvidia.com/gpu": "8"},
            "nodeInfo": {
                "kubeletVersion": "v1.32.0",
                "osImage": "Debian GNU/Linux 12",
                "kernelVersion": "6.1.0",
                "containerRuntimeVersion": "containerd://2.0.0",
            },
        }
        self.direct.create("nodes", {"metadata": {"name": name, **metadata}, "status": status})

    def pod(self, name: str, node: str, *, owner: str = "ReplicaSet", ready: bool = True) -> None:
        """Add a pod of an app that runs; owner is the kind of its controller, if it has one."""
        metadata: JsonObject = {"name": name, "namespace": SPACE, "labels": {"app": "web"}}
        if owner:
            metadata["ownerReferences"] = [self._controller(owner)]
        spec = {"nodeName": node, "containers": [{"name": "main", "image": "web:1"}]}
        self.direct.create("pods", {"metadata": metadata, "spec": spec})
        self.report(name, ready=ready)

    def report(self, name: str, *, ready: bool = True) -> None:
        """Say of a pod what its kubelet would."""
        states = [{"name": "main", "ready": ready, "restartCount": 2, "image": "web:1"}]
        status = {
            "phase": "Running",
            "podIP": "10.1.0.7",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": states,
        }
        self.direct.merge("pods", name, {"status": status}, namespace=SPACE, subresource="status")

    def budget(self, name: str, least: int) -> None:
        """Add a budget for the pods of the app."""
        spec = {"minAvailable": least, "selector": {"matchLabels": {"app": "web"}}}
        body = {"metadata": {"name": name}, "spec": spec}
        self.direct.create("poddisruptionbudgets.policy", body, namespace=SPACE)

    def event(self, kind: str, name: str, reason: str, message: str) -> None:
        """Tell of something that happened."""
        found = self.direct.get(f"{kind.lower()}s", name, namespace=SPACE if kind == "Pod" else "")[
            "metadata"
        ]
        about = {"apiVersion": "v1", "kind": kind, "name": name, "uid": found["uid"]}
        if kind == "Pod":
            about["namespace"] = SPACE
        body: JsonObject = {
            "metadata": {"name": f"{name}.{reason.lower()}"},
            "involvedObject": about,
            "reason": reason,
            "message": message,
            "type": "Warning",
            "count": 3,
            "firstTimestamp": found["creationTimestamp"],
            "lastTimestamp": found["creationTimestamp"],
            "source": {"component": "nodemend-remediator"},
        }
        self.direct.create("events", body, namespace=SPACE)

    def pods(self) -> set[str]:
        """Return the names of the pods that are there."""
        return {pod["metadata"]["name"] for pod in self.direct.listed("pods")}

    def read(self, resource: str, name: str) -> JsonObject:
        """Read an object that lies in no namespace, or in the default one."""
        space = SPACE if resource in {"pods", "configmaps"} else ""
        return self.direct.get(resource, name, namespace=space)

    def wanted(self) -> list[JsonObject]:
        """Return everything that is there as people wrote it: without what servers keep."""
        found = [wire.load(change.new.body) for change in self.api.world.store.present()]
        for each in found:
            each.pop("status", None)
            for field in ("resourceVersion", "managedFields"):
                each["metadata"].pop(field, None)
        return sorted(found, key=lambda each: str(each["metadata"]["uid"]))

    def taints(self, node: str) -> set[str]:
        """Return the keys of a node's taints."""
        return {taint["key"] for taint in self.read("nodes", node)["spec"].get("taints", [])}

    def _controller(self, kind: str) -> JsonObject:
        resource = f"{kind.lower()}s.apps"
        found = self.direct.find(resource, "web", namespace=SPACE)
        if found is None:
            spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}}
            body = {"metadata": {"name": "web"}, "spec": spec}
            found = self.direct.create(resource, body, namespace=SPACE)
        about = {"apiVersion": "apps/v1", "kind": kind, "name": "web", "controller": True}
        return {**about, "uid": found["metadata"]["uid"]}


async def kubelets(direct: Direct) -> None:
    """End the pods that are asked to end, as the kubelets of all nodes would."""
    while True:
        for pod in direct.listed("pods"):
            metadata = pod["metadata"]
            if metadata.get("deletionTimestamp"):
                options = {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
                name, space = metadata["name"], metadata["namespace"]
                direct.delete("pods", name, namespace=space, options=options)
        await asyncio.sleep(TICK)


@asynccontextmanager
async def opened(kubeconfig: Path) -> AsyncIterator[Station]:
    """Run a cluster and write how to get there."""
    api = ApiServer(clock=clocks.wall)
    direct = Direct(api)
    async with http.serve(api) as served:
        await asyncio.to_thread(write_kubeconfig, kubeconfig, served.url)
        tasks = [
            asyncio.create_task(work, name=name)
            for name, work in (
                ("control plane", ControlPlane(api).run()),
                ("kubelets", kubelets(direct)),
            )
        ]
        try:
            yield Station(api=api, direct=direct)
        finally:
            await ended(tasks)


async def ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    """End tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
