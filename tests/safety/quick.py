"""The tales of ordeals for a clock that does not leap: what takes minutes there takes seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from remediator.files import remedy
from remediator.rules import compile as compiling
from remediator.rules import documents
from remediator.rules.policy import DrainManners, GpuClients
from remediator.rules.rule import RuleSet
from simulator import scenario
from tests.safety.sent import PLUGINS, stuck, trouble
from tests.safety.tales import HELD, PLUGIN, WEB

_RULE: Final = """
apiVersion: nodemend.dev/v1alpha1
kind: Rule
metadata: {name: %s}
spec:
  about: It is sick.
  severity: critical
  when: %s
  clears: {quiet: 200ms}
  verify: 1s
  ladder: [drain: {deadline: %s}, %s]
"""
_FULL: Final = "{signal: disk.free_ratio, where: value < 0.02, for: 100ms}"
_STUCK: Final = '{signal: gpu.recovery_action, where: "value > 0.0", for: 100ms}'
_SILENT: Final = """{signal: node.ready, where: 'status != "True"', for: 1s}"""
_REPLACE: Final = "replace: {patience: 2m, again: 300ms, retry: 30s}"
_TIMINGS: Final = {
    "provision": "1s",
    "terminate": "1s",
    "join": "300ms",
    "probe": "100ms",
    "refresh": "5s",
    "pod-start": "200ms",
    "errand": "300ms",
    "reboot": "1s",
    "power": "300ms",
    "lease": "1s",
    "monitor": "500ms",
    "monitor-grace": "8s",
    "out-of-service": "1s",
}
MANNERS: Final = DrainManners(
    settle=timedelta(seconds=1),
    again=timedelta(milliseconds=300),
    silent=timedelta(seconds=2),
    twice=timedelta(seconds=1),
)


def _rules(*written: tuple[str, str, str, str]) -> RuleSet:
    texts = [_RULE % each for each in written]
    parsed = [documents.parse(f"{w[0]}.yaml", text) for w, text in zip(written, texts, strict=True)]
    return compiling.rule_set([compiling.rule(each, remedy) for each in parsed], texts)


RULES: Final = _rules(
    ("full", _FULL, "1m", _REPLACE),
    ("not-ready", _SILENT, "4s", _REPLACE),
    ("gpu-stuck", _STUCK, "1m", f"reset-gpu, reboot: {{patience: 1m}}, {_REPLACE}"),
)
HURRIED: Final = _rules(("full", _FULL, "4s", _REPLACE))
"""The same, where a drain that is held is soon given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quick:
    """What there is, what befalls it, and how it ends.

    Fields:
        mended: Nodes that are well in the end.
        called: Nodes for which people are called in the end.
        left: Nodes that are as they were.
    """

    faults: tuple[Mapping[str, object], ...]
    mended: frozenset[str] = frozenset({"w-1", "w-2"})
    called: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()
    rules: RuleSet = RULES
    workloads: tuple[Mapping[str, Any], ...] = (WEB,)
    gpu_clients: GpuClients = field(default_factory=GpuClients)

    def plan(self) -> scenario.Scenario:
        """Return the scenario."""
        spec = {
            "pools": [{"name": "w", "nodes": 3, "gpus": 2}],
            "workloads": [dict(each) for each in self.workloads],
            "timings": _TIMINGS,
            "faults": list(self.faults),
        }
        document = {"apiVersion": scenario.API_VERSION, "kind": scenario.KIND, "spec": spec}
        return scenario.read(document, "quick")


def _full(node: str, at: str = "1s") -> Mapping[str, object]:
    return {"disk-full": {"at": at, "node": node, "mount": "/scratch"}}


def _befalls(fault: str, node: str, at: str = "1s") -> Mapping[str, object]:
    return {fault: {"at": at, "node": node}}


_FREE: Final = {key: value for key, value in WEB.items() if key != "budget"}
QUICK: Final[Mapping[str, Quick]] = {
    "disks": Quick(faults=(_full("w-1"), _full("w-2"))),
    "dead": Quick(
        faults=(_befalls("kubelet-dead", "w-1"), _befalls("power-loss", "w-2")),
        workloads=(_FREE,),
    ),
    "stuck": Quick(
        faults=(trouble("w-1", "reset-gpu", "fail"), stuck("w-1"), stuck("w-2")),
        workloads=(WEB, PLUGIN),
        gpu_clients=PLUGINS,
    ),
    "held": Quick(
        faults=(_full("w-1"), _full("w-2"), _full("w-3")),
        mended=frozenset(),
        called=frozenset({"w-1", "w-2", "w-3"}),
        rules=HURRIED,
        workloads=({**HELD, "replicas": 9},),
    ),
    "mute": Quick(
        faults=(_befalls("agent-silent", "w-1"), _full("w-1", "2s"), _full("w-2")),
        mended=frozenset({"w-2"}),
        left=frozenset({"w-1"}),
    ),
}
