"""What the demo plays: the default scenario, and the policy that its remediator gets."""

import re
import socket
from dataclasses import replace
from pathlib import Path
from typing import Final

from nodehealth.kit.settings import SettingsError
from simulator import scenario
from simulator.scenario import Pool, Scenario

SLOTS: Final = 1
POOL: Final = "workers"

POLICY: Final = f"""\
apiVersion: nodemend.dev/v1alpha1
kind: Policy
spec:
  mode: enforce
  limits: {{cordoned: 4, disrupted: {SLOTS}}}
  rate: {{cordons: unlimited, disruptions: unlimited}}
  pools:
    - name: fleet
      limits: {{cordoned: 4, disrupted: {SLOTS}}}
      rate: {{cordons: unlimited, disruptions: unlimited}}
  drain: {{settle: 2s, again: 1s}}
  provider: simulator
"""


def real_name() -> str:
    """Name this machine as a Node may be named."""
    name = re.sub(r"[^a-z0-9-]+", "-", socket.gethostname().lower()).strip("-")[:40]
    return f"this-{name}" if name else "this-machine"


def default(nodes: int, real: str) -> Scenario:
    """Return a cluster of synthetic nodes and this machine, in which one more node falls sick."""
    first = Pool(name=POOL, nodes=nodes).names()[0]
    spec = {
        "pools": [{"name": POOL, "nodes": nodes, "external": [real], "gpus": 8}],
        "workloads": [
            {"name": "web", "replicas": 2 * nodes, "grace": 5, "budget": {"max-unavailable": 2}}
        ],
        "faults": [{"disk-full": {"at": "12s", "node": first, "mount": "/scratch"}}],
        "timings": {"join": "1s", "terminate": "2s", "provision": "5s", "pod-start": "1s"},
    }
    document = {"apiVersion": scenario.API_VERSION, "kind": scenario.KIND, "spec": spec}
    return scenario.read(document, "the demo's scenario")


def from_file(path: Path, real: str) -> Scenario:
    """Read a scenario and add this machine to its first pool.

    Raises:
        nodehealth.kit.settings.SettingsError: says where, what was expected there, what is there.
    """
    written = scenario.load(path)
    if not written.pools:
        raise SettingsError(f"{path}: spec.pools: expected at least one pool, got none")
    first, *others = written.pools
    widened = replace(first, external=(*first.external, real))
    return replace(written, pools=(widened, *others))


def sick(plan: Scenario) -> int:
    """Count the nodes that the scenario makes sick."""
    return sum(1 if each.targets.node else each.targets.count for each in plan.faults)
