"""What the demo plays: the default scenario, and the policy that its remediator gets."""

import re
import socket
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import yaml

from nodehealth import keys, quantities
from nodehealth.kit.settings import SettingsError
from simulator import scenario
from simulator.observer import Limits
from simulator.scenario import Pool, Scenario

WEB: Final = "web"
GPU: Final = "gpu"
BOX: Final = "hgx"
"""The pool of the machine whose GPUs are a stand-in driver's."""
SLOTS: Final = 1
"""How many nodes of a pool may be disrupted at once."""
_MOST: Final = 20_000
"""How many nodes a laptop bears: a million would take nine gigabytes of memory."""
_CORDONED: Final = 8
_DEAD: Final = 2
"""How many machines lose their power at once, in a pool with one slot, beside a dead kubelet."""
_FIRST: Final = timedelta(seconds=4)
_PACE: Final = timedelta(seconds=3)
_FREEZES_FROM: Final = timedelta(minutes=2)
"""How long the demo must be allowed to last for a remediator to stand still for a minute of it."""
_SCRATCH: Final = {"mount": "/scratch"}
_WANTED: Final[Sequence[tuple[str, str, str, Mapping[str, object]]]] = (
    *(("node.ready", "power-loss", WEB, {}) for _ in range(_DEAD)),
    ("node.ready", "kubelet-dead", WEB, {}),
    ("disk.free_ratio", "disk-full", GPU, _SCRATCH),
)
"""By which signal it is found, what goes wrong, in which pool, and how."""
_TIMINGS: Final = {
    "lease": "2s",
    "monitor": "1s",
    "monitor-grace": "6s",
    "join": "1s",
    "terminate": "2s",
    "provision": "4s",
    "power": "1s",
    "out-of-service": "2s",
    "pod-start": "1s",
    "probe": "200ms",
}
"""The simulated cluster is in a hurry: real kubelets are missed after 50 s, and clouds are slow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What is played and by which limits."""

    plan: Scenario
    real: str
    """The Node's name of this machine."""
    box: str = ""
    """That of the machine with the stand-in GPUs; empty where there is none."""
    policy: str
    """The YAML that the remediator reads."""
    limits: Limits
    """The same, for the observer."""
    freezes: bool = False
    """Whether a remediator is to stand still for a while in the midst of a repair."""


def real_name() -> str:
    """Name this machine as a Node may be named."""
    name = re.sub(r"[^a-z0-9-]+", "-", socket.gethostname().lower()).strip("-")[:40]
    return f"this-{name}" if name else "this-machine"


def default(
    nodes: int, real: str, lasting: timedelta, asked: Collection[str], *, box: str = ""
) -> Stage:
    """Return a cluster of synthetic nodes and this machine, in which some fall sick.

    Args:
        nodes: How many are synthetic.
        real: The Node's name of this machine.
        lasting: How long the demo may last.
        box: The Node's name of a machine with stand-in GPUs, if there is to be one.
        asked: The signals that some rule with a remedy asks for: nothing goes wrong that no rule
            would mend.
    """
    gpus = nodes // 3
    spec = {
        "pools": [
            {"name": WEB, "nodes": nodes - gpus},
            {"name": GPU, "nodes": gpus, "external": [real], "gpus": 8},
            *([{"name": BOX, "external": [box], "gpus": 8}] if box else []),
        ],
        "workloads": [
            {"name": WEB, "replicas": nodes, "grace": 5, "budget": {"max-unavailable": "50%"}}
        ],
        "faults": list(_faults(nodes - gpus, gpus, lasting, asked)),
        "timings": dict(_TIMINGS),
    }
    document = {"apiVersion": scenario.API_VERSION, "kind": scenario.KIND, "spec": spec}
    made = _stage(scenario.read(document, "the demo's scenario"), real, box)
    return replace(made, freezes=lasting >= _FREEZES_FROM)


def from_file(path: Path, real: str, lasting: timedelta) -> Stage:
    """Read a scenario and add this machine to its first pool.

    Raises:
        nodehealth.kit.settings.SettingsError: says where, what was expected there, what is there.
    """
    written = scenario.load(path)
    if not written.pools:
        raise SettingsError(f"{path}: spec.pools: expected at least one pool, got none")
    nodes = sum(pool.nodes + len(pool.external) for pool in written.pools)
    if nodes > _MOST:
        raise SettingsError(f"{path}: spec.pools: expected at most {_MOST} nodes, got {nodes}")
    last = max((each.targets.at for each in written.faults), default=timedelta())
    if last > quiet_from(lasting):
        raise SettingsError(
            f"{path}: spec.faults: expected the last one within two thirds of --for "
            f"{quantities.spoken(lasting)}, so that it can be repaired; one comes after "
            f"{quantities.spoken(last)}"
        )
    first, *others = written.pools
    widened = replace(first, external=(*first.external, real))
    return _stage(replace(written, pools=(widened, *others)), real)


def quiet_from(lasting: timedelta) -> timedelta:
    """Say from when on nothing new goes wrong: the last third is for repairs."""
    return lasting * 2 / 3


def sick(plan: Scenario) -> int:
    """Count the faults of the scenario, one for each node that it befalls."""
    return sum(1 if each.targets.node else each.targets.count for each in plan.faults)


def _faults(
    web: int, gpus: int, lasting: timedelta, asked: Collection[str]
) -> Iterator[Mapping[str, object]]:
    """Yield what goes wrong, early: the dead first, for it takes longest to be sure of them."""
    names = {WEB: iter(Pool(name=WEB, nodes=web).names())}
    names[GPU] = iter(Pool(name=GPU, nodes=gpus).names())
    first = min(_FIRST, quiet_from(lasting) / 2)
    pace = min(_PACE, (quiet_from(lasting) - first) / len(_WANTED))
    for number, (signal, fault, pool, settings) in enumerate(_WANTED):
        node = next(names[pool], None) if signal in asked else None
        if node is not None:
            after = round((first + number * pace) / timedelta(milliseconds=1))
            yield {fault: {"at": f"{after}ms", "node": node, **settings}}


def _stage(plan: Scenario, real: str, box: str = "") -> Stage:
    pools = [pool.name for pool in plan.pools]
    bounds = {"cordoned": _CORDONED, "disrupted": SLOTS}
    rate = {"cordons": "unlimited", "disruptions": "unlimited"}
    spec = {
        "mode": "enforce",
        "limits": {"cordoned": _CORDONED * len(pools), "disrupted": SLOTS * len(pools)},
        "rate": rate,
        "pools": [
            {
                "name": name,
                "labels": {keys.POOL_LABEL: name},
                "limits": bounds,
                "rate": rate,
            }
            for name in pools
        ],
        "drain": {"settle": "1s", "again": "1s", "silent": "5s", "overdue": "1s", "twice": "2s"},
        "breakers": "never",  # much falls sick within a minute, for the sake of whoever looks on
        "provider": "simulator",
    }
    document = {"apiVersion": keys.API_VERSION, "kind": "Policy", "spec": spec}
    return Stage(
        plan=plan,
        real=real,
        box=box,
        policy=yaml.safe_dump(document, sort_keys=False),
        limits=Limits(cluster=SLOTS * len(pools), pools=dict.fromkeys(pools, SLOTS)),
    )
