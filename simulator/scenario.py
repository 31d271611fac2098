"""What cluster there is and what befalls it: the values of a Scenario, and how they are read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

import yaml

from nodehealth.kit import discovery, settings
from nodehealth.kit.settings import SettingsError
from simulator.fault import Fault
from simulator.timings import Timings

API_VERSION: Final = "simulator.nodemend.dev/v1"
KIND: Final = "Scenario"
_FAULTS: Final = "simulator.faults"
_KINDS: Final[Mapping[str, type[Fault]]] = {
    name: discovery.find(Fault, _FAULTS, name) for name in discovery.names(_FAULTS)
}
"""Every way to be sick; read at once, so that no loop ever waits for a module's file."""


class WorkloadKind(StrEnum):
    """Who makes the pods of a workload."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"
    JOB = "Job"
    BARE = "Pod"
    """Nobody: what is gone is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Nodes of a kind, named after the pool and numbered."""

    name: str
    nodes: int = 0
    external: tuple[str, ...] = ()
    """Names of further nodes, whose agents are not simulated."""
    gpus: int = 0
    cpu: str = "16"
    memory: str = "64Gi"
    pods: int = 110
    zones: tuple[str, ...] = ("a",)
    instance_type: str = "sim.standard"
    labels: Mapping[str, str] = field(default_factory=dict)
    """What the Nodes say besides, such as the role of a control plane."""

    def names(self) -> tuple[str, ...]:
        """Return the names of the simulated nodes; they sort as they are numbered."""
        width = len(str(self.nodes))
        numbered = (f"{self.name}-{number:0{width}}" for number in range(1, self.nodes + 1))
        return (*numbered, *self.external)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A PodDisruptionBudget for all pods of a workload."""

    max_unavailable: int | str | None = None
    min_available: int | str | None = None
    unhealthy: str = ""
    """The unhealthyPodEvictionPolicy; empty for the API server's default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Pods that somebody wants to run."""

    name: str
    kind: WorkloadKind = WorkloadKind.DEPLOYMENT
    namespace: str = "default"
    replicas: int = 1
    """How many pods; of a DaemonSet there is one on each node."""
    pool: str = ""
    """Where they run; empty for anywhere."""
    gpus: int = 0
    grace: int = 30
    """The pods' terminationGracePeriodSeconds."""
    stops_after: timedelta = timedelta(seconds=1)
    """How long the pods take to end when they are told to."""
    runs_for: timedelta = timedelta(0)
    """After how long the pods of a Job end by themselves; never if zero."""
    budget: Budget | None = None
    holds_gpus: bool = False
    """Whether the pods have all GPUs of their nodes open, as device plugins and exporters do."""
    gives_way: bool = False
    """Whether a DaemonSet leaves Nodes whose label says that those who hold GPUs are paused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Which nodes a fault befalls, when, and for how long."""

    at: timedelta = timedelta(0)
    """How long after the start."""
    node: str = ""
    """This node; if empty, nodes are drawn."""
    pool: str = ""
    """The pool they are drawn from; any if empty."""
    count: int = 1
    """How many are drawn."""
    lasts: timedelta = timedelta(0)
    """After how long the fault passes by itself; never if zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """A fault, and whom it befalls."""

    name: str
    fault: Fault
    targets: Targets = Targets()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A cluster, what runs on it, and what goes wrong."""

    pools: tuple[Pool, ...] = (Pool(name="general", nodes=3),)
    workloads: tuple[Workload, ...] = ()
    faults: tuple[Injection, ...] = ()
    timings: Timings = field(default_factory=Timings)
    seed: int = 0
    agents: bool = True
    """Whether the simulated nodes have agents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    pools: tuple[Pool, ...] = Scenario().pools
    workloads: tuple[Workload, ...] = ()
    timings: Timings = field(default_factory=Timings)
    seed: int = 0
    agents: bool = True


def load(path: Path) -> Scenario:
    """Read a scenario from a YAML file.

    Raises:
        SettingsError: says where, what was expected there, and what is there.
    """
    try:
        return read(yaml.safe_load(path.read_text(encoding="utf-8")), path.name)
    except (OSError, UnicodeDecodeError) as unread:
        raise SettingsError(f"{path}: expected a readable file, got {unread}") from unread
    except yaml.YAMLError as garbled:
        raise SettingsError(f"{path}: expected YAML, got {garbled}") from garbled


def read(document: object, path: str) -> Scenario:
    """Make a scenario of what was written.

    Raises:
        SettingsError: says where, what was expected there, and what is there.
    """
    body = _mapping(document, path)
    for key, expected in (("apiVersion", API_VERSION), ("kind", KIND)):
        if body.get(key) != expected:
            raise SettingsError(f"{path}: {key}: expected {expected}, got {body.get(key)!r}")
    place = f"{path}: spec"
    spec = _mapping(body.get("spec", {}), place)
    faults = spec.pop("faults", None) or []
    written = settings.read(_Written, spec, place)
    if not isinstance(faults, list):
        raise SettingsError(f"{place}.faults: expected a list, got {faults!r}")
    scenario = Scenario(
        pools=written.pools,
        workloads=written.workloads,
        timings=written.timings,
        seed=written.seed,
        agents=written.agents,
        faults=tuple(injection(each, f"{place}.faults[{n}]") for n, each in enumerate(faults)),
    )
    _check(scenario, place)
    return scenario


def known_faults() -> Mapping[str, type[Fault]]:
    """Return every way to be sick by its name."""
    return _KINDS


def injection(written: object, path: str) -> Injection:
    """Read a fault as in `disk-full` or `{disk-full: {at: 10s, node: general-1, mount: /var}}`.

    Raises:
        SettingsError: says where, what was expected there, and what is there.
    """
    if isinstance(written, str):
        written = {written: {}}
    if not isinstance(written, Mapping) or len(written) != 1:
        raise SettingsError(f"{path}: expected a fault such as `disk-full`, got {written!r}")
    ((name, given),) = written.items()
    kind = _KINDS.get(str(name))
    if kind is None:
        raise SettingsError(f"{path}: no fault named {name!r}; known are {', '.join(_KINDS)}")
    place = f"{path}.{name}"
    known = _mapping(given or {}, place)
    whom = {key: known.pop(key) for key in tuple(known) if key in Targets.__slots__}
    return Injection(
        name=str(name),
        fault=settings.read(kind, known, place),
        targets=settings.read(Targets, whom, place),
    )


def _mapping(written: object, path: str) -> dict[str, object]:
    if not isinstance(written, Mapping):
        raise SettingsError(f"{path}: expected a mapping, got {written!r}")
    return {str(key): value for key, value in written.items()}


def _check(scenario: Scenario, path: str) -> None:
    """Complain about names that lead nowhere."""
    pools = [pool.name for pool in scenario.pools]
    if len(set(pools)) < len(pools):
        raise SettingsError(f"{path}.pools: expected different names, got {', '.join(pools)}")
    nodes = frozenset(name for pool in scenario.pools for name in pool.names())
    for n, workload in enumerate(scenario.workloads):
        _check_name(workload.pool, pools, f"{path}.workloads[{n}].pool", "pool")
    for n, each in enumerate(scenario.faults):
        place = f"{path}.faults[{n}].{each.name}"
        _check_name(each.targets.pool, pools, f"{place}.pool", "pool")
        if each.targets.node and each.targets.node not in nodes:
            examples = ", ".join(sorted(nodes)[:3])
            raise SettingsError(
                f"{place}.node: expected a node such as {examples}, got {each.targets.node!r}"
            )


def _check_name(name: str, known: list[str], path: str, what: str) -> None:
    if name and name not in known:
        raise SettingsError(f"{path}: expected a {what} of {', '.join(known)}, got {name!r}")
