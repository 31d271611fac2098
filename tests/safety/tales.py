"""What befalls a small cluster in an ordeal: a few rules, a few nodes, a few faults."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, TypeAlias

from remediator.files import remedy
from remediator.rules import compile as compiling
from remediator.rules import documents
from remediator.rules.policy import GpuClients
from remediator.rules.rule import RuleSet
from simulator import scenario
from tests.safety.sent import PLUGINS

_RULE: Final = """
apiVersion: nodemend.dev/v1alpha1
kind: Rule
metadata: {name: %s}
spec:
  about: It is sick.
  severity: critical
  when: %s
  clears: {quiet: 10s}
  verify: 10s
  ladder: [%s]
"""
_SCRATCH: Final = (
    """{signal: disk.free_ratio, where: 'value < 0.02 && subject.endsWith("scratch")', for: 10s}"""
)
_STUCK: Final = '{signal: gpu.recovery_action, where: "value > 0.0", for: 10s}'
_SILENT: Final = """{signal: node.ready, where: 'status != "True"', for: 3m}"""
_DRAIN: Final = "drain: {deadline: 3m}"
_CYCLED: Final = 0.4
"""How often a machine is switched off and on instead of being rebooted from within."""
_NODES: Final = ("w-1", "w-2", "w-3", "w-4")

Faults: TypeAlias = list[dict[str, object]]


def _rules(*written: tuple[str, str, str]) -> RuleSet:
    texts = [_RULE % each for each in written]
    parsed = [documents.parse(f"{w[0]}.yaml", text) for w, text in zip(written, texts, strict=True)]
    return compiling.rule_set([compiling.rule(each, remedy) for each in parsed], texts)


_SCRATCH_RULE: Final = ("scratch-full", _SCRATCH, f"{_DRAIN}, replace")
_SILENT_RULE: Final = ("not-ready", _SILENT, f"{_DRAIN}, replace")


def _ruled(reboots: str) -> RuleSet:
    stuck_ = f"{_DRAIN}, reset-gpu, {reboots}: {{patience: 5m}}, replace"
    return _rules(_SCRATCH_RULE, ("gpu-stuck", _STUCK, stuck_), _SILENT_RULE)


RULES: Final = _ruled("reboot")
CYCLING: Final = _ruled("power-cycle")
"""The same, where a machine that wants a reboot is switched off and on by its owner."""
WEB: Final[Mapping[str, Any]] = {
    "name": "web",
    "replicas": 4,
    "grace": 5,
    "stops-after": "2s",
    "budget": {"max-unavailable": 1},
}
HELD: Final[Mapping[str, Any]] = {"name": "held", "replicas": 2, "budget": {"max-unavailable": 0}}
PLUGIN: Final[Mapping[str, Any]] = {
    "name": "plugin",
    "kind": "DaemonSet",
    "holds-gpus": True,
    "gives-way": True,
    "grace": 5,
    "stops-after": "2s",
}
TIMINGS: Final = {"provision": "5s", "terminate": "2s", "join": "1s", "reboot": "20s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tale:
    """What there is, and what befalls it."""

    plan: scenario.Scenario
    rules: RuleSet = RULES
    gpu_clients: GpuClients = field(default_factory=GpuClients)
    untold: frozenset[str] = frozenset()
    """Nodes that are sick and say nothing of it."""


def _staged(
    seed: int, faults: Faults, *, gpus: int = 0, workloads: tuple[Mapping[str, Any], ...] = (WEB,)
) -> scenario.Scenario:
    spec = {
        "seed": seed,
        "pools": [{"name": "w", "nodes": len(_NODES), "gpus": gpus, "zones": ["a", "b"]}],
        "workloads": [dict(each) for each in workloads],
        "timings": TIMINGS,
        "faults": faults,
    }
    document = {"apiVersion": scenario.API_VERSION, "kind": scenario.KIND, "spec": spec}
    return scenario.read(document, "ordeal")


def _full(node: str, at: float, **more: object) -> dict[str, object]:
    return {"disk-full": {"at": f"{at}s", "node": node, "mount": "/scratch", **more}}


def _some(random: Random, most: int = 3) -> list[str]:
    return random.sample(_NODES, random.randint(2, most))


def disks(seed: int, random: Random) -> Tale:
    """Disks fill up, some of which are emptied again by whoever filled them."""
    faults = [_full(each, 2 + random.randint(0, 30)) for each in _some(random)]
    if random.random() < 0.5:
        lasts = random.randint(3, 60)
        free = [each for each in _NODES if all(each not in str(fault) for fault in faults)]
        faults += [_full(each, random.randint(2, 60), lasts=f"{lasts}s") for each in free[:1]]
    return Tale(plan=_staged(seed, faults))


def dead(seed: int, random: Random) -> Tale:
    """Kubelets die and machines lose their power, with and without a full disk."""
    faults = Faults()
    for each in _some(random, 2):
        at = random.randint(2, 20)
        if random.random() < 0.6:
            faults.append(_full(each, at))
        if random.random() < 0.3:
            faults.append({"power-loss": {"at": f"{at + 1}s", "node": each}})
        else:
            lasts = {"lasts": f"{random.randint(30, 400)}s"} if random.random() < 0.3 else {}
            faults.append({"kubelet-dead": {"at": f"{at + 1}s", "node": each, **lasts}})
    return Tale(plan=_staged(seed, faults))


def stuck(seed: int, random: Random) -> Tale:
    """GPUs want to be reset; what is sent for that may refuse, fail, hang or not start."""
    faults = Faults()
    for each in _some(random):
        faults.append({"gpu-stuck": {"at": f"{random.randint(2, 20)}s", "node": each}})
        for program in ("reset-gpu", "reboot"):
            if random.random() < 0.5:
                does = random.choice(("refuse", "fail", "hang", "no-image"))
                whom = {"at": "1s", "node": each, "program": program, "does": does}
                faults.append({"errand-trouble": whom})
        if random.random() < 0.2:
            faults.append({"never-boots": {"at": "1s", "node": each}})
    plan = _staged(seed, faults, gpus=2, workloads=(WEB, PLUGIN))
    rules = CYCLING if Random(seed).random() < _CYCLED else RULES
    return Tale(plan=plan, rules=rules, gpu_clients=PLUGINS)


def held(seed: int, random: Random) -> Tale:
    """Some pods may never leave, so that some nodes cannot be drained."""
    faults = [_full(each, 2 + random.randint(0, 30)) for each in _some(random)]
    return Tale(plan=_staged(seed, faults, workloads=(HELD, WEB)))


def mute(seed: int, random: Random) -> Tale:
    """One node's agent falls silent just before its disk is full: nobody knows of that."""
    silent, *others = _some(random)
    faults = [_full(each, 2 + random.randint(0, 30)) for each in others]
    faults += [{"agent-silent": {"at": "1s", "node": silent}}, _full(silent, 3)]
    return Tale(plan=_staged(seed, faults), untold=frozenset({silent}))


def brief(seed: int, random: Random) -> Tale:
    """Disks fill up and are emptied again as soon as their nodes are cordoned, twice."""
    faults = Faults()
    for each in _some(random):
        for wave in (2, 45):
            lasts = f"{random.randint(11, 30)}s"
            faults.append(_full(each, wave + random.randint(0, 10), lasts=lasts))
    return Tale(plan=_staged(seed, faults))


TALES: Final[Mapping[str, Callable[[int, Random], Tale]]] = {
    each.__name__: each for each in (disks, dead, stuck, held, mute, brief)
}
