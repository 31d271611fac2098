"""Scenarios are read as they are written, and complaints say where, what and why."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from nodehealth.kit.settings import SettingsError
from simulator import scenario
from simulator.faults.disk_full import DiskFull
from simulator.faults.xid import Xid
from simulator.scenario import Budget, Scenario, WorkloadKind

WHOLE = """
apiVersion: simulator.nodemend.dev/v1
kind: Scenario
metadata: {name: whole}
spec:
  seed: 7
  pools:
    - {name: general, nodes: 12, zones: [a, b]}
    - {name: gpu, nodes: 2, gpus: 8, instance-type: sim.gpu8, external: [here], labels: {rack: r1}}
  workloads:
    - {name: web, replicas: 20, pool: general, budget: {max-unavailable: 10%}}
    - {name: train, kind: Job, replicas: 2, pool: gpu, gpus: 8, runs-for: 2h}
  timings: {provision: 10s}
  faults:
    - disk-full: {at: 10s, node: general-03, mount: /var}
    - xid: {at: 1m, pool: gpu, count: 2, code: 48}
    - kubelet-dead
"""


def _read(text: str) -> Scenario:
    return scenario.read(yaml.safe_load(text), "test.yaml")


def test_a_scenario_is_read_whole() -> None:
    found = _read(WHOLE)

    general, gpu = found.pools
    assert general.names()[:2] == ("general-01", "general-02")
    assert gpu.names() == ("gpu-1", "gpu-2", "here")
    assert gpu.labels == {"rack": "r1"}
    assert found.workloads[0].budget == Budget(max_unavailable="10%")
    assert found.workloads[1].kind is WorkloadKind.JOB
    assert found.timings.provision == timedelta(seconds=10)
    disk, xid, kubelet = found.faults
    assert disk.fault == DiskFull(mount="/var")
    assert (disk.targets.node, disk.targets.at) == ("general-03", timedelta(seconds=10))
    assert (xid.fault, xid.targets.count) == (Xid(code=48), 2)
    assert kubelet.name == "kubelet-dead"


@pytest.mark.parametrize(
    ("was", "becomes", "complaint"),
    [
        ("kind: Scenario", "kind: Rule", "test.yaml: kind: expected Scenario, got 'Rule'"),
        ("nodes: 12", "nodes: many", "test.yaml: spec.pools[0].nodes: expected a whole number"),
        ("seed: 7", "sead: 7", "test.yaml: spec.sead: unknown setting; known are pools"),
        ("at: 10s", "at: soon", "spec.faults[0].disk-full.at: expected a duration such as 5m"),
        ("mount: /var", "mont: /var", "spec.faults[0].disk-full.mont: unknown setting; known are"),
        ("- xid:", "- xit:", "spec.faults[1]: no fault named 'xit'; known are agent-silent"),
        ("general-03", "general-99", "disk-full.node: expected a node such as general-01"),
        ("pool: general", "pool: db", "workloads[0].pool: expected a pool of general, gpu, got"),
        ("name: gpu", "name: general", "spec.pools: expected different names, got general, gen"),
        ("- kubelet-dead", "- 7", "spec.faults[2]: expected a fault such as `disk-full`, got 7"),
        ("kind: Job", "kind: Cron", "workloads[1].kind: expected one of Deployment, StatefulSet"),
    ],
)
def test_a_mistake_is_complained_about_precisely(was: str, becomes: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as error:
        _read(WHOLE.replace(was, becomes, 1))

    assert complaint in str(error.value)


def test_a_file_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("spec: [", encoding="utf-8")

    with pytest.raises(SettingsError, match=r"broken\.yaml: expected YAML"):
        scenario.load(path)
